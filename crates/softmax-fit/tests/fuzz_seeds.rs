//! The seeds of the fuzz target `model` are models: a seed that is refused gives the fuzzer nothing to start from.

#![forbid(unsafe_code)]

use softmax_fit::Model;
use std::fs;
use std::path::Path;

#[test]
fn every_seed_is_a_model() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/model");
    let seeds: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!seeds.is_empty(), "no seeds");
    for seed in seeds {
        assert!(Model::<f32>::load(&seed).is_ok(), "{} is not a model", seed.display());
    }
}
