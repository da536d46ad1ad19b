//! The project's chores. `cargo xtask help` lists them.

#![forbid(unsafe_code)]

mod bench;
mod cargo;
mod doc;
mod documents;
mod environment;
mod features;
mod fits;
mod fuzz;
mod libraries;
mod lint;
mod memcheck;
mod mutants;
mod neon;
mod package;
mod python;
mod regress;
mod report;
mod soak;
mod test;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The project's chores")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every test that this machine can run, and list what was left out
    Test(test::TestArgs),
    /// Check the format, clippy and the documentation, with warnings as errors
    Lint(lint::LintArgs),
    /// Build the documentation of all crates
    Doc(doc::DocArgs),
    /// Time the backends side by side, and with --peers other libraries
    Bench(bench::BenchArgs),
    /// Make an HTML page of the measurements of bench
    Report(report::ReportArgs),
    /// Run other libraries through the conformance suite, which takes 40 minutes or more, and write docs/LIBRARIES.md
    Libraries(libraries::LibrariesArgs),
    /// Build the Python package, install it in a virtual environment, and run its tests there
    Python(python::PythonArgs),
    /// Train with each solver of softmax fit, for the figures of the report
    Fits(fits::FitsArgs),
    /// Count the instructions of the kernels, and fail if they have risen
    Regress(regress::RegressArgs),
    /// Evaluate random problems in a row, and check that memory does not grow
    Soak(soak::SoakArgs),
    /// Run valgrind over the kernels' tests
    Memcheck(memcheck::MemcheckArgs),
    /// Run the tests of softmax-fused on NEON, in an emulator
    Neon(neon::NeonArgs),
    /// Check that the conformance suite notices small changes of the backends' code
    Mutants(mutants::MutantsArgs),
    /// Run the fuzz targets
    Fuzz(fuzz::FuzzArgs),
    /// Check each crate by itself, with each of its features
    Features(features::FeaturesArgs),
    /// Pack each published crate, and check its metadata
    Package(package::PackageArgs),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Test(args) => test::run(&args),
        Command::Lint(args) => lint::run(&args),
        Command::Doc(args) => doc::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Libraries(args) => libraries::run(&args),
        Command::Fits(args) => fits::run(&args),
        Command::Python(args) => python::run_tests(&args),
        Command::Regress(args) => regress::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Memcheck(args) => memcheck::run(&args),
        Command::Neon(args) => neon::run(&args),
        Command::Mutants(args) => mutants::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Features(args) => features::run(&args),
        Command::Package(args) => package::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
