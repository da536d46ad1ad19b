//! Tests of external backends: this program, which serves its own backends, and programs that violate the protocol.

use super::{arrays, refusal, save_all, softmax, success, words};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// The value of `--external` for a backend of this program in another process, named `there`.
fn served(backend: &str) -> String {
    format!("there={} workbench serve --backend {backend}", env!("CARGO_BIN_EXE_softmax"))
}

/// The words of `args`, with an external backend.
fn with<'a>(args: &'a str, external: &'a str) -> Vec<&'a str> {
    [words(args), vec!["--external", external]].concat()
}

/// The temporary folders of external backends whose parent program has ended.
fn left_behind() -> Vec<String> {
    let folders = [Path::new("/dev/shm").to_owned(), std::env::temp_dir()];
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let program = |name: &str| Some(name.strip_prefix("softmax-external-")?.split('-').next()?.to_owned());
    let has_ended = |name: &String| program(name).is_some_and(|id| !Path::new("/proc").join(id).exists());
    names.filter(has_ended).collect()
}

#[test]
fn an_external_backend_is_compared_beside_others() {
    let (folder, external) = (TempDir::new().unwrap(), served("naive"));
    let table =
        success(&with("compare --backends fused --repeat 2 --synthetic 30x7x5", &external), folder.path());
    assert!(table.contains("\nthere ") && table.contains("Without transfers: there "), "{table}");
    assert!(table.ends_with("All 2 backends agree with the reference.\n"), "{table}");
    let json = success(&with("compare --backends fused --repeat 2 --format json", &external), folder.path());
    let comparison: serde_json::Value = serde_json::from_str(&json).unwrap();
    let there = &comparison["backends"][1];
    assert_eq!((&there["name"], &there["extra_bytes"]), (&"there".into(), &serde_json::Value::Null));
    assert!(there["version"].as_str().unwrap().starts_with("softmax "));
    assert!(there["device_s"].as_f64().unwrap() <= there["time"]["median_s"].as_f64().unwrap());
}

#[test]
fn an_evaluation_elsewhere_has_the_bytes_of_one_here() {
    let (folder, external) = (TempDir::new().unwrap(), served("fused"));
    save_all(&folder.path().join("p.npz"), &arrays());
    for dtype in ["f32", "f64"] {
        let options = format!("--data p.npz --dtype {dtype} --softcap 3 --ignore-index -100 --top 2");
        success(&words(&format!("eval --backend fused {options} --out here.npz")), folder.path());
        success(&with(&format!("eval {options} --out there.npz"), &external), folder.path());
        let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
        assert_eq!(read("here.npz"), read("there.npz"), "{dtype}");
    }
}

#[test]
fn an_external_backend_is_put_to_the_suite_and_to_differences_and_is_timed() {
    let (folder, external) = (TempDir::new().unwrap(), served("ndarray"));
    let table = success(&with("verify --filter closed/", &external), folder.path());
    assert!(table.contains("\nthere    f32") && !table.contains("fused"), "{table}");
    success(&with("verify --problems 3", &external), folder.path());
    success(&with("gradcheck --samples 6 --dtype f64 --dx", &external), folder.path());
    for isolate in ["", "--isolate"] {
        let args =
            format!("bench --shapes 9x5x4 --backends naive --repeat 2 {isolate} --output r{isolate}.jsonl");
        success(&with(&args, &external), folder.path());
        let record = fs::read_to_string(folder.path().join(format!("r{isolate}.jsonl"))).unwrap();
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        let names: Vec<_> = record["backends"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        assert_eq!(names, ["naive", "there"]);
        assert_eq!(record["backends"][1]["time"]["rounds"], 2);
    }
}

#[test]
fn a_process_that_fails_costs_a_line_and_exit_code_1() {
    let (folder, before) = (TempDir::new().unwrap(), left_behind());
    // Ends at once; prints nothing; prints something else; does not exist.
    for (command, message) in [
        ("mine=false", "the process ended with exit status: 1"),
        ("mine=sleep 100", "gave no answer within 0.5 s"),
        ("mine=echo welcome", "expected a first line of JSON"),
        ("mine=/no/such/program", "could not start /no/such/program"),
    ] {
        let timeout = "--external-timeout 0.5";
        let run = softmax(&with(&format!("verify --filter closed/ {timeout}"), command), folder.path());
        assert_eq!((run.code, run.err.as_str()), (Some(1), ""), "{command}");
        let lines: Vec<&str> = run.out.lines().filter(|line| line.contains("FAILED")).collect();
        assert!(lines.len() == 2 && lines.iter().all(|line| line.contains(message)), "{}", run.out);

        let args = format!("compare --backends naive --synthetic 5x4x3 --repeat 1 {timeout}");
        let run = softmax(&with(&args, command), folder.path());
        assert_eq!((run.code, run.err.as_str()), (Some(1), ""), "{command}");
        assert!(run.out.contains("1 of 2 backends disagree: mine."), "{}", run.out);
        assert_eq!(run.out.lines().filter(|line| line.contains(message)).count(), 1, "{}", run.out);

        save_all(&folder.path().join("p.npz"), &arrays());
        for args in ["eval --data p.npz --ignore-index -100 --out a.npz", "gradcheck --synthetic 5x4x3"] {
            let run = softmax(&with(&format!("{args} {timeout}"), command), folder.path());
            assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{args}");
            assert!(run.err.contains(message) && run.err.lines().count() == 1, "{}", run.err);
        }
        assert!(!folder.path().join("a.npz").exists());
    }
    if cfg!(target_os = "linux") {
        assert_eq!(left_behind(), before);
    }
}

#[test]
fn a_taken_name_and_a_missing_command_are_refused() {
    let folder = TempDir::new().unwrap();
    for (external, message) in [
        ("fused=true", "--external fused: expected a name that no other backend has"),
        ("mine", "--external"),
        ("=true", "--external"),
        ("mine=", "expected NAME=COMMAND with a command"),
    ] {
        let line = refusal(&with("compare --synthetic 5x4x3", external), folder.path());
        assert!(line.contains(message), "{line}");
    }
}
