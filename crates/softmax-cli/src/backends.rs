//! `softmax backends`: what this build and this machine can run.

use crate::args::{BackendsArgs, Format};
use crate::json::write_json;
use crate::machine;
use crate::verdict::Verdict;
use serde::Serialize;
use softmax::{Entry, Registry, Setup};
use softmax_record::{Palette, Table};
use std::io::Write;

#[derive(Debug, Serialize)]
struct Listing {
    backends: Vec<Available>,
    absent: Vec<Missing>,
}

#[derive(Debug, Serialize)]
struct Available {
    name: String,
    device: String,
    simd: String,
    threads: usize,
    deterministic: bool,
}

#[derive(Debug, Serialize)]
struct Missing {
    name: &'static str,
    remedy: &'static str,
}

pub(crate) fn run(
    args: &BackendsArgs,
    registry: &Registry,
    palette: Palette,
    out: &mut dyn Write,
) -> anyhow::Result<Verdict> {
    let setup = Setup { threads: Some(machine::set_threads(None)?), ..Setup::default() };
    let available = |entry: &Entry| {
        let descriptor = entry.make::<f32>(setup).descriptor();
        Available {
            name: descriptor.name.into_owned(),
            device: descriptor.device.into_owned(),
            simd: descriptor.simd.into_owned(),
            threads: descriptor.threads,
            deterministic: descriptor.deterministic,
        }
    };
    let listing = Listing {
        backends: registry.entries().map(available).collect(),
        absent: registry.absent().map(|a| Missing { name: a.name, remedy: a.remedy }).collect(),
    };
    match args.format {
        Format::Json => write_json(&listing, out)?,
        Format::Table => write_table(&listing, palette, out)?,
    }
    Ok(Verdict::AllAgree)
}

fn write_table(listing: &Listing, palette: Palette, out: &mut dyn Write) -> anyhow::Result<()> {
    let columns = Table::new().words(["backend", "device", "SIMD"]);
    let mut table = columns.numbers(["threads"]).words(["deterministic"]);
    for backend in &listing.backends {
        let deterministic = if backend.deterministic { "yes" } else { "no" };
        let threads = backend.threads.to_string();
        table.row([&backend.name, &backend.device, &backend.simd, &threads, deterministic]);
    }
    writeln!(out, "{}", table.text(palette))?;
    for absent in &listing.absent {
        writeln!(out, "\n{} is not available: {}", absent.name, absent.remedy)?;
    }
    Ok(())
}
