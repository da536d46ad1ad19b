//! Tests of every command and output format, as a person or a script uses them.

use super::{refusal, save, softmax, success, words};
use ndarray::array;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

fn here() -> &'static Path {
    Path::new(".")
}

const QUICK: &str = "compare --synthetic 40x12x5 --backends naive,ndarray,fused --repeat 2";

#[test]
fn csv_has_a_row_per_backend_and_one_number_of_fields() {
    let text = success(&words(&format!("{QUICK} --dx --format csv")), here());
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let records: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
    assert_eq!(records.len(), 3);
    let field = |record: &csv::StringRecord, name: &str| {
        record.get(header.iter().position(|h| h == name).unwrap()).unwrap().to_owned()
    };
    assert_eq!(field(&records[2], "backend"), "fused");
    for record in &records {
        assert_eq!(field(record, "agrees"), "yes");
        assert_eq!(field(record, "rounds"), "2");
        assert!(field(record, "median_s").parse::<f64>().unwrap() > 0.0);
        assert!(field(record, "dX_error").parse::<f64>().unwrap() < 1e-5);
        assert_eq!(field(record, "db_error"), "");
    }
}

#[test]
fn markdown_is_a_table() {
    // The singular `--backend`, which other commands use, is accepted too.
    let quick = QUICK.replace("--backends", "--backend");
    let text = success(&words(&format!("{quick} --format markdown")), here());
    let table: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(table.len(), 5, "{text}");
    assert!(table[1].chars().all(|c| "|- :".contains(c)), "{text}");
}

#[test]
fn the_table_fits_a_terminal_of_80_columns() {
    for args in [QUICK.to_owned(), "compare --repeat 1 --dx".to_owned()] {
        for line in success(&words(&args), here()).lines().filter(|line| !line.starts_with("reference")) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn json_has_each_outputs_error_and_speedups_are_relative_to_the_baseline() {
    let args = format!("{QUICK} --dx --format json --baseline ndarray");
    let json: serde_json::Value = serde_json::from_str(&success(&words(&args), here())).unwrap();
    let backends = json["backends"].as_array().unwrap();
    assert_eq!(backends[1]["speedup"], 1.0);
    for backend in backends {
        let errors = backend["errors"].as_object().unwrap();
        assert!(["loss", "dW", "dX"].iter().all(|name| errors.contains_key(*name)), "{errors:?}");
    }
    let line = refusal(&words(&format!("{QUICK} --baseline burn")), here());
    assert!(line.contains("--baseline") && line.contains("naive, ndarray, fused"), "{line}");
}

#[test]
fn the_plot_names_every_backend_and_follows_the_readers_theme() {
    let folder = TempDir::new().unwrap();
    success(&words(&format!("{QUICK} --plot p.svg")), folder.path());
    let svg = fs::read_to_string(folder.path().join("p.svg")).unwrap();
    for part in ["<svg", "<title>", "prefers-color-scheme: dark", "naive", "ndarray", "fused"] {
        assert!(svg.contains(part), "{part} is not in the picture");
    }
    // Each rule of the theme matches a colour that the picture uses, in the same notation.
    for color in
        ["fill=\"#FEFEFE\"", "fill=\"#1F2328\"", "fill=\"#6E7781\"", "fill=\"#0969DA\"", "stroke=\"#D8DEE4\""]
    {
        assert!(svg.matches(color).count() > 1, "{color}");
    }
    let line = refusal(&words(&format!("{QUICK} --plot p.png")), folder.path());
    assert!(line.contains("--plot") && line.contains(".svg") && line.contains("p.png"), "{line}");
}

#[test]
fn gradcheck_shows_the_worst_first() {
    for dtype in ["f32", "f64"] {
        let args =
            format!("gradcheck --backend ndarray --dx --samples 6 --dtype {dtype} --format json --limit 50");
        let json: serde_json::Value = serde_json::from_str(&success(&words(&args), here())).unwrap();
        assert_eq!(json["success"], true);
        let entries = json["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 6);
        let errors: Vec<f64> = entries.iter().map(|e| e["relative_error"].as_f64().unwrap()).collect();
        assert!(errors.is_sorted_by(|a, b| a >= b), "{errors:?}");
        assert!(entries.iter().any(|e| e["output"] == "dX") && entries.iter().any(|e| e["output"] == "dW"));
    }
    let args = "gradcheck --backend fused --samples 4 --limit 50 --tolerance 0 --standardize";
    let run = softmax(&words(args), here());
    assert_eq!(run.code, Some(1), "{}", run.out);
    assert!(run.out.contains("differ by more than"), "{}", run.out);
}

/// The error of an entry is relative to entries of features of the same scale.
#[test]
fn gradcheck_does_not_depend_on_the_scale_of_features() {
    let folder = TempDir::new().unwrap();
    let rows = |large: f64, small: f64| {
        let row = |k: usize| format!("{},{},{}\n", large * (k % 5) as f64, small * (k % 7) as f64, k / 4 % 3);
        (0..30).map(row).collect::<String>()
    };
    fs::write(folder.path().join("scales.csv"), rows(1e4, 1e-4)).unwrap();
    fs::write(folder.path().join("huge.csv"), rows(1e30, 1.0)).unwrap();
    let args = words("gradcheck --data scales.csv --samples 9 --format json");
    let json: serde_json::Value = serde_json::from_str(&success(&args, folder.path())).unwrap();
    let entries = json["entries"].as_array().unwrap();
    assert_eq!((entries.len(), &json["unresolved"]), (6, &0.into()));
    // The rounding of f32 shows in every entry. Relative to the largest of all, that of the small feature would not.
    let errors = entries.iter().map(|entry| entry["relative_error"].as_f64().unwrap());
    assert!(errors.clone().all(|error| error > 1e-11 && error < 1e-3), "{json}");
    let said = success(&words("gradcheck --data huge.csv"), folder.path());
    assert!(said.contains("All 3 entries agree to 1e-3.\n3 of 6 entries were left out: the loss"), "{said}");
}

#[test]
fn gradcheck_refuses_a_loss_that_is_not_finite() {
    let folder = TempDir::new().unwrap();
    save(&folder.path().join("p.npz"), |npz| {
        npz.add_array("X", &array![[1.0, 2.0], [3.0, 4.0]]).unwrap();
        npz.add_array("y", &array![0i64, 1]).unwrap();
        npz.add_array("sample_weight", &array![0.0, 0.0]).unwrap();
    });
    let line = refusal(&words("gradcheck --data p.npz"), folder.path());
    let expected = "p.npz: expected a problem whose loss is finite, found differences of NaN for dW";
    assert!(line.contains(expected), "{line}");
    // A masked class has no difference, and the loss is finite.
    save(&folder.path().join("masked.npz"), |npz| {
        npz.add_array("X", &array![[1.0, 2.0], [3.0, 4.0]]).unwrap();
        npz.add_array("W", &array![[0.1, 0.2, 0.3], [0.3, 0.1, 0.2]]).unwrap();
        npz.add_array("b", &array![0.0, 0.1, f64::NEG_INFINITY]).unwrap();
        npz.add_array("y", &array![0i64, 1]).unwrap();
    });
    let said = success(&words("gradcheck --dtype f64 --data masked.npz"), folder.path());
    assert!(said.contains("All 8 entries agree"), "{said}");
}

#[test]
fn bench_writes_a_line_per_problem_and_resumes_where_it_was_cut() {
    let folder = TempDir::new().unwrap();
    let args = "bench --shapes 20x6x4,30x6x80 --dtypes f32,f64 --backends naive,fused --threads 1,2 --repeat 1 \
                --output r.json";
    success(&words(args), folder.path());
    let path = folder.path().join("r.json");
    let whole = fs::read_to_string(&path).unwrap();
    let records: Vec<serde_json::Value> = whole.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(records.len(), 8);
    assert!(records.iter().all(|record| record["agree"] == true));
    assert_eq!(records[1]["problem"]["threads"], 2);

    let line = refusal(&words(args), folder.path());
    assert!(line.contains("r.json") && line.contains("--resume"), "{line}");
    assert_eq!(fs::read_to_string(&path).unwrap(), whole);

    // Cut in the middle of the third record.
    let kept: usize = whole.lines().take(2).map(|line| line.len() + 1).sum();
    fs::write(&path, &whole[..kept + 25]).unwrap();
    success(&words(&format!("{args} --resume")), folder.path());
    let resumed = fs::read_to_string(&path).unwrap();
    assert!(resumed.starts_with(&whole[..kept]));
    assert_eq!(resumed.lines().count(), 8);
    let said = success(&words(&format!("{args} --resume")), folder.path());
    assert_eq!(said, "r.json: kept 8 of the requested records.\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), resumed);

    // A kept record that disagrees still gives exit code 1.
    fs::write(&path, resumed.replacen("\"agree\":true", "\"agree\":false", 1)).unwrap();
    assert_eq!(softmax(&words(&format!("{args} --resume")), folder.path()).code, Some(1));

    // A refused command does not leave a file, which would be in the way of the corrected one.
    let line = refusal(&words("bench --shapes 99999999x999999x10 --output new.jsonl"), folder.path());
    assert!(line.contains("memory") && !folder.path().join("new.jsonl").exists(), "{line}");
    let line = refusal(&words(&args.replace("r.json", ".")), folder.path());
    assert!(line.contains("found a folder"), "{line}");

    fs::write(folder.path().join("letter.txt"), "Dear Sir,\nyours").unwrap();
    let line = refusal(&words(&args.replace("r.json", "letter.txt --resume")), folder.path());
    assert!(line.contains("letter.txt"), "{line}");
    assert_eq!(fs::read_to_string(folder.path().join("letter.txt")).unwrap(), "Dear Sir,\nyours");
}

#[test]
fn isolated_backends_are_judged_and_timed_and_a_missing_library_is_skipped() {
    let folder = TempDir::new().unwrap();
    let args = "bench --shapes 20x6x4 --backends naive,fused --threads 1 --dx --repeat 2 --peers no/such/python \
                --output r.jsonl";
    let table = success(&words(args), folder.path());
    assert!(
        table.contains("\nfloor: ") && table.contains("numpy was skipped: could not start no/such/python"),
        "{table}"
    );
    let text = fs::read_to_string(folder.path().join("r.jsonl")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&record["agree"], &record["asked"]["isolated"]), (&true.into(), &true.into()));
    assert_eq!(record["command"], format!("softmax {}", words(args).join(" ")));
    let backends = record["backends"].as_array().unwrap();
    assert_eq!(backends.len(), 2);
    for backend in backends {
        assert_eq!(backend["time"]["rounds"], 2);
        assert!(backend["errors"]["dX"].as_f64().unwrap() < 1e-5);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "files of the processes were left behind");

    // The same problem measured in one process is a different record.
    let args = args.replace(" --peers no/such/python", "");
    success(&words(&format!("{args} --resume")), folder.path());
    assert_eq!(fs::read_to_string(folder.path().join("r.jsonl")).unwrap().lines().count(), 2);
    let line = refusal(&words("bench --sweeps --shapes 3x4x5 --output new.jsonl"), folder.path());
    assert!(line.contains("--sweeps") && line.contains("--shapes"), "{line}");
}

#[cfg(target_os = "linux")] // On other systems the program does not know how much memory is free.
#[test]
fn a_problem_that_no_memory_holds_is_refused() {
    let line = refusal(&words("compare --synthetic 10000000x100000x10"), here());
    assert!(line.contains("10000000x100000x10") && line.contains("memory"), "{line}");
}

#[test]
fn completions_and_manual_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = success(&["completions", shell], here());
        assert!(script.contains("gradcheck") && script.contains("label-smoothing"), "{shell}");
    }
    assert!(success(&["man"], here()).contains("gradcheck"));
    assert!(success(&["man", "compare"], here()).contains("softmax\\-compare"));
    assert!(refusal(&["man", "nonsense"], here()).contains("compare"));
}

#[test]
fn color_follows_the_flag_and_the_terminal() {
    let escapes = |args: &str, variables: &[(&str, &str)]| {
        let mut command = super::program();
        let output = command.args(words(args)).envs(variables.iter().copied()).output().unwrap();
        String::from_utf8(output.stdout).unwrap().contains('\x1b')
    };
    for args in ["backends", "--help", QUICK] {
        assert!(!escapes(args, &[]), "{args}: a pipe has no colours");
        assert!(escapes(&format!("{args} --color always"), &[]), "{args}");
        assert!(!escapes(&format!("{args} --color never"), &[("CLICOLOR_FORCE", "1")]), "{args}");
        assert!(!escapes(args, &[("NO_COLOR", "1")]), "{args}");
    }
    let line = refusal(&["backends", "--color", "mauve"], here());
    assert!(line.contains("--color") && line.contains("mauve"), "{line}");
}

#[test]
fn every_verb_has_help_with_an_example() {
    for verb in ["compare", "eval", "verify", "gradcheck", "backends", "bench", "completions", "man"] {
        let help = success(&[verb, "--help"], here());
        assert!(help.contains(&format!("Example: softmax {verb}")), "{help}");
    }
}

#[test]
fn a_closed_pipe_is_not_a_failure() {
    let program = env!("CARGO_BIN_EXE_softmax");
    let output = Command::new("sh")
        .args(["-c", &format!("'{program}' {QUICK} | head -1 && '{program}' completions bash | head -1")])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 2);
}

#[cfg(target_os = "linux")] // Its `env` can set signals.
#[test]
fn an_interruption_leaves_what_was_measured() {
    let args = "compare --synthetic 4000x200x50 --backends naive,fused --time-budget 600 --format json";
    let rounds_after = |seconds: u64| {
        // Through `env`, so that the tests can themselves run under `nohup`.
        let child = Command::new("env")
            .args(["--default-signal=HUP", env!("CARGO_BIN_EXE_softmax")])
            .args(words(args))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_secs(seconds));
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        json["backends"][1]["time"]["rounds"].as_u64()
    };
    // Interrupts long before the end, but after the checks, which take longer on a busy machine.
    assert!([3, 15, 60].into_iter().any(|seconds| rounds_after(seconds) > Some(1)));
}

/// Sends signals while the program writes its output file.
#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_eval_leaves_no_file() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    // The input is not compressed, so that most of the time goes into writing the output, which has the same size.
    let mut npz = ndarray_npy::NpzWriter::new(fs::File::create(at("p.npz")).unwrap());
    npz.add_array("X", &ndarray::Array2::<f32>::zeros((1, 3000))).unwrap();
    npz.add_array("W", &ndarray::Array2::<f32>::zeros((3000, 5000))).unwrap();
    npz.add_array("y", &ndarray::Array1::<i64>::zeros(1)).unwrap();
    npz.finish().unwrap();
    let files = || fs::read_dir(folder.path()).unwrap().count();
    // Whether the signal came while the folder had a second file, which is the temporary one.
    let interrupted_by = |signal: &str| {
        // Through `env`, so that the tests can themselves run under `nohup`.
        let mut child = Command::new("env")
            .args(["--default-signal=HUP", env!("CARGO_BIN_EXE_softmax")])
            .args(words("eval --backend fused --data p.npz --out g.npz --threads 1"))
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while files() == 1 && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        Command::new("kill").args([signal, &child.id().to_string()]).stderr(Stdio::null()).status().unwrap();
        let code = child.wait().unwrap().code();
        let is_whole = fs::remove_file(at("g.npz")).is_ok();
        assert_eq!(files(), 1, "{signal}: {:?}", fs::read_dir(folder.path()));
        assert!(matches!(code, Some(0 | 130)), "{signal}: {code:?}");
        code == Some(130) && !is_whole
    };
    for signal in ["-INT", "-TERM"] {
        assert!((0..30).any(|_| interrupted_by(signal)), "{signal} never came in time");
    }
}

#[test]
fn two_benches_do_not_write_to_one_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("r.jsonl");
    let args = words("bench --shapes 20x6x4,30x6x8 --backends naive --repeat 1 --output r.jsonl --resume");
    let (journal, _) = softmax_record::Journal::resume(&path).unwrap();
    let line = refusal(&args, folder.path());
    assert!(line.contains("r.jsonl: expected a file that no other process writes"), "{line}");
    drop(journal);
    let run = || super::program().args(&args).current_dir(folder.path()).output().unwrap();
    let codes: Vec<Option<i32>> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        all.into_iter().map(|one| one.join().unwrap().status.code()).collect()
    });
    assert!(codes.contains(&Some(0)) && codes.iter().all(|code| matches!(code, Some(0 | 2))), "{codes:?}");
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
}

#[test]
fn a_filter_that_admits_no_case_is_refused_with_the_kinds_of_cases() {
    for text in ["nosuch", "roperties/"] {
        let line = super::refusal(&["verify", "--backends", "naive", "--filter", text], here());
        let expected =
            format!("softmax: --filter {text}: expected the beginning of a word in the names of cases");
        assert!(line.starts_with(&expected) && line.contains("closed, ") && line.contains("ties"), "{line}");
    }
}

#[test]
fn an_absurd_number_of_threads_in_the_environment_is_refused() {
    for args in ["backends", QUICK, "verify --filter none"] {
        let mut command = super::program();
        let output = command.args(words(args)).env("RAYON_NUM_THREADS", "100000").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let expected = "softmax: RAYON_NUM_THREADS: expected a number from 1 to 1024, found 100000\n";
        assert_eq!((output.status.code(), said.as_str()), (Some(2), expected), "{args}");
    }
}

/// Output to a device without space, and to a folder in which no file can be created.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_and_an_unwritable_folder_are_errors_of_one_line() {
    let (folder, _) = super::folder();
    let eval = |out: &str| {
        refusal(
            &words(&format!("eval --backend naive --data p.npz --ignore-index -100 --out {out}")),
            folder.path(),
        )
    };
    let line = eval("/dev/full");
    assert!(line.contains("/dev/full: No space left"), "{line}");
    let line = eval("/proc/g.npz");
    assert!(line.ends_with("/proc/g.npz: No such file or directory (os error 2)\n"), "{line}");

    for args in [QUICK, "--help", "--version", "compare -h", "man", "completions fish", "backends"] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = super::program();
        let output = command.args(words(args)).stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{args}: {said}");
        assert!(said.contains("No space left"), "{args}: {said}");
    }
}

#[test]
fn two_passes_agree_with_the_oracle_and_with_differences() {
    let args = format!("{QUICK} --dx --pass two --shards 3 --label-smoothing 0.1 --l2 0.1 --format json");
    let json: serde_json::Value = serde_json::from_str(&success(&words(&args), here())).unwrap();
    assert_eq!(json["agree"], true);
    assert_eq!(json["problem"]["shards"], 3);
    assert_eq!(json["backends"].as_array().unwrap().len(), 3);
    let args = "gradcheck --pass two --samples 6 --dtype f64 --limit 50 --softcap 5 --dx";
    assert!(success(&words(args), here()).contains("fused"));
}

#[test]
fn shards_are_refused_in_one_pass() {
    let error = refusal(&words("compare --synthetic 4x3x2 --shards 2"), here());
    assert!(error.contains("--shards: expected --pass two"), "{error}");
}
