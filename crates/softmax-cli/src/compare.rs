//! `softmax compare`: checks every backend against the oracle, then times those that agree side by side.

use crate::args::{CompareArgs, CompareFormat};
use crate::externals::Externals;
use crate::json::write_json;
use crate::side_by_side::{self, Plan};
use crate::source::Source;
use crate::verdict::Verdict;
use crate::{destinations, flags, interrupt, machine};
use anyhow::Context;
use softmax::{BackendElement, Dtype, Entry, Registry};
use softmax_data::write_atomically;
use softmax_record::{Comparison, Palette, plot};
use std::io::{self, Write};

pub(crate) fn run(
    args: &CompareArgs,
    registry: &Registry,
    palette: Palette,
    out: &mut dyn Write,
) -> anyhow::Result<Verdict> {
    destinations::check_compare(args)?;
    let (externals, registry) = Externals::add(&args.external, registry)?;
    let entries = registry.select(&externals.beside(&args.backends))?;
    if let Some(name) = args.baseline.as_deref().filter(|name| !entries.iter().any(|e| e.name() == *name)) {
        let names: Vec<&str> = entries.iter().map(|entry| entry.name()).collect();
        anyhow::bail!(
            "--baseline: expected one of the backends compared, {}, found {name}",
            names.join(", ")
        );
    }
    flags::check_simd(args.simd, &entries)?;
    let mut comparison = match args.problem.dtype {
        Dtype::F32 => load_and_compare::<f32>(args, &entries)?,
        Dtype::F64 => load_and_compare::<f64>(args, &entries)?,
    };
    externals.describe(&mut comparison);
    if let Some(path) = &args.plot {
        let picture = plot::comparison(&comparison).context("--plot")?;
        write_atomically(path, |file| file.write_all(picture.as_bytes()))?;
    }
    match &args.output {
        None => write(&comparison, args.format, palette, out)?,
        Some(path) => {
            write_atomically(path, |mut file| write(&comparison, args.format, Palette::PLAIN, &mut file))?;
        }
    }
    Ok(match comparison.agree {
        _ if interrupt::requested() => Verdict::Interrupted,
        true => Verdict::AllAgree,
        false => Verdict::Disagreement,
    })
}

fn load_and_compare<T: BackendElement>(args: &CompareArgs, entries: &[&Entry]) -> anyhow::Result<Comparison> {
    let source = Source::<T>::load(&args.problem, &args.objective)?;
    let threads = machine::set_threads(args.threads)?;
    interrupt::listen();
    let plan = Plan {
        dx: args.dx,
        timing: &args.timing,
        baseline: args.baseline.as_deref(),
        threads,
        shards: args.passes.shards()?,
        simd: args.simd,
    };
    side_by_side::compare(&source, entries, &plan)
}

fn write(
    comparison: &Comparison,
    format: CompareFormat,
    palette: Palette,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        CompareFormat::Table => out.write_all(comparison.text(palette).as_bytes()),
        CompareFormat::Json => write_json(comparison, out),
        CompareFormat::Csv => out.write_all(&comparison.csv().csv().map_err(io::Error::other)?),
        CompareFormat::Markdown => out.write_all(comparison.markdown().as_bytes()),
    }
}
