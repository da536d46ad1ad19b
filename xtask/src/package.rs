//! `cargo xtask package`: checks the metadata of each published crate, and packs the crates as for crates.io.

use crate::cargo::{cargo, packages};
use clap::Args;
use serde::Deserialize;

#[derive(Debug, Args)]
pub(crate) struct PackageArgs {}

#[derive(Deserialize)]
struct Package {
    name: String,
    /// The registries that the crate may be published to; `None` for any.
    publish: Option<Vec<String>>,
    description: Option<String>,
    documentation: Option<String>,
    license: Option<String>,
    readme: Option<String>,
    rust_version: Option<String>,
    keywords: Vec<String>,
    categories: Vec<String>,
}

impl Package {
    fn is_published(&self) -> bool {
        self.publish.as_ref().is_none_or(|registries| !registries.is_empty())
    }

    /// The required metadata that this crate lacks.
    fn missing(&self) -> Vec<&'static str> {
        let fields = [
            ("description", self.description.is_some()),
            ("documentation", self.documentation.is_some()),
            ("license", self.license.is_some()),
            ("readme", self.readme.is_some()),
            ("rust-version", self.rust_version.is_some()),
            ("keywords", !self.keywords.is_empty()),
            ("categories", !self.categories.is_empty()),
        ];
        fields.into_iter().filter(|(_, is_there)| !is_there).map(|(field, _)| field).collect()
    }
}

/// Packs the crates without building them, since other checks build them.
pub(crate) fn run(_args: &PackageArgs) -> anyhow::Result<()> {
    let mut published: Vec<Package> = packages()?;
    published.retain(Package::is_published);
    anyhow::ensure!(!published.is_empty(), "no package is published");
    for package in &published {
        let missing = package.missing();
        anyhow::ensure!(missing.is_empty(), "{}: expected {}", package.name, missing.join(", "));
    }
    let mut args = vec!["package", "--no-verify", "--allow-dirty"];
    args.extend(published.iter().flat_map(|package| ["-p", &package.name]));
    cargo(&args, &[])
}
