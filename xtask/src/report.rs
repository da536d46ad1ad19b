//! `cargo xtask report`: turns the records of measurements into a page of tables and figures.

use crate::{fits, libraries};
use anyhow::Context;
use clap::Args;
use softmax_record::report::Block;
use softmax_record::{read, report};
use std::fs;
use std::path::{Path, PathBuf};

/// The default file of the records of `cargo xtask bench`.
pub(crate) const RECORDS: &str = "target/bench/records.jsonl";

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// What `cargo xtask bench` or `softmax bench` wrote
    #[arg(long, value_name = "FILE", default_value = RECORDS)]
    records: PathBuf,
    /// Records of an earlier run, to say what has changed since
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Where report.html, report.md and its figures go [default: beside the records]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Replace the block between the markers of this file, such as README.md, by the table of problems
    #[arg(long, value_name = "FILE")]
    splice: Option<PathBuf>,
}

pub(crate) fn run(args: &ReportArgs) -> anyhow::Result<()> {
    let records = read(&args.records).context("run cargo xtask bench first")?;
    anyhow::ensure!(!records.is_empty(), "{}: expected records", args.records.display());
    let baseline = args.baseline.as_deref().map(read).transpose()?;
    let libraries = libraries::known()?;
    let page = report::page(&records, baseline.as_deref(), libraries.as_ref(), &fits::known()?)?;

    let folder = args.output.as_deref().or(args.records.parent()).unwrap_or(Path::new(""));
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for (name, text) in page.files() {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    println!("{}", folder.join("report.html").display());
    if let Some(path) = &args.splice {
        let this = format!("cargo xtask report --splice {}", path.display());
        let block = report::performance(&records, &this).unwrap_or_default();
        report::splice_file(path, Block::Performance, &block).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
