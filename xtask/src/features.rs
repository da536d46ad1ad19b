//! `cargo xtask features`: each crate by itself, with each of its features, and what the fuzz targets do.

use crate::cargo::{Extra, cargo, packages};
use clap::Args;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Args)]
pub(crate) struct FeaturesArgs {}

/// The crates that must do without a C compiler.
const WITHOUT_C: [&str; 2] = ["softmax-core", "softmax-naive"];

#[derive(Deserialize)]
struct Package {
    name: String,
    features: BTreeMap<String, Vec<String>>,
}

pub(crate) fn run(_args: &FeaturesArgs) -> anyhow::Result<()> {
    for package in &packages::<Package>()? {
        let name = package.name.as_str();
        if let Some(extra) = missing(name) {
            println!("left out: {name} (apt-get install {})", extra.packages());
            continue;
        }
        let alone: &[(&str, &str)] = if WITHOUT_C.contains(&name) { &[("CC", "false")] } else { &[] };
        cargo(&["check", "--release", "-p", name, "--no-default-features"], alone)?;
        for feature in package.features.keys().filter(|feature| *feature != "default") {
            if let Some(extra) = missing(feature) {
                println!("left out: {name}'s {feature} (apt-get install {})", extra.packages());
                continue;
            }
            cargo(&["check", "--release", "-p", name, "--features", feature], alone)?;
        }
    }
    // A workspace of its own, which nothing else builds but fuzzing.
    let fuzz = ["--manifest-path", "fuzz/Cargo.toml", "--target-dir", "target/fuzz", "--lib"];
    cargo(&[&["check", "--release"][..], &fuzz].concat(), &[])
}

/// What this machine lacks for a crate, or a feature, of this name.
fn missing(name: &str) -> Option<Extra> {
    Extra::needed_by(name).filter(|extra| !extra.is_here())
}
