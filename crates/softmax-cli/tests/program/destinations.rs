//! Tests that results never overwrite an input, and are written completely or not at all.

use super::{arrays, folder, refusal, save_all, success, words};
use std::fs;

const EVAL: &str = "eval --backend naive --ignore-index -100 --data p.npz";
const COMPARE: &str = "compare --backends naive --repeat 1 --ignore-index -100 --data p.npz";

#[cfg(unix)]
#[test]
fn a_file_that_is_read_is_never_written() {
    use std::os::unix::fs::symlink;
    let (folder, path) = folder();
    let at = |name: &str| folder.path().join(name);
    fs::hard_link(&path, at("hard.npz")).unwrap();
    symlink("p.npz", at("soft.svg")).unwrap();
    symlink("p.npz", at("soft.npz")).unwrap();
    fs::create_dir(at("inner")).unwrap();
    save_all(&at("w.npz"), &arrays());
    fs::write(at("y.npy"), b"anything").unwrap();
    fs::write(at("t-images-idx3-ubyte"), b"anything").unwrap();
    fs::write(at("t-labels-idx1-ubyte"), b"anything").unwrap();
    fs::create_dir(at("cifar")).unwrap();
    fs::write(at("cifar/data_batch_3.bin"), b"anything").unwrap();
    let before = |name: &str| fs::read(at(name)).unwrap();
    for (args, input, flags) in [
        (format!("{EVAL} --out p.npz"), "p.npz", ["--out", "--data"]),
        (format!("{EVAL} --out ./inner/../p.npz"), "p.npz", ["--out", "--data"]),
        (format!("{EVAL} --out hard.npz"), "p.npz", ["--out", "--data"]),
        (format!("{EVAL} --out soft.npz"), "p.npz", ["--out", "--data"]),
        (format!("{COMPARE} --output p.npz"), "p.npz", ["--output", "--data"]),
        (format!("{COMPARE} --plot soft.svg"), "p.npz", ["--plot", "--data"]),
        (format!("{COMPARE} --weights w.npz --output w.npz"), "w.npz", ["--output", "--weights"]),
        (format!("{COMPARE} --labels y.npy --output y.npy"), "y.npy", ["--output", "--labels"]),
        (
            "compare --data t-images-idx3-ubyte --output t-labels-idx1-ubyte".to_owned(),
            "t-labels-idx1-ubyte",
            ["--output", "--data"],
        ),
        (
            "compare --data cifar --output cifar/data_batch_3.bin".to_owned(),
            "cifar/data_batch_3.bin",
            ["--output", "--data"],
        ),
    ] {
        let content = before(input);
        let line = refusal(&words(&args), folder.path());
        assert!(flags.iter().all(|flag| line.contains(flag)), "{args}: {line}");
        assert!(line.contains("expected a file of its own"), "{args}: {line}");
        assert_eq!(before(input), content, "{args}");
    }
    assert!(at("soft.svg").is_symlink() && at("soft.npz").is_symlink());

    // Two results with the same file, which does not exist in the first round and does in the second.
    for new in [true, false] {
        let line = refusal(&words(&format!("{COMPARE} --output r.svg --plot ./r.svg")), folder.path());
        assert!(line.contains("--output") && line.contains("--plot"), "{line}");
        assert_eq!(at("r.svg").exists(), !new);
        fs::write(at("r.svg"), "").unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_no_file_yet_is_written_through() {
    let (folder, _) = folder();
    std::os::unix::fs::symlink("new.json", folder.path().join("link.json")).unwrap();
    success(&words(&format!("{COMPARE} --format json --output link.json")), folder.path());
    assert!(folder.path().join("link.json").is_symlink());
    let written = fs::read(folder.path().join("new.json")).unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&written).is_ok());
}

#[test]
fn a_folder_that_is_not_there_is_named_before_any_work() {
    let (folder, _) = folder();
    for args in [
        format!("{EVAL} --data missing.npz --out no/such/g.npz").replace("--data p.npz ", ""),
        format!("{COMPARE} --output no/such/r.json"),
        format!("{COMPARE} --plot no/such/r.svg"),
        "bench --shapes 3x4x5 --output no/such/r.jsonl".to_owned(),
    ] {
        let line = refusal(&words(&args), folder.path());
        let flag = words(&args)[words(&args).len() - 2];
        assert!(line.starts_with(&format!("softmax: {flag}: no/such/")), "{line}");
        assert!(line.ends_with("found no folder no/such\n"), "{line}");
    }
    let line = refusal(&words(&format!("{COMPARE} --output .")), folder.path());
    assert!(line.contains("found a folder"), "{line}");
}
