//! Tests that a lack of memory gives an error, not an abort.
#![cfg(target_os = "linux")] // On other systems the program does not know how much memory is free.

use super::{Run, save, success, words};
use ndarray::{Array1, Array2};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Runs the program in an address space of `mebibytes` MiB. If the build includes OpenBLAS, that gets one thread,
/// because it requests a buffer for each thread, and retries forever if it gets none.
fn within(mebibytes: u32, args: &str, folder: &Path) -> Run {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -v {} && exec \"$0\" \"$@\"", mebibytes * 1024)]);
    command.env("OPENBLAS_NUM_THREADS", "1").env("XDG_RUNTIME_DIR", std::env::temp_dir());
    let output =
        command.arg(env!("CARGO_BIN_EXE_softmax")).args(words(args)).current_dir(folder).output().unwrap();
    Run {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn refused(mebibytes: u32, args: &str, expected: &str, folder: &Path) {
    let run = within(mebibytes, args, folder);
    assert_eq!(
        (run.code, run.out.as_str(), run.err.lines().count()),
        (Some(2), "", 1),
        "{args}: {}",
        run.err
    );
    assert!(run.err.contains(expected) && run.err.contains("memory"), "{args}: {}", run.err);
}

#[test]
fn a_problem_larger_than_memory_is_refused_in_one_line() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let classes = 10_000;
    save(&at("scores.npz"), |npz| {
        npz.add_array("X", &Array2::<f32>::zeros((20_000, 2))).unwrap();
        npz.add_array("W", &Array2::<f32>::zeros((2, classes))).unwrap();
        npz.add_array("y", &Array1::<i64>::zeros(20_000)).unwrap();
    });
    let eval = "eval --threads 1 --data scores.npz --out g.npz --backend";
    // The scores take 800 MB.
    refused(600, &format!("{eval} ndarray"), "scores.npz", folder.path());
    assert!(!at("g.npz").exists());
    let run = within(600, &format!("{eval} fused"), folder.path());
    assert_eq!(run.code, Some(0), "one that needs no such room: {}", run.err);

    // X takes 64 MB as bytes in the file, and 512 MB in f64.
    save(&at("wide.npz"), |npz| {
        npz.add_array("X", &Array2::<u8>::zeros((8000, 8192))).unwrap();
        npz.add_array("y", &Array1::<i64>::zeros(8000)).unwrap();
    });
    refused(
        400,
        "compare --backends naive --threads 1 --dtype f64 --data wide.npz",
        "wide.npz: out of",
        folder.path(),
    );
    refused(
        400,
        "compare --backends naive --threads 1 --synthetic 16384x8192x2",
        "--synthetic",
        folder.path(),
    );
    refused(400, "bench --backends naive --shapes 16384x8192x2 --output r.jsonl", "--shapes", folder.path());
    assert!(!at("r.jsonl").exists());

    // W and dW take 80 MB each. The reference takes 40 bytes for the value and the bound of each entry of dW.
    refused(600, "compare --backends naive --threads 1 --synthetic 4x10000x2000", "reference", folder.path());

    // p of 20,000 samples and 10,000 classes.
    save(&at("many.npz"), |npz| {
        npz.add_array("X", &Array2::<f32>::zeros((20_000, 2))).unwrap();
        npz.add_array("y", &Array1::from_shape_fn(20_000, |i| (i % classes) as i64)).unwrap();
    });
    success(&words("fit --data many.npz --max-iterations 1 --out m.safetensors"), folder.path());
    let predict = "predict --model m.safetensors --threads 1 --data many.npz --out p.csv";
    refused(600, &format!("{predict} --probabilities"), "--probabilities: expected", folder.path());
    assert!(!at("p.csv").exists());
}
