//! Tests of `--parallel` under `mpirun`.

use super::{program, save, softmax, success, words};
use ndarray::{Array1, Array2};
use safetensors::SafeTensors;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A command that starts `ranks` processes, also in a container and on a machine with fewer processors.
fn mpirun(ranks: usize, folder: &Path) -> Command {
    let mut command = Command::new("mpirun");
    // The timeout is for ranks that wait for each other, which would never end.
    command.args(["--allow-run-as-root", "--oversubscribe", "--timeout", "300"]);
    command.args(["-n", &ranks.to_string()]).current_dir(folder);
    command
}

/// Runs the program on `ranks` ranks.
fn on_ranks(ranks: usize, args: &str, folder: &Path) -> Output {
    mpirun(ranks, folder).arg(program().get_program()).args(words(args)).output().expect("mpirun starts")
}

fn number(i: usize, j: usize) -> f64 {
    ((i * 7919 + j * 104_729) % 2003) as f64 / 1001.5 - 1.0
}

/// Saves a problem with every array, in f64.
fn save_problem(path: &Path, (n, d, c): (usize, usize, usize), has_soft_targets: bool) {
    let positive = |i: usize| 1.1 + number(i, 3);
    save(path, |npz| {
        npz.add_array("X", &Array2::from_shape_fn((n, d), |(i, j)| number(i, j))).unwrap();
        npz.add_array("W", &Array2::from_shape_fn((d, c), |(i, j)| number(j, i + 1))).unwrap();
        let masked = |j: usize| if j == 2 { f64::NEG_INFINITY } else { number(j, 5) };
        npz.add_array("b", &Array1::from_shape_fn(c, masked)).unwrap();
        npz.add_array("class_weight", &Array1::from_shape_fn(c, positive)).unwrap();
        npz.add_array("sample_weight", &Array1::from_shape_fn(n, positive)).unwrap();
        if has_soft_targets {
            let mass = |(i, j): (usize, usize)| if j == 2 { 0.0 } else { positive(i + 3 * j) / c as f64 };
            npz.add_array("Y", &Array2::from_shape_fn((n, c), mass)).unwrap();
        } else {
            let label = |i: usize| if i % 7 == 3 { -100 } else { (i * 31 % (c - 3) + 3) as i64 };
            npz.add_array("y", &Array1::from_shape_fn(n, label)).unwrap();
        }
    });
}

const OPTIONS: &str = "--label-smoothing 0.1 --l2 0.01 --z-loss 0.001 --softcap 5 --temperature 1.3 --top 4";

#[test]
fn class_parallel_eval_writes_the_bytes_of_one_process() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    // One group of classes, and more groups than ranks. 1301 is not a multiple of any vector's length.
    for (shape, has_soft_targets) in [((90, 17, 10), false), ((70, 23, 1301), false), ((40, 9, 1301), true)] {
        save_problem(&folder.join("p.npz"), shape, has_soft_targets);
        for dtype in ["f32", "f64"] {
            let ignored = if has_soft_targets { "" } else { "--ignore-index -100" };
            let args = format!("eval --backend fused --data p.npz --dtype {dtype} {OPTIONS} {ignored} --out");
            success(&words(&format!("{args} one.npz")), folder);
            let expected = fs::read(folder.join("one.npz")).unwrap();
            for ranks in 1..=4 {
                let run = on_ranks(ranks, &format!("{args} all.npz --parallel classes"), folder);
                assert!(run.status.success(), "{run:?}");
                let is_same = fs::read(folder.join("all.npz")).unwrap() == expected;
                assert!(is_same, "{shape:?} in {dtype} on {ranks} ranks");
            }
        }
    }
}

#[test]
fn sample_parallel_eval_writes_the_same_bytes_at_every_run() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    save_problem(&folder.join("p.npz"), (301, 40, 20), false);
    let args =
        format!("eval --backend fused --data p.npz {OPTIONS} --ignore-index -100 --parallel samples --out");
    let written = |name: &str| {
        let run = on_ranks(3, &format!("{args} {name}"), folder);
        assert!(run.status.success(), "{run:?}");
        let said = String::from_utf8_lossy(&run.stdout);
        assert_eq!(said.matches("loss, dW").count(), 1, "the first rank prints: {run:?}");
        fs::read(folder.join(name)).unwrap()
    };
    assert!(written("a.npz") == written("b.npz"));
}

#[test]
fn a_bad_file_of_one_rank_ends_all_ranks_with_one_line() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    save_problem(&path.join("p.npz"), (30, 4, 10), false);
    save(&path.join("labels.npz"), |npz| {
        npz.add_array("X", &Array2::<f64>::zeros((3, 2))).unwrap();
        npz.add_array("W", &Array2::<f64>::zeros((2, 2))).unwrap();
        npz.add_array("y", &Array1::from_vec(vec![0, 1, 7])).unwrap();
    });
    for (bad, expected) in [
        ("none.npz", "softmax: rank 2: none.npz: No such file or directory"),
        ("labels.npz", "softmax: rank 2: labels.npz: y: expected classes from 0 to 1"),
    ] {
        let script = path.join("rank.sh");
        let choice = format!("if [ \"$OMPI_COMM_WORLD_RANK\" = 2 ]; then data={bad}; else data=p.npz; fi");
        let call = format!(
            "exec '{}' eval --backend fused --ignore-index -100 --data $data --parallel classes --out out.npz",
            program().get_program().to_string_lossy()
        );
        fs::write(&script, format!("#!/bin/sh\n{choice}\n{call}\n")).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let started = Instant::now();
        let run = mpirun(4, path).arg(&script).output().unwrap();
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
        let err = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{err}");
        // mpirun prints its own messages around the line.
        assert!(err.matches("softmax: ").count() == 1 && err.contains(expected), "{err}");
        assert!(!path.join("out.npz").exists());
    }
}

#[test]
fn a_bad_flag_is_one_line_of_one_rank() {
    let folder = TempDir::new().unwrap();
    let run = on_ranks(3, "eval --backend fused --parallel rows --data p.npz --out o.npz", folder.path());
    let err = String::from_utf8_lossy(&run.stderr);
    assert_eq!((run.status.code(), err.matches("--parallel").count()), (Some(2), 1), "{err}");
}

/// The entries of W and b of a model in f64.
fn parameters(path: &Path) -> Vec<f64> {
    let bytes = fs::read(path).unwrap();
    let model = SafeTensors::deserialize(&bytes).unwrap();
    let of = |name: &str| model.tensor(name).unwrap().data().to_vec();
    let numbers = [of("W"), of("b")].concat();
    numbers.as_chunks::<8>().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect()
}

#[test]
fn a_fit_on_four_ranks_is_that_of_one_process() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    // The digits, with a penalty at which the minimum is well determined.
    let args = "fit --l2 1e-2 --dtype f64 --tolerance 1e-10 --validation 0.1 --out";
    success(&words(&format!("{args} one.safetensors")), folder);
    let one = parameters(&folder.join("one.safetensors"));
    for (parallel, tolerance) in [("classes", 0.0), ("samples", 1e-12)] {
        let run = on_ranks(4, &format!("{args} all.safetensors --parallel {parallel}"), folder);
        assert!(run.status.success(), "{run:?}");
        let all = parameters(&folder.join("all.safetensors"));
        let off = one.iter().zip(&all).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(one.len() == all.len() && off <= tolerance, "{parallel}: off by {off:e}");
    }
}

/// The parts of W have about a hundred kilobytes. A send of that size blocks until it is received.
#[test]
fn a_class_parallel_fit_of_many_classes_writes_the_bytes_of_one_process() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    save_problem(&folder.join("p.npz"), (500, 90, 1301), false);
    let args = "fit --data p.npz --ignore-index -100 --l2 0.01 --out";
    let doubt = "classes have no sample";
    let run = softmax(&words(&format!("{args} one.safetensors")), folder);
    assert!(run.code == Some(0) && run.err.contains(doubt), "{}", run.err);
    for ranks in [2, 4] {
        let run = on_ranks(ranks, &format!("{args} all.safetensors --parallel classes"), folder);
        assert!(run.status.success(), "{run:?}");
        let err = String::from_utf8_lossy(&run.stderr);
        assert_eq!(err.matches(doubt).count(), 1, "the first rank warns: {err}");
        let read = |name: &str| fs::read(folder.join(name)).unwrap();
        assert!(read("all.safetensors") == read("one.safetensors"), "{ranks} ranks");
    }
}

#[test]
fn killing_one_rank_ends_the_others_within_ten_seconds() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    // A fit of a thousand iterations that take some seconds each.
    save_problem(&path.join("p.npz"), (20_000, 300, 400), false);
    let args = "fit --data p.npz --ignore-index -100 --tolerance 0 --parallel samples --out m.safetensors";
    let mut run = mpirun(3, path)
        .arg(program().get_program())
        .args(words(args))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let ranks = loop {
        let ranks = children(run.id());
        if ranks.len() == 3 && started.elapsed() > Duration::from_secs(4) {
            break ranks;
        }
        assert!(
            run.try_wait().unwrap().is_none() && started.elapsed() < Duration::from_secs(60),
            "{ranks:?}"
        );
        sleep(Duration::from_millis(50));
    };
    let killed = Instant::now();
    assert!(Command::new("kill").args(["-9", &ranks[1]]).status().unwrap().success());
    let by_deadline = |has_ended: &mut dyn FnMut() -> bool, what: &str| {
        while !has_ended() {
            assert!(killed.elapsed() < Duration::from_secs(10), "{what} still runs");
            sleep(Duration::from_millis(20));
        }
    };
    by_deadline(&mut || run.try_wait().unwrap().is_some(), "mpirun");
    for rank in &ranks {
        // mpirun kills the other ranks, but does not wait until they are gone.
        let files = format!("/proc/{rank}/fd/0");
        by_deadline(&mut || !Path::new(&files).exists(), &format!("the rank of process {rank}"));
    }
    assert!(!path.join("m.safetensors").exists());
}

/// The ids of the child processes of a process.
fn children(of: u32) -> Vec<String> {
    let path = format!("/proc/{of}/task/{of}/children");
    fs::read_to_string(path).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}
