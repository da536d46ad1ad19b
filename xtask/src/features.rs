//! `cargo xtask features`: checks each crate by itself, with each of its features, and the fuzz targets' library.

use crate::cargo::{Extra, Extras, cargo, packages};
use anyhow::Context;
use clap::Args;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[derive(Debug, Args)]
pub(crate) struct FeaturesArgs {
    #[command(flatten)]
    extras: Extras,
}

/// The crates that must build without a C compiler.
const WITHOUT_C: [&str; 2] = ["softmax-core", "softmax-naive"];

#[derive(Deserialize)]
struct Package {
    name: String,
    features: BTreeMap<String, Vec<String>>,
}

impl Package {
    /// The features that affect this crate's own code. A feature that only enables one of another workspace crate is
    /// checked there, which saves builds of Burn.
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

pub(crate) fn run(FeaturesArgs { extras }: &FeaturesArgs) -> anyhow::Result<()> {
    extras.check()?;
    let missing = |name: &str| Extra::needed_by(name).is_some_and(|extra| !extras.can_build(extra));
    for package in packages::<Package>()?.iter().filter(|package| !missing(&package.name)) {
        let name = package.name.as_str();
        let alone: &[(&str, &str)] = if WITHOUT_C.contains(&name) { &[("CC", "false")] } else { &[] };
        cargo(&["check", "--release", "-p", name, "--no-default-features"], alone)?;
        for feature in package.own_features().filter(|feature| !missing(feature)) {
            // Without the default features, which all other builds have and which bring Burn into the program.
            cargo(
                &["check", "--release", "-p", name, "--no-default-features", "--features", feature],
                alone,
            )?;
        }
    }
    check_fuzz()?;
    extras.print_left_out(Extras::can_build);
    Ok(())
}

/// Checks the library of the fuzz targets, which is a workspace of its own. With the versions of this workspace, cargo
/// reuses what it compiled for the other crates.
fn check_fuzz() -> anyhow::Result<()> {
    let lock = Path::new("fuzz/Cargo.lock");
    if !lock.exists() {
        fs::copy("Cargo.lock", lock).context("fuzz/Cargo.lock")?;
    }
    // Nothing is linked, so libFuzzer is not compiled: its build script asks for no more than a path.
    let no_library = [("CUSTOM_LIBFUZZER_PATH", "/nowhere/libfuzzer.a")];
    let fuzz = ["--manifest-path", "fuzz/Cargo.toml", "--target-dir", "target", "--lib"];
    cargo(&[&["check", "--release"][..], &fuzz].concat(), &no_library)
}
