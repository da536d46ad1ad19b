//! `softmax bench`: comparisons over shapes, element types and numbers of threads, a line of JSON each, written as soon
//! as it is known.

use crate::args::{BenchArgs, DtypeArg, Shape};
use crate::compare::{self, Comparison, Plan};
use crate::registry::{BackendEntry, CliElement, Registry};
use crate::source::{self, Source};
use crate::style::Palette;
use crate::{Verdict, interrupt, report};
use anyhow::Context;
use serde_json::Value;
use softmax_core::Dtype;
use softmax_data::synthetic;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

pub(crate) fn run(
    args: &BenchArgs,
    registry: &Registry,
    palette: Palette,
    out: &mut dyn Write,
) -> anyhow::Result<Verdict> {
    let entries = registry.select(&args.backends)?;
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let threads = match args.threads.as_slice() {
        [] => vec![rayon::current_num_threads()],
        threads => threads.to_vec(),
    };
    // Before there is a file.
    for &shape in &args.shapes {
        for &dtype in &args.dtypes {
            match dtype {
                DtypeArg::F32 => source::check_room::<f32>("--shapes", shape)?,
                DtypeArg::F64 => source::check_room::<f64>("--shapes", shape)?,
            }
        }
    }
    interrupt::listen();
    let (known, mut file) = open(args)?;
    let mut agree = known.iter().all(|known| known.agree);
    let mut kept = 0;
    for &shape in &args.shapes {
        for &dtype in &args.dtypes {
            for &threads in &threads {
                let key = Key::new(shape, dtype.into(), threads, args.dx, args.seed, &names);
                if known.iter().any(|known| known.key == key) {
                    kept += 1;
                    continue;
                }
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
                let comparison = pool.install(|| match dtype {
                    DtypeArg::F32 => one::<f32>(args, shape, threads, &entries),
                    DtypeArg::F64 => one::<f64>(args, shape, threads, &entries),
                })?;
                if interrupt::requested() {
                    return Ok(Verdict::Interrupted);
                }
                let line = key.record(&comparison)?;
                let written = writeln!(file, "{line}").and_then(|()| file.sync_data());
                written.with_context(|| args.output.display().to_string())?;
                report::write_table(&comparison, palette, out)?;
                writeln!(out)?;
                agree &= comparison.agree;
            }
        }
    }
    if kept > 0 {
        writeln!(out, "{}: {kept} of the records asked for were there already.", args.output.display())?;
    }
    Ok(if agree { Verdict::AllAgree } else { Verdict::Disagreement })
}

fn one<T: CliElement>(
    args: &BenchArgs,
    shape: Shape,
    threads: usize,
    entries: &[&BackendEntry],
) -> anyhow::Result<Comparison> {
    let dataset = synthetic::<T>(shape.n, shape.d, shape.c, args.seed);
    let origin = dataset.origin.clone();
    let problem = dataset.into_problem(Default::default(), None, args.seed)?;
    let plan = Plan { dx: args.dx, timing: &args.timing, baseline: None, threads };
    compare::compare(Source::new(origin, problem), entries, &plan)
}

/// What makes a record the one that was asked for.
#[derive(Debug, PartialEq)]
struct Key(Value);

impl Key {
    fn new(shape: Shape, dtype: Dtype, threads: usize, dx: bool, seed: u64, backends: &[&str]) -> Self {
        Key(serde_json::json!({
            "n": shape.n, "d": shape.d, "c": shape.c, "dtype": dtype.to_string(), "threads": threads, "dx": dx,
            "seed": seed, "backends": backends,
        }))
    }

    /// The comparison as a line, with what was asked for and by which version.
    fn record(&self, comparison: &Comparison) -> anyhow::Result<String> {
        let mut record = serde_json::to_value(comparison)?;
        record["asked"] = self.0.clone();
        record["version"] = env!("CARGO_PKG_VERSION").into();
        Ok(record.to_string())
    }
}

/// A record that is there already.
struct Known {
    key: Key,
    agree: bool,
}

/// The records that are there already, and the file at the end of which the next goes.
fn open(args: &BenchArgs) -> anyhow::Result<(Vec<Known>, File)> {
    let path = &args.output;
    let context = || path.display().to_string();
    anyhow::ensure!(!path.is_dir(), "{}: expected a file, found a folder", path.display());
    if !args.resume {
        let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| match error
            .kind()
        {
            ErrorKind::AlreadyExists => {
                anyhow::anyhow!("{}: expected a new file, or --resume to add to it", path.display())
            }
            _ => anyhow::Error::new(error).context(context()),
        })?;
        return Ok((Vec::new(), file));
    }
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(anyhow::Error::new(error).context(context())),
    };
    let file = OpenOptions::new().append(true).create(true).open(path).with_context(context)?;
    // A line without an end was cut short, and is measured again.
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    if !text[whole..].is_empty() && !text[whole..].starts_with('{') {
        anyhow::bail!("{}: expected records of softmax bench, found something else", path.display());
    }
    let known =
        text[..whole].lines().enumerate().map(|(k, line)| known(path, k, line)).collect::<Result<_, _>>()?;
    file.set_len(whole as u64).with_context(context)?;
    Ok((known, file))
}

fn known(path: &Path, line: usize, text: &str) -> anyhow::Result<Known> {
    let record: Option<Value> = serde_json::from_str(text).ok();
    let known = record.and_then(|mut record| {
        let agree = record.get("agree")?.as_bool()?;
        Some(Known { key: Key(record.get_mut("asked")?.take()), agree })
    });
    known.with_context(|| {
        format!(
            "{}: line {}: expected a record of softmax bench, found something else",
            path.display(),
            line + 1
        )
    })
}
