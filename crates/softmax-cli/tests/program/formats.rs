//! Tests that the same samples give the same loss in every input format.

use super::{refusal, save, success, words};
use flate2::{Compression, write::GzEncoder};
use ndarray::{Array1, Array2, ShapeBuilder};
use ndarray_npy::WriteNpyExt;
use safetensors::tensor::{Dtype, TensorView, serialize};
use softmax_data::{Preparation, TargetStore};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use tempfile::TempDir;

const SAMPLES: usize = 60;
const PIXELS: usize = 64;

/// The first [`SAMPLES`] of the digits, with intensities from 0 to 16.
fn digits() -> (Array2<u8>, Array1<i64>) {
    let dataset = softmax_data::digits::<f64>().limit(SAMPLES);
    let TargetStore::Labels(labels) = dataset.targets else { panic!("the digits have a label each") };
    (dataset.features.into_dense().mapv(|x| (x * 16.0) as u8), labels)
}

fn gzip(path: &Path) {
    let bytes = fs::read(path).unwrap();
    let gz = path.with_file_name(format!("{}.gz", path.file_name().unwrap().to_str().unwrap()));
    let mut encoder = GzEncoder::new(File::create(gz).unwrap(), Compression::default());
    encoder.write_all(&bytes).unwrap();
    encoder.finish().unwrap();
}

/// N, D, C and the oracle's loss.
fn problem(args: &str, folder: &Path) -> (u64, u64, u64, f64) {
    problem_of("f64", args, folder)
}

fn problem_of(dtype: &str, args: &str, folder: &Path) -> (u64, u64, u64, f64) {
    let args = format!("compare --backends naive,fused --repeat 1 --dtype {dtype} --format json {args}");
    let json: serde_json::Value = serde_json::from_str(&success(&words(&args), folder)).unwrap();
    assert_eq!(json["agree"], true);
    let size = |name: &str| json["problem"][name].as_u64().unwrap();
    (size("n"), size("d"), size("c"), json["reference"]["loss"].as_f64().unwrap())
}

/// The bytes of an IDX file with entries of unsigned bytes.
pub(super) fn idx(sizes: &[u32], entries: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sizes.len() as u8];
    sizes.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
    bytes.extend(entries);
    bytes
}

#[test]
fn every_format_gives_the_same_problem() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (x, y) = digits();
    let row =
        |i: usize, separator: &str| x.row(i).iter().map(u8::to_string).collect::<Vec<_>>().join(separator);

    save(&at("d.npz"), |npz| {
        npz.add_array("X", &x).unwrap();
        npz.add_array("y", &y).unwrap();
    });
    x.mapv(|x| x as f32).write_npy(File::create(at("x.npy")).unwrap()).unwrap();
    y.mapv(|y| y as u16).write_npy(File::create(at("y.npy")).unwrap()).unwrap();
    save(&at("features.npz"), |npz| npz.add_array("X", &x).unwrap());
    let features: String = (0..SAMPLES).map(|i| row(i, ",") + "\n").collect();
    fs::write(at("features.csv"), features).unwrap();
    let plain: String = (0..SAMPLES).map(|i| format!("{},{}\n", row(i, ","), y[i])).collect();
    fs::write(at("plain.csv"), &plain).unwrap();
    gzip(&at("plain.csv"));
    let names: Vec<String> = (0..PIXELS).map(|k| format!("pixel{k}")).collect();
    let header = format!("Label;{}\n", names.join(";"));
    let rows: String = (0..SAMPLES).map(|i| format!("{};{}\n", y[i], row(i, ";"))).collect();
    fs::write(at("header.csv"), header + &rows).unwrap();
    let first: String = (0..SAMPLES).map(|i| format!("{}\t{}\n", y[i], row(i, "\t"))).collect();
    fs::write(at("first.tsv"), first).unwrap();
    let named: String = (0..SAMPLES).map(|i| format!("{},digit-{}\n", row(i, ","), y[i])).collect();
    fs::write(at("named.csv"), named).unwrap();
    fs::write(at("t-images-idx3-ubyte"), idx(&[SAMPLES as u32, 8, 8], x.iter().copied())).unwrap();
    fs::write(at("t-labels-idx1-ubyte"), idx(&[SAMPLES as u32], y.iter().map(|&y| y as u8))).unwrap();
    gzip(&at("t-images-idx3-ubyte"));
    let text: String = (0..SAMPLES)
        .map(|i| {
            let entries = x.row(i).into_iter().enumerate().filter(|(k, x)| **x > 0 || *k == PIXELS - 1);
            let entries: Vec<String> = entries.map(|(k, x)| format!("{}:{x}", k + 1)).collect();
            format!("{} {} # sample {i}\n", y[i], entries.join(" "))
        })
        .collect();
    fs::write(at("d.svm"), text).unwrap();
    let halves: Vec<u8> = x.iter().flat_map(|&x| half::f16::from_f64(f64::from(x)).to_le_bytes()).collect();
    let brains: Vec<u8> = x.iter().flat_map(|&x| half::bf16::from_f64(f64::from(x)).to_le_bytes()).collect();
    let labels: Vec<u8> = y.iter().flat_map(|y| y.to_le_bytes()).collect();
    for (name, dtype, entries) in [("f16", Dtype::F16, &halves), ("bf16", Dtype::BF16, &brains)] {
        let tensors = [
            ("X", TensorView::new(dtype, vec![SAMPLES, PIXELS], entries).unwrap()),
            ("y", TensorView::new(Dtype::I64, vec![SAMPLES], &labels).unwrap()),
        ];
        fs::write(at(&format!("{name}.safetensors")), serialize(tensors, None).unwrap()).unwrap();
    }

    // The memory-mapped X is not the last tensor: class_weight has the same type and comes after it.
    let singles: Vec<u8> = x.iter().flat_map(|&x| f32::from(x).to_le_bytes()).collect();
    let ones = 1.0f32.to_le_bytes().repeat(10);
    let tensors = [
        ("X", TensorView::new(Dtype::F32, vec![SAMPLES, PIXELS], &singles).unwrap()),
        ("class_weight", TensorView::new(Dtype::F32, vec![10], &ones).unwrap()),
        ("y", TensorView::new(Dtype::I64, vec![SAMPLES], &labels).unwrap()),
    ];
    fs::write(at("f32.safetensors"), serialize(tensors, None).unwrap()).unwrap();
    let single = problem_of("f32", "--data f32.safetensors", folder.path());
    assert_eq!(single, problem_of("f32", "--data d.npz", folder.path()));

    let expected = problem("--data d.npz", folder.path());
    assert_eq!((expected.0, expected.1, expected.2), (60, 64, 10));
    for args in [
        "--data x.npy --labels y.npy",
        "--data plain.csv",
        "--data plain.csv.gz",
        "--data plain.csv --label-column 64",
        "--data plain.csv --label-column -1",
        "--data header.csv",
        "--data header.csv --label-column label",
        "--data first.tsv --label-column 0",
        "--data named.csv",
        "--data t-images-idx3-ubyte",
        "--data t-images-idx3-ubyte.gz --labels t-labels-idx1-ubyte",
        "--data t-images-idx3-ubyte --data-format idx --labels y.npy",
        "--data features.csv --labels y.npy",
        "--data header.csv --labels y.npy",
        "--data features.npz --labels y.npy",
        "--data d.svm",
        "--data f16.safetensors",
        "--data bf16.safetensors",
    ] {
        assert_eq!(problem(args, folder.path()), expected, "{args}");
    }
    assert_eq!(problem("--data plain.csv --limit 20", folder.path()).0, 20);
    // X in column-major order, memory-mapped (f64) and converted (f32).
    let mut by_columns = Array2::zeros((SAMPLES, PIXELS).f());
    by_columns.assign(&x.mapv(f64::from));
    by_columns.write_npy(File::create(at("columns.npy")).unwrap()).unwrap();
    by_columns.mapv(|x| x as f32).write_npy(File::create(at("columns32.npy")).unwrap()).unwrap();
    for file in ["columns.npy", "columns32.npy"] {
        assert_eq!(problem(&format!("--data {file} --labels y.npy"), folder.path()), expected);
        assert_eq!(
            problem(&format!("--data {file} --labels y.npy --limit 20"), folder.path()),
            problem("--data d.npz --limit 20", folder.path())
        );
    }
    assert_eq!(
        problem("--data d.npz --limit 20", folder.path()),
        problem("--data d.svm --limit 20", folder.path())
    );
}

#[test]
fn cifar_batches_are_read_one_or_all() {
    let folder = TempDir::new().unwrap();
    let record = |label: u8| {
        std::iter::once(label).chain((0..3072u32).map(move |k| (k * 7 + u32::from(label) * 31) as u8))
    };
    for batch in 1..=2 {
        let bytes: Vec<u8> = (0..5).flat_map(|k| record(k * 2 + batch - 1)).collect();
        fs::write(folder.path().join(format!("data_batch_{batch}.bin")), bytes).unwrap();
    }
    let (n, d, c, _) = problem("--data data_batch_1.bin --bias-column --standardize", folder.path());
    assert_eq!((n, d, c), (5, 3073, 9));
    let (n, d, c, _) = problem("--data .", folder.path());
    assert_eq!((n, d, c), (10, 3072, 10));
    for (batch, expected) in [(vec![11; 3073], "data_batch_2.bin: label of record 0"), (vec![], "found none")]
    {
        fs::write(folder.path().join("data_batch_2.bin"), batch).unwrap();
        let line = refusal(&words("compare --data ."), folder.path());
        assert!(line.contains("data_batch_2.bin") && line.contains(expected), "{line}");
    }
}

#[test]
fn binary_labels_of_svmlight_are_two_classes() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.svm"), "+1 1:0.5 3:1\n-1 2:0.25\n+1 3:2\n").unwrap();
    let (n, d, c, _) = problem("--data a.svm", folder.path());
    assert_eq!((n, d, c), (3, 3, 2));
}

#[test]
fn standardized_features_have_mean_0_and_deviation_1_and_the_bias_column_is_1() {
    let preparation = Preparation { standardize: true, bias_column: true };
    let features = softmax_data::digits::<f64>().prepare(preparation).features.into_dense();
    for column in features.columns().into_iter().take(PIXELS) {
        let variance = column.mapv(|x| x * x).sum() / 1797.0;
        assert!(column.sum().abs() / 1797.0 < 1e-14);
        // Some pixels are 0 in all samples.
        assert!((variance - 1.0).abs() < 1e-12 || variance == 0.0, "{variance}");
    }
    assert!(features.column(PIXELS).iter().all(|&x| x == 1.0));
}

#[test]
fn weights_of_a_pytorch_layer_are_turned() {
    let folder = TempDir::new().unwrap();
    let weight: Vec<u8> = (0..640u32).flat_map(|k| (k as f32 * 1e-3).to_le_bytes()).collect();
    let bias: Vec<u8> = (0..10u32).flat_map(|k| (k as f32).to_le_bytes()).collect();
    let tensors = [
        ("weight", TensorView::new(Dtype::F32, vec![10, 64], &weight).unwrap()),
        ("bias", TensorView::new(Dtype::F32, vec![10], &bias).unwrap()),
    ];
    fs::write(folder.path().join("layer.safetensors"), serialize(tensors, None).unwrap()).unwrap();
    let w = Array2::from_shape_fn((64, 10), |(k, c)| (c * 64 + k) as f32 * 1e-3);
    save(&folder.path().join("layer.npz"), |npz| {
        npz.add_array("W", &w).unwrap();
        npz.add_array("b", &Array1::from_iter((0..10u8).map(f32::from))).unwrap();
    });
    let of = |file: &str| problem(&format!("--weights {file}"), folder.path());
    assert_eq!(of("layer.safetensors"), of("layer.npz"));
}
