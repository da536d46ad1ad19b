//! Tests of `fit` and `predict`.

use super::formats::idx;
use super::{refusal, save, softmax, success, words};
use ndarray::{Array1, Array2, Ix1, Ix2, OwnedRepr};
use ndarray_npy::NpzReader;
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::Value;
use softmax_data::TargetStore;
use std::fs::{self, File};
use std::path::Path;
use tempfile::TempDir;

/// The digits, with intensities from 0 to 16.
fn digits() -> (Array2<u8>, Array1<i64>) {
    let dataset = softmax_data::digits::<f64>();
    let TargetStore::Labels(labels) = dataset.targets else { panic!("the digits have a label each") };
    (dataset.features.into_dense().mapv(|x| (x * 16.0) as u8), labels)
}

const NAMES: [&str; 10] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine, the last"];

fn table(x: &Array2<u8>, label: impl Fn(usize) -> Option<String>) -> String {
    let row =
        |i: usize| x.row(i).iter().map(u8::to_string).chain(label(i)).collect::<Vec<_>>().join(",") + "\n";
    (0..x.nrows()).map(row).collect()
}

/// Writes the digits in several formats.
fn write_digits(folder: &Path) {
    let at = |name: &str| folder.join(name);
    let (x, y) = digits();
    let n = x.nrows();
    fs::write(at("train.csv"), table(&x, |i| Some(format!("\"{}\"", NAMES[y[i] as usize])))).unwrap();
    fs::write(at("new.csv"), table(&x, |_| None)).unwrap();
    fs::write(at("t-images-idx3-ubyte"), idx(&[n as u32, 8, 8], x.iter().copied())).unwrap();
    fs::write(at("t-labels-idx1-ubyte"), idx(&[n as u32], y.iter().map(|&y| y as u8))).unwrap();
    let line = |i: usize| {
        let entries = x.row(i).into_iter().enumerate().filter(|(_, x)| **x > 0);
        let entries: Vec<String> = entries.map(|(k, x)| format!("{}:{x}", k + 1)).collect();
        format!("{} {}\n", y[i], entries.join(" "))
    };
    fs::write(at("d.svm"), (0..n).map(line).collect::<String>()).unwrap();
    let brains: Vec<u8> = x.iter().flat_map(|&x| half::bf16::from_f64(f64::from(x)).to_le_bytes()).collect();
    let labels: Vec<u8> = y.iter().flat_map(|y| y.to_le_bytes()).collect();
    let tensors = [
        ("X", TensorView::new(Dtype::BF16, vec![n, 64], &brains).unwrap()),
        ("y", TensorView::new(Dtype::I64, vec![n], &labels).unwrap()),
    ];
    fs::write(at("bf16.safetensors"), serialize(tensors, None).unwrap()).unwrap();
}

fn json(args: &str, folder: &Path) -> Value {
    serde_json::from_str(&success(&words(args), folder)).unwrap()
}

#[test]
fn each_format_gives_a_model_that_predicts() {
    let folder = TempDir::new().unwrap();
    write_digits(folder.path());
    for data in ["train.csv", "t-images-idx3-ubyte", "d.svm", "bf16.safetensors"] {
        let fitted =
            json(&format!("fit --data {data} --l2 1e-2 --format json --out m.safetensors"), folder.path());
        assert_eq!(
            (&fitted["converged"], &fitted["solver"]),
            (&Value::Bool(true), &"lbfgs".into()),
            "{data}"
        );
        assert!(fitted["gradient_max"].as_f64().unwrap() <= 1e-4, "{data}");
        let accuracy = fitted["train_accuracy"].as_f64().unwrap();
        assert!(accuracy > 0.99, "{data}: {accuracy}");
        for key in ["loss", "iterations", "evaluations", "seconds"] {
            assert!(fitted[key].is_number(), "{key}");
        }
        assert!(fitted["validation_accuracy"].is_null());
        let curve = fitted["curve"].as_array().unwrap();
        assert_eq!(curve.last().unwrap()["gradient_max"], fitted["gradient_max"]);
        assert_eq!((&curve[0]["iteration"], &curve[0]["evaluations"]), (&0.into(), &1.into()));
        let args = format!("predict --model m.safetensors --data {data} --top 3 --out p.csv");
        let said = success(&words(&args), folder.path());
        let right = (accuracy * 1797.0).round();
        assert!(said.starts_with(&format!("{data}: {right} of 1797 right")), "{said}");
        let mut reader = csv::Reader::from_path(folder.path().join("p.csv")).unwrap();
        let header = reader.headers().unwrap().iter().collect::<Vec<_>>().join(" ");
        assert_eq!(header, "predicted class_1 log_prob_1 class_2 log_prob_2 class_3 log_prob_3");
        let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows.len(), 1797);
        // The labels of the first five digits are 0, 1, 2, 3 and 4.
        let expected =
            if data == "train.csv" { NAMES } else { ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"] };
        assert!(
            rows.iter().zip(expected).take(5).all(|(row, name)| &row[0] == name && &row[1] == name),
            "{data}"
        );
    }
}

#[test]
fn samples_without_labels_are_classified() {
    let folder = TempDir::new().unwrap();
    write_digits(folder.path());
    success(&words("fit --data train.csv --l2 1e-2 --standardize --out m.safetensors"), folder.path());
    success(&words("predict --model m.safetensors --data train.csv --out a.csv"), folder.path());
    let said = success(&words("predict --model m.safetensors --data new.csv --out b.csv"), folder.path());
    assert_eq!(said, "b.csv: 1797 predictions\n");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("a.csv"), read("b.csv"));
    save(&folder.path().join("new.npz"), |npz| npz.add_array("X", &digits().0).unwrap());
    let args = words("predict --model m.safetensors --data new.npz --top 2 --probabilities --out p.npz");
    success(&args, folder.path());
    let mut npz = NpzReader::new(File::open(folder.path().join("p.npz")).unwrap()).unwrap();
    let predicted: Array1<i64> = npz.by_name::<OwnedRepr<i64>, Ix1>("predicted").unwrap();
    let top: Array2<i64> = npz.by_name::<OwnedRepr<i64>, Ix2>("top_classes").unwrap();
    let log_prob: Array2<f32> = npz.by_name::<OwnedRepr<f32>, Ix2>("top_log_prob").unwrap();
    assert_eq!((top.dim(), log_prob.dim()), ((1797, 2), (1797, 2)));
    assert_eq!(predicted, top.column(0));
    let p: Array2<f32> = npz.by_name::<OwnedRepr<f32>, Ix2>("probabilities").unwrap();
    assert_eq!(p.dim(), (1797, 10));
    let best = |i: usize, k: usize| p[[i, top[[i, k]] as usize]];
    assert!((0..1797).all(|i| (0..2).all(|k| best(i, k) == log_prob[[i, k]].exp())));
}

#[test]
fn labels_of_minus_and_plus_one_keep_their_names() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("two.svm"), "-1 1:1 2:2\n+1 1:2\n-1 2:1\n").unwrap();
    fs::write(folder.path().join("one.svm"), "1 1:2\n").unwrap();
    success(&words("fit --data two.svm --l2 1e-3 --out m.safetensors"), folder.path());
    success(&words("predict --model m.safetensors --data two.svm --out p.csv"), folder.path());
    assert_eq!(fs::read_to_string(folder.path().join("p.csv")).unwrap(), "predicted\n-1\n1\n-1\n");
    let said = success(&words("predict --model m.safetensors --data one.svm --out p.csv"), folder.path());
    assert!(said.starts_with("one.svm: 1 of 1 right"), "{said}");
}

/// The weights of a class of n of 12 samples are 12/(2·n), as if they came from a file.
#[test]
fn balanced_classes_count_the_same() {
    let folder = TempDir::new().unwrap();
    let labels = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1];
    let row = |(k, label): (usize, &usize)| format!("{},{label}\n", (k * 7) % 12 + 4 * label);
    fs::write(folder.path().join("rare.csv"), labels.iter().enumerate().map(row).collect::<String>())
        .unwrap();
    let x = Array2::from_shape_fn((12, 1), |(k, _)| ((k * 7) % 12 + 4 * labels[k]) as f32);
    save(&folder.path().join("rare.npz"), |file| {
        file.add_array("X", &x).unwrap();
        file.add_array("y", &Array1::from_iter(labels.map(|label| label as i64))).unwrap();
        file.add_array("class_weight", &Array1::from_vec(vec![12.0f32 / 18.0, 2.0])).unwrap();
    });
    let fit =
        |args: &str| json(&format!("fit {args} --l2 1e-2 --format json --out m.safetensors"), folder.path());
    let balanced = fit("--data rare.csv --class-weights balanced");
    assert_eq!(balanced["loss"], fit("--data rare.npz")["loss"]);
    assert_ne!(balanced["loss"], fit("--data rare.csv")["loss"]);
    let args = words("fit --data rare.npz --class-weights balanced --out n.safetensors");
    let line = refusal(&args, folder.path());
    assert!(line.ends_with("expected labels, and no class weights, found class_weight\n"), "{line}");
}

#[test]
fn a_fraction_that_is_held_out_is_not_trained_on() {
    let folder = TempDir::new().unwrap();
    let fit =
        |more: &str| json(&format!("fit --l2 1e-4 --format json --out m.safetensors {more}"), folder.path());
    let (whole, part) = (fit(""), fit("--validation 0.3"));
    assert_ne!(whole["loss"], part["loss"]);
    let accuracy = part["validation_accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.9 && accuracy < part["train_accuracy"].as_f64().unwrap(), "{part}");
    assert_eq!(part["loss"], fit("--validation 0.3 --seed 0")["loss"]);
    assert_ne!(part["loss"], fit("--validation 0.3 --seed 1")["loss"]);
    write_digits(folder.path());
    let of_file = fit("--data train.csv --validation train.csv");
    assert_eq!(of_file["train_accuracy"], of_file["validation_accuracy"]);
    assert!(
        refusal(&words("fit --validation 0.0001 --out m2"), folder.path()).contains("--validation 0.0001")
    );
    assert!(
        refusal(&words("fit --validation 1.5 --out m2"), folder.path())
            .contains("a fraction between 0 and 1")
    );
}

#[test]
fn a_model_is_written_only_where_nothing_else_is() {
    let folder = TempDir::new().unwrap();
    write_digits(folder.path());
    let before = fs::read(folder.path().join("train.csv")).unwrap();
    fs::write(folder.path().join("v-images-idx3-ubyte"), super::formats::idx(&[1, 64], [0; 64])).unwrap();
    fs::write(folder.path().join("v-labels-idx1-ubyte"), super::formats::idx(&[1], [0])).unwrap();
    fs::hard_link(folder.path().join("train.csv"), folder.path().join("train.safetensors")).unwrap();
    for args in [
        "fit --data train.csv --out train.safetensors",
        "fit --validation train.csv --out train.safetensors",
        "fit --validation v-images-idx3-ubyte --out v-labels-idx1-ubyte",
        "fit --out m --plot m",
        "predict --model train.csv --out train.csv",
    ] {
        assert!(refusal(&words(args), folder.path()).contains("expected a file of its own"), "{args}");
    }
    assert_eq!(fs::read(folder.path().join("train.csv")).unwrap(), before);
}

#[test]
fn mistakes_of_fit_and_predict_are_one_line() {
    let folder = TempDir::new().unwrap();
    write_digits(folder.path());
    success(&words("fit --out m.safetensors"), folder.path());
    fs::write(folder.path().join("three.csv"), "1,2,0\n3,4,1\n").unwrap();
    fs::write(folder.path().join("far.svm"), "1 2000000000:1\n0 2:1\n").unwrap();
    for (args, expected) in [
        ("fit --out m2 --solver sgd", "one of auto, lbfgs, newton-cg, newton-cholesky"),
        ("fit --out m2 --tolerance -1", "--tolerance"),
        ("fit --out m2 --max-iterations 0", "--max-iterations"),
        ("fit --out m2 --l2 -1", "--l2"),
        ("fit --out m2 --backend none", "expected one of"),
        (
            "fit --out m2 --softcap 3 --solver newton-cholesky",
            "--solver newton-cholesky: expected a loss that is convex",
        ),
        ("fit --out nowhere/m2", "nowhere"),
        ("fit", "--out"),
        ("fit --data far.svm --out m2", "far.svm: expected a model that can be fitted in memory"),
        ("fit --out m2 --plot nowhere/curve.svg", "nowhere"),
        ("predict --model three.csv --out p.csv", "three.csv: expected a model as softmax fit writes it"),
        ("predict --model m.safetensors --data bf16.safetensors --out p.txt", ".csv or .npz"),
        (
            "predict --model m.safetensors --data three.csv --out p.csv",
            "expected 64 features, as the model has, found 2",
        ),
        ("predict --model m.safetensors --top 11 --out p.csv", "at most 10, the number of classes"),
        ("predict --model none.safetensors --out p.csv", "none.safetensors"),
    ] {
        let line = refusal(&words(args), folder.path());
        assert!(line.contains(expected), "{args}: {line}");
    }
    assert!(!folder.path().join("m2").exists() && !folder.path().join("p.csv").exists());
}

/// These faults are found although the training data have no class, which is found next.
#[test]
fn validation_samples_are_judged_before_the_fit() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("none.csv"), "1,2,-1\n3,4,-1\n").unwrap();
    fs::write(at("wide.csv"), "1,2,3,0\n").unwrap();
    ndarray_npy::write_npy(at("x.npy"), &Array2::<f32>::zeros((2, 2))).unwrap();
    save(&at("soft.npz"), |npz| {
        npz.add_array("X", &Array2::<f32>::zeros((2, 2))).unwrap();
        npz.add_array("Y", &Array2::<f32>::ones((2, 2))).unwrap();
    });
    for (args, expected) in [
        ("none.csv --validation typo.csv", "--validation: typo.csv: No such file"),
        (
            "none.csv --validation wide.csv",
            "--validation: wide.csv: expected 2 features, as the model has, found 3",
        ),
        ("none.csv --validation x.npy", "--validation: x.npy: expected samples with labels, found none"),
        ("none.csv --validation soft.npz", "--validation: soft.npz: expected labels, found soft targets"),
        ("soft.npz --validation 0.5", "--validation: soft.npz: expected labels, found soft targets"),
    ] {
        let line = refusal(&words(&format!("fit --ignore-index -1 --out m --data {args}")), folder.path());
        assert!(line.contains(expected), "{args}: {line}");
    }
}

#[cfg(unix)]
#[test]
fn a_model_and_predictions_go_through_a_pipe_alone() {
    let folder = TempDir::new().unwrap();
    std::os::unix::fs::symlink("/dev/stdout", folder.path().join("out.csv")).unwrap();
    let piped = |args: &str| {
        let output = super::program().args(words(args)).current_dir(folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args}");
        (output.stdout, String::from_utf8(output.stderr).unwrap())
    };
    let (said, warned) = piped("fit --l2 1e-3 --out /dev/null");
    assert!(
        String::from_utf8(said).unwrap().contains("accuracy in training") && warned.is_empty(),
        "{warned}"
    );
    let (model, said) = piped("fit --l2 1e-3 --out /dev/stdout");
    assert!(said.contains("accuracy in training"), "{said}");
    fs::write(folder.path().join("m.safetensors"), model).unwrap();
    let (table, said) = piped("predict --model m.safetensors --out out.csv");
    assert_eq!(String::from_utf8(table).unwrap().lines().count(), 1 + 1797);
    assert!(said.contains(" of 1797 right"), "{said}");
}

#[test]
fn a_solver_and_its_limits_are_chosen() {
    let folder = TempDir::new().unwrap();
    let fit =
        |more: &str| json(&format!("fit --l2 1e-3 --dtype f64 --format json --out m {more}"), folder.path());
    let losses: Vec<f64> = ["lbfgs", "newton-cg", "newton-cholesky"]
        .into_iter()
        .map(|solver| {
            let fitted = fit(&format!("--solver {solver} --tolerance 1e-8"));
            assert_eq!((&fitted["solver"], &fitted["converged"]), (&solver.into(), &true.into()));
            fitted["loss"].as_f64().unwrap()
        })
        .collect();
    assert!(losses.iter().all(|loss| (loss - losses[0]).abs() < 1e-11), "{losses:?}");
    let stopped = fit("--max-iterations 2");
    assert_eq!((&stopped["converged"], &stopped["iterations"]), (&false.into(), &2.into()));
    assert_eq!(stopped["stopped"], "the limit of iterations is reached");
    fit("--no-bias --plot curve.svg");
    let plot = fs::read_to_string(folder.path().join("curve.svg")).unwrap();
    assert!(plot.contains("<svg") && plot.contains("gradient"));
}

#[test]
fn a_table_of_scipy_stays_sparse() {
    let folder = TempDir::new().unwrap();
    // [[0, 2, 0, 0], [1, 0, 0, 3], [0, 0, 0, 0]]. The second row is stored with its columns out of order.
    let matrix = |format: &[u8]| {
        let format = Array1::from(format.to_vec());
        save(&folder.path().join("s.npz"), |npz| {
            npz.add_array("indices", &Array1::from(vec![1i32, 3, 0])).unwrap();
            npz.add_array("indptr", &Array1::from(vec![0i32, 1, 3, 3])).unwrap();
            npz.add_array("data", &Array1::from(vec![2.0, 3.0, 1.0])).unwrap();
            npz.add_array("shape", &Array1::from(vec![3i64, 4])).unwrap();
            npz.add_array("format", &format).unwrap();
            npz.add_array("sample_weight", &Array1::from(vec![1.0, 5.0, 2.0])).unwrap();
        });
    };
    matrix(b"csr");
    save(&folder.path().join("dense.npz"), |npz| {
        let x = ndarray::array![[0.0, 2.0, 0.0, 0.0], [1.0, 0.0, 0.0, 3.0], [0.0, 0.0, 0.0, 0.0]];
        npz.add_array("X", &x).unwrap();
        npz.add_array("y", &Array1::from(vec![0i64, 1, 0])).unwrap();
        npz.add_array("sample_weight", &Array1::from(vec![1.0, 5.0, 2.0])).unwrap();
    });
    ndarray_npy::write_npy(folder.path().join("y.npy"), &Array1::from(vec![0i64, 1, 0])).unwrap();
    let loss = |data: &str| {
        let args = format!("fit --data {data} --l2 0.1 --dtype f64 --tolerance 1e-10 --format json --out m");
        json(&args, folder.path())["loss"].as_f64().unwrap()
    };
    assert!((loss("s.npz --labels y.npy") - loss("dense.npz")).abs() < 1e-14);
    assert!(refusal(&words("fit --data s.npz --out m2"), folder.path()).contains("--labels"));
    matrix(b"csc");
    let line = refusal(&words("fit --data s.npz --labels y.npy --out m2"), folder.path());
    assert!(line.contains("expected compressed sparse rows (csr)"), "{line}");
}

/// Waits until a process catches SIGINT, as Linux reports it, and a little longer. A busy machine takes seconds to
/// start one.
fn wait_until_it_listens(process: u32) {
    let pause = |milliseconds| std::thread::sleep(std::time::Duration::from_millis(milliseconds));
    for _ in 0..300 {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        if caught.is_some_and(|mask| mask & 0b10 != 0) {
            break;
        }
        pause(100);
    }
    pause(300);
}

#[test]
fn an_interruption_leaves_the_model_of_that_moment() {
    let folder = TempDir::new().unwrap();
    let mut x = Array2::<f32>::zeros((4000, 600));
    x.indexed_iter_mut().for_each(|((i, k), x)| *x = ((i * 31 + k * 17 + i * k) % 101) as f32 - 50.0);
    save(&folder.path().join("d.npz"), |npz| {
        npz.add_array("X", &x).unwrap();
        npz.add_array("y", &Array1::from_shape_fn(4000, |i| (i * i % 97) as i64)).unwrap();
    });
    let mut command = super::program();
    // On one thread and in f64, rounding errors stop the solver only after five seconds.
    let args = "fit --data d.npz --dtype f64 --threads 1 --tolerance 0 --max-iterations 1000000 --format json --out m.safetensors";
    command.args(words(args)).current_dir(folder.path());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let interrupted_after = |seconds: u64| {
        let child = command.spawn().unwrap();
        wait_until_it_listens(child.id());
        std::thread::sleep(std::time::Duration::from_secs(seconds));
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130));
        output
    };
    // Before the first iteration there is no model, and an older one stays. A busy machine takes seconds to get there.
    let is_early = |output: &std::process::Output| {
        let early = String::from_utf8_lossy(&output.stderr).contains("no model is written");
        assert_eq!(folder.path().join("m.safetensors").exists(), !early);
        early
    };
    let output = [0, 1, 3, 10].into_iter().map(interrupted_after).find(|output| !is_early(output));
    let output = output.expect("an interruption after an iteration");
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&printed["converged"], &printed["stopped"]), (&false.into(), &"interrupted".into()));
    let run = softmax(&words("predict --model m.safetensors --data d.npz --out p.csv"), folder.path());
    assert_eq!(run.code, Some(0), "{}", run.err);
}
