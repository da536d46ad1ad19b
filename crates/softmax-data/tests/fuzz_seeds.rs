//! Reads the seeds and past findings of fuzzing as fuzz/src/lib.rs does. Each must give data or an error, and no panic.

#![forbid(unsafe_code)]

use softmax_core::Objective;
use softmax_data::{Dataset, Format, Preparation, ReadOptions, Result, Storage, read, read_weights};
use std::fs;
use std::path::{Path, PathBuf};

/// The seeds of one fuzz target.
fn seeds(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let seeds: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    assert!(!seeds.is_empty(), "{}: no seeds", folder.display());
    seeds
}

/// A file of two labels, for the formats with labels in another file.
fn labels() -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix("-ubyte").tempfile().unwrap();
    fs::write(file.path(), [0, 0, 8, 1, 0, 0, 0, 2, 0, 1]).unwrap();
    file
}

fn check(target: &str, format: Format) {
    let labels = labels();
    let labels = matches!(format, Format::Npy | Format::Idx).then(|| labels.path().to_owned());
    let mut read_through = 0;
    for seed in seeds(target) {
        for limit in [None, Some(2)] {
            let options =
                ReadOptions { format: Some(format), labels: labels.clone(), limit, ..ReadOptions::default() };
            let dataset: Result<Dataset<f32>> = read(&seed, &options);
            let Ok(dataset) = dataset else { continue };
            read_through += 1;
            let dataset = dataset.prepare(Preparation { standardize: true, bias_column: true });
            if let Ok(dataset) = dataset.with_weights(0, None) {
                let _ = dataset.problem(Objective::default());
            }
        }
    }
    assert!(read_through > 0, "{target}: every seed was refused");
}

#[test]
fn every_seed_of_a_reader_is_read_or_refused() {
    for (target, format) in [
        ("npz", Format::Npz),
        ("npy", Format::Npy),
        ("csv", Format::Csv),
        ("idx", Format::Idx),
        ("cifar10", Format::Cifar10),
        ("svmlight", Format::Svmlight),
        ("safetensors", Format::Safetensors),
    ] {
        check(target, format);
    }
}

#[test]
fn every_seed_of_weights_is_read_or_refused() {
    let is_read = |seed: &PathBuf| read_weights::<f64>(seed, Storage::Keep).is_ok();
    let read: Vec<bool> = seeds("weights").iter().map(is_read).collect();
    assert!(read.contains(&true), "every seed was refused");
}
