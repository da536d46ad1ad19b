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

impl Package {
    /// The features of its own code. One that only passes on to a crate of the workspace is checked there, which spares Burn
    /// some builds.
    fn own_features(&self) -> impl Iterator<Item = &String> {
        let passes_on = |entry: &String| entry.starts_with("softmax") && entry.contains('/');
        let is_own = move |entries: &Vec<String>| {
            !entries.iter().any(passes_on)
                || entries.iter().any(|entry| !passes_on(entry) && !self.features.contains_key(entry))
        };
        self.features
            .iter()
            .filter(move |(name, entries)| *name != "default" && is_own(entries))
            .map(|(name, _)| name)
    }
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
        for feature in package.own_features() {
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
