//! Tests that a mistake on the command line is reported in one line that makes sense.

use super::{folder, refusal, success};
use std::path::Path;

/// Compares whole lines, as a person reads them.
#[test]
fn each_usage_mistake_is_one_sentence() {
    let (folder, _) = folder();
    for (args, expected) in [
        (&["eval", "--data", "p.npz"][..], "missing: --out <FILE.npz>"),
        (
            &["compare", "--dtype", "f33"],
            "--dtype <DTYPE>: expected one of f32, f64, found f33; did you mean f32?",
        ),
        (&["compare", "--data"], "--data <FILE>: expected a value, found none"),
        (&["compare", "--threads", "0"], "--threads <N>: expected a number from 1 to 1024, found 0"),
        (&["compare", "--repeat", "0"], "--repeat <ROUNDS>: expected a number from 1 to 4294967295, found 0"),
        (&["compare", "--thread", "3"], "unexpected argument --thread; did you mean --threads?"),
        (
            &["fit", "--out", "m", "--seed", "1.5"],
            "--seed <SEED>: expected an integer of 64 bits, at least 0, found 1.5",
        ),
        (
            &["compare", "--ignore-index", "1e3"],
            "--ignore-index <LABEL>: expected an integer of 64 bits, found 1e3",
        ),
        (&["compare", "--dx=3"], "--dx: expected no value, found 3"),
        (&["compare", "--dx", "--dx"], "--dx: expected once, found twice"),
        (&["bench", "--sweeps", "--dx", "--output", "x"], "--sweeps cannot be used with --dx"),
        (
            &["compare", "--plot", "x.png"],
            "--plot <FILE.svg>: expected a name ending in .svg, the only format, found x.png",
        ),
        (
            &["predict", "--model", "m", "--top", "0", "--out", "p.csv"],
            "--top <K>: expected an integer of at least 1, found 0",
        ),
        (
            &["fit", "--out", "m.npz"],
            "--out <MODEL.safetensors>: expected a name ending in .safetensors, the only format, found m.npz",
        ),
        (
            &["eval", "--data", "p.npz", "--out", "g.csv"],
            "--out <FILE.npz>: expected a name ending in .npz, the only format, found g.csv",
        ),
        (
            &["fit", "--validation", "20%", "--out", "m"],
            "--validation <FILE|FRACTION>: expected a file, or a fraction such as 0.2, found 20%",
        ),
        (&["compare", "p.npz"], "unexpected argument p.npz: a file of samples is given as --data p.npz"),
        (&["bench", "p.npz"], "unexpected argument p.npz"),
        (
            &["backends", "--format", "red\x1b[31m\n"],
            "--format <FORMAT>: expected one of table, json, found red\\u{1b}[31m\\n",
        ),
    ] {
        let line = refusal(args, folder.path());
        assert_eq!(line, format!("softmax: {expected} (try --help)\n"));
    }
    let line = refusal(&["compare", "--backends", "naive,ndarray", "--simd", "portable"], folder.path());
    assert_eq!(line, "softmax: --simd: expected the backend fused, found naive, ndarray\n");
    let line = refusal(&["fit", "--simd", "sse", "--out", "m"], folder.path());
    assert!(
        line.starts_with("softmax: --simd <LEVEL>: expected a level that this machine has, portable"),
        "{line}"
    );
    assert!(line.ends_with(", found sse (try --help)\n") && line.matches("found").count() == 1, "{line}");
    let line = refusal(&["compar"], Path::new("."));
    assert!(
        line.contains("expected a command: compare, eval,")
            && line.contains("found compar; did you mean compare?"),
        "{line}"
    );
}

#[test]
fn control_characters_of_file_names_are_escaped() {
    let folder = folder().0;
    let name = "red\x1b[31m.npz";
    std::fs::rename(folder.path().join("p.npz"), folder.path().join(name)).unwrap();
    let args = ["gradcheck", "--backend", "naive", "--data", name];
    assert!(refusal(&args, folder.path()).contains("red\\u{1b}[31m.npz: y: "));
    for command in ["compare", "gradcheck"] {
        let args = [command, "--backend", "naive", "--ignore-index", "-100", "--data", name];
        let text = success(&args, folder.path());
        assert!(text.contains("red\\u{1b}[31m.npz") && !text.contains('\x1b'), "{text}");
    }
}
