//! `cargo xtask memcheck`: runs softmax-fused's tests under valgrind.

use crate::cargo::cargo;
use anyhow::Context;
use clap::Args;
use serde::Deserialize;
use std::path::PathBuf;
use std::process::Command;

#[derive(Debug, Args)]
pub(crate) struct MemcheckArgs {
    /// The conformance suite's cases with this in their names too, at every level; all of them take two hours
    #[arg(long, value_name = "TEXT", default_value = "sizes/")]
    filter: String,
}

/// Looks for accesses outside of allocations alone. No memory of softmax-fused is uninitialised, so there is nothing else
/// to find in it. And for safe code of other crates memcheck reports jumps on uninitialised values: the optimiser reads
/// the fields of an enum before its variant, for example where an `ndarray::CowArray` is dropped.
const ADDRESSES: &str = "--undef-value-errors=no";

/// A part of the name of the test over every f32.
const EXHAUSTIVE: &str = "every_f32";

/// A line of `cargo test --message-format json`.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
}

pub(crate) fn run(args: &MemcheckArgs) -> anyhow::Result<()> {
    let build = ["test", "--release", "-p", "softmax-fused", "--no-run"];
    cargo(&build, &[])?;
    let output = Command::new("cargo").args(build).args(["--message-format", "json"]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let tests: Vec<PathBuf> = messages.filter_map(|message| message.executable).collect();
    anyhow::ensure!(!tests.is_empty(), "expected tests of softmax-fused, found none");
    for test in tests {
        eprintln!("$ valgrind {}", test.display());
        let mut command = Command::new("valgrind");
        command.args(["--quiet", "--error-exitcode=9", ADDRESSES]).arg(&test).args(["--test-threads", "1"]);
        // The test over every f32 would take days under valgrind.
        command.args(["--skip", EXHAUSTIVE]).env("SOFTMAX_CONFORMANCE_FILTER", &args.filter);
        let status = command.status().context("valgrind (Debian: apt-get install valgrind)")?;
        anyhow::ensure!(status.success(), "{}: {status}", test.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    #[test]
    fn skipped_tests_exist() {
        let exp = include_str!("../../crates/softmax-fused/src/kernel/exp.rs");
        assert_eq!(exp.matches(&format!("fn {}", super::EXHAUSTIVE)).count(), 1);
    }

    /// Otherwise memcheck would have to look for it.
    #[test]
    fn no_memory_of_softmax_fused_is_uninitialised() {
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/softmax-fused/src")];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = fs::read_to_string(&path).unwrap();
                for word in ["MaybeUninit", "set_len", "assume_init", "::uninit", "alloc::alloc"] {
                    assert!(!text.contains(word), "{}: {word}", path.display());
                }
                files += 1;
            }
        }
        assert!(files > 30, "{files} files");
    }
}
