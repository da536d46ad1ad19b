//! Tests of the built program, run on its command line.

mod bits;
mod destinations;
mod documents;
mod external;
mod fit;
mod formats;
mod malformed;
mod memory;
#[cfg(feature = "mpi")]
mod processes;
mod tables;
mod usage;
mod verbs;

use ndarray::{Array0, Array1, Array2, Ix0, Ix1, Ix2, OwnedRepr, array};
use ndarray_npy::{NpzReader, NpzWriter};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The exit code and the output of a run.
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

/// A command that runs the program.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_softmax"));
    // Without this folder for its socket, Wayland's library prints warnings when a device is looked for.
    command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
    command
}

/// Runs the program in a folder.
fn softmax(args: &[&str], folder: &Path) -> Run {
    let output = program().args(args).current_dir(folder).output().unwrap();
    Run {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the program, asserts success with an empty standard error, and returns standard output.
fn success(args: &[&str], folder: &Path) -> String {
    let run = softmax(args, folder);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{}", run.out);
    run.out
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// Features, weights and labels of a small problem, in NumPy's default types.
struct Arrays {
    x: Array2<f64>,
    w: Array2<f64>,
    y: Array1<i64>,
}

fn arrays() -> Arrays {
    Arrays {
        x: array![[1.0, 0.0], [0.0, 2.0], [-1.0, 0.5]],
        w: array![[0.5, -0.5, 0.0], [0.1, 0.2, 0.3]],
        y: array![0, 2, -100],
    }
}

fn save(path: &Path, fill: impl FnOnce(&mut NpzWriter<File>)) {
    let mut npz = NpzWriter::new_compressed(File::create(path).unwrap());
    fill(&mut npz);
    npz.finish().unwrap();
}

fn save_all(path: &Path, arrays: &Arrays) {
    save(path, |npz| {
        npz.add_array("X", &arrays.x).unwrap();
        npz.add_array("W", &arrays.w).unwrap();
        npz.add_array("y", &arrays.y).unwrap();
    });
}

/// A folder with a problem `p.npz`, valid with `--ignore-index -100`, and the path of that file.
fn folder() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("p.npz");
    save_all(&path, &arrays());
    (folder, path)
}

/// Runs the program, asserts exit code 2 with one line on standard error and no output, and returns the line.
fn refusal(args: &[&str], folder: &Path) -> String {
    let run = softmax(args, folder);
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{}", run.err);
    assert_eq!(run.err.lines().count(), 1, "{}", run.err);
    assert!(!folder.join("g.npz").exists(), "an output file was left behind");
    run.err
}

#[test]
fn eval_writes_what_numpy_would_compute() {
    let (folder, _) = folder();
    let args = ["eval", "--backend", "naive", "--data", "p.npz", "--ignore-index", "-100", "--out", "g.npz"];
    let written = "g.npz: loss, dW, dX, db, sample_loss, lse, predicted, entropy, label_log_prob, label_rank";
    let said = success(&args, folder.path());
    let (line, said) = said.split_once('\n').unwrap();
    assert_eq!(said, format!("{written}\n"));
    let mut npz = NpzReader::new(File::open(folder.path().join("g.npz")).unwrap()).unwrap();
    let mut names = npz.names().unwrap();
    names.sort();
    let facts = ["entropy", "label_log_prob", "label_rank"];
    let mut expected = [&["dW", "dX", "db", "loss", "lse", "predicted", "sample_loss"][..], &facts].concat();
    expected.sort_unstable();
    assert_eq!(names, expected);
    // numpy.log(numpy.exp(X @ W).sum(1)) - (X @ W)[[0, 1], [0, 2]], and its mean.
    let loss: Array0<f64> = npz.by_name::<OwnedRepr<f64>, Ix0>("loss").unwrap();
    assert_eq!(line, format!("loss {loss}"));
    assert!((loss.into_scalar() - 0.796_085_551_632_967).abs() < 1e-14);
    let losses: Array1<f64> = npz.by_name::<OwnedRepr<f64>, Ix1>("sample_loss").unwrap();
    assert_eq!(losses[2], 0.0);
    let dw: Array2<f64> = npz.by_name::<OwnedRepr<f64>, Ix2>("dW").unwrap();
    assert!(dw.sum().abs() < 1e-15, "each row of the gradient sums to zero");
    let predicted: Array1<i64> = npz.by_name::<OwnedRepr<i64>, Ix1>("predicted").unwrap();
    assert_eq!(predicted.to_vec(), [0, 2, 1]);
    // The log-probability of a counted label is minus its loss. −100 is not a class, so it has no rank.
    let log_prob: Array1<f64> = npz.by_name::<OwnedRepr<f64>, Ix1>("label_log_prob").unwrap();
    assert!((log_prob[0] + losses[0]).abs() < 1e-15 && log_prob[2].is_nan());
    let rank: Array1<i64> = npz.by_name::<OwnedRepr<i64>, Ix1>("label_rank").unwrap();
    assert_eq!(rank.to_vec(), [0, 0, 3]);
}

#[test]
fn eval_writes_the_best_classes_if_it_is_told_how_many() {
    let (folder, _) = folder();
    let args = ["eval", "--backend", "naive", "--data", "p.npz", "--ignore-index", "-100", "--out", "g.npz"];
    let with_top = |top: &'static str| [&args[..], &["--top", top]].concat();
    assert!(success(&with_top("2"), folder.path()).ends_with("label_rank, top_classes, top_log_prob\n"));
    let mut npz = NpzReader::new(File::open(folder.path().join("g.npz")).unwrap()).unwrap();
    let classes: Array2<i64> = npz.by_name::<OwnedRepr<i64>, Ix2>("top_classes").unwrap();
    let predicted: Array1<i64> = npz.by_name::<OwnedRepr<i64>, Ix1>("predicted").unwrap();
    assert_eq!((classes.dim(), classes.column(0).to_vec()), ((3, 2), predicted.to_vec()));
    let log_prob: Array2<f64> = npz.by_name::<OwnedRepr<f64>, Ix2>("top_log_prob").unwrap();
    assert!(log_prob.rows().into_iter().all(|row| row[0] >= row[1] && row[1] < 0.0), "{log_prob}");
    std::fs::remove_file(folder.path().join("g.npz")).unwrap();
    let line = refusal(&with_top("4"), folder.path());
    assert_eq!(line, "softmax: --top 4: expected at most 3, the number of classes\n");
}

#[test]
fn bad_input_is_one_line_that_names_file_field_and_expectation() {
    let (folder, good) = folder();
    let at = |name: &str| folder.path().join(name);
    let Arrays { x, w, y } = arrays();
    save(&at("no-x.npz"), |npz| npz.add_array("W", &w).unwrap());
    save_all(&at("shape.npz"), &Arrays { w: Array2::zeros((5, 3)), y: array![0, 2, 1], ..arrays() });
    save_all(&at("label.npz"), &Arrays { y: array![0, 3, 1], ..arrays() });
    save_all(&at("negative.npz"), &Arrays { y: array![0, -1, 1], ..arrays() });
    save_all(&at("from-one.npz"), &Arrays { y: array![3, 1, 2], ..arrays() });
    save_all(&at("nan.npz"), &Arrays { x: array![[1.0, 0.0], [f64::NAN, 2.0], [0.0, 0.0]], ..arrays() });
    save(&at("text.npz"), |npz| {
        npz.add_array("X", &x).unwrap();
        npz.add_array("W", &w).unwrap();
        npz.add_array("y", &y.mapv(|y| y as f64)).unwrap();
    });
    fs::write(at("garbage.npz"), "not a zip").unwrap();
    let bytes = fs::read(&good).unwrap();
    fs::write(at("truncated.npz"), &bytes[..bytes.len() / 2]).unwrap();

    for (file, expected) in [
        ("no-x.npz", &["X", "an array of this name", "only W"][..]),
        ("shape.npz", &["W", "expected 2 rows, one for each feature, found 5 rows of 3"]),
        ("label.npz", &["y", "classes from 0 to 2", "3 at row 1\n"]),
        ("negative.npz", &["y", "classes from 0 to 2", "-1 at row 1; --ignore-index -1 leaves"]),
        ("p.npz", &["y", "-100 at row 2; --ignore-index -100 leaves such samples out"]),
        ("from-one.npz", &["y", "classes from 0 to 2", "3 at row 0; labels seem to start at 1"]),
        ("nan.npz", &["X", "finite", "NaN at row 1, column 0"]),
        ("text.npz", &["y", "integers", "f8"]),
        ("garbage.npz", &["npz"]),
        ("truncated.npz", &["npz"]),
        ("missing.npz", &["No such file"]),
    ] {
        let line = refusal(&["eval", "--backend", "naive", "--data", file, "--out", "g.npz"], folder.path());
        assert!(line.contains(file), "{line}");
        for part in expected {
            assert!(line.contains(part), "{part:?} is not in {line:?}");
        }
    }
}

#[test]
fn bad_usage_is_one_line() {
    let (folder, _) = folder();
    let eval = ["eval", "--data", "p.npz", "--ignore-index", "-100", "--out", "g.npz", "--backend"];
    let with = |more: &[&'static str]| [&eval[..], more].concat();
    let line = refusal(&with(&["nonsense"]), folder.path());
    assert!(line.contains("naive, ndarray, burn") && line.contains("nonsense"), "{line}");
    for (option, value, expected) in [
        ("--label-smoothing", "1.5", "softmax: --label-smoothing: expected a number from 0 to 1, found 1.5"),
        ("--softcap", "0", "softmax: --softcap: expected a finite number above 0, found 0"),
        ("--temperature", "-1", "softmax: --temperature: expected a finite number above 0, found -1"),
        ("--l2", "-0.5", "softmax: --l2: expected a finite number, at least 0, found -0.5"),
        ("--z-loss", "nan", "softmax: --z-loss: expected a finite number, at least 0, found NaN"),
        ("--reduction", "median", "--reduction"),
        ("--threads", "0", "--threads"),
    ] {
        let line = refusal(&with(&["naive", option, value]), folder.path());
        assert!(line.contains(expected), "{line}");
    }
    for shape in ["3x4", "3x4x0", "axbxc", "99999999999x99999999999x2"] {
        let line = refusal(&["compare", "--synthetic", shape], folder.path());
        assert!(line.contains("--synthetic"), "{line}");
    }
    // Numbers in the range of f64 but not of f32.
    for option in ["--temperature 1e-60", "--softcap 1e-60", "--l2 1e60", "--z-loss 1e60"] {
        let line = refusal(&words(&format!("compare --backends naive {option}")), folder.path());
        assert!(line.starts_with(&format!("softmax: {}: ", words(option)[0])), "{line}");
        assert!(line.contains("of the element type") || line.contains("in the element type"), "{line}");
        success(&words(&format!("compare --backends naive --repeat 1 {option} --dtype f64")), folder.path());
    }
    for seconds in ["0", "nan", "1e20", "soon"] {
        let line = refusal(&["compare", "--time-budget", seconds], folder.path());
        assert!(line.contains("--time-budget") && line.contains("seconds"), "{line}");
    }
    assert!(refusal(&["compare", "--nonsense"], folder.path()).contains("--nonsense"));
    let line = refusal(&[], folder.path());
    assert!(line.contains("compare, eval, verify") && !line.contains("workbench"), "{line}");
}

#[test]
fn a_stray_label_is_reported_as_classes_without_samples() {
    let folder = TempDir::new().unwrap();
    let compare = "compare --data t.csv --backends naive,ndarray --repeat 1 --threads 1";
    fs::write(folder.path().join("t.csv"), "1.5,2,0\n0.5,1,1\n").unwrap();
    let text = success(&words(compare), folder.path());
    assert!(text.contains("2 features × 2 classes, f32\n") && text.contains(", 1 thread; "), "{text}");
    fs::write(folder.path().join("t.csv"), "1.5,2,0\n0.5,1,1\n2,2,11\n").unwrap();
    let text = success(&words(compare), folder.path());
    assert!(text.contains("× 12 classes (9 of them without a sample), f32\n"), "{text}");
    let json = success(&words(&format!("{compare} --format json")), folder.path());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["problem"]["classes_without_samples"], 9);
}

#[test]
fn compare_agrees_on_the_digits_with_every_option() {
    let args = "compare --label-smoothing 0.1 --ignore-index 3 --reduction sum --l2 0.01 --z-loss 0.001 --softcap 5 \
                   --temperature 2 --dx --repeat 1 --format json --seed 5 --dtype f64";
    let json: serde_json::Value = serde_json::from_str(&success(&words(args), Path::new("."))).unwrap();
    assert_eq!(json["agree"], true);
    assert_eq!(json["problem"]["n"], 1797);
    let backends = json["backends"].as_array().unwrap();
    assert!(backends.len() >= 4);
    for backend in backends {
        assert!(backend["time"]["median_s"].as_f64().unwrap() > 0.0);
        assert!(backend["gradient_error"].as_f64().unwrap() < 1e-13);
        assert!(backend["extra_bytes"].as_u64().unwrap() > 0, "the allocator counts");
    }
}

#[test]
fn output_goes_to_a_file_whole() {
    let (folder, _) = folder();
    let args = "compare --data p.npz --ignore-index -100 --repeat 1 --format json --output r.json";
    assert_eq!(success(&words(args), folder.path()), "");
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path().join("r.json")).unwrap()).unwrap();
    assert_eq!(json["problem"]["source"], "p.npz");
}

#[test]
fn backends_lists_what_there_is_and_what_would_bring_the_rest() {
    let out = success(&["backends", "--format", "json"], Path::new("."));
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    let names: Vec<&str> =
        json["backends"].as_array().unwrap().iter().map(|b| b["name"].as_str().unwrap()).collect();
    for name in ["naive", "ndarray", "burn", "burn-autodiff", "fused"] {
        assert!(names.contains(&name), "{names:?}");
    }
    if cfg!(feature = "openblas") {
        assert!(names.contains(&"openblas"), "{names:?}");
    } else {
        assert_eq!(json["absent"][0]["name"], "openblas");
    }
    assert!(success(&["backends"], Path::new(".")).starts_with("backend"));
}
