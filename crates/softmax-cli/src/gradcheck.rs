//! `softmax gradcheck`: checks sampled gradient entries against finite differences of the loss.

use crate::args::{Format, GradcheckArgs};
use crate::externals::Externals;
use crate::json::write_json;
use crate::memory::require_call;
use crate::progress::Progress;
use crate::source::{self, Source, lacking_storage};
use crate::verdict::Verdict;
use crate::{interrupt, machine};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use softmax::{BackendElement, Dtype, OutputKind, OwnedOutputs, Problem, Quantity, Registry, Setup};
use softmax_conformance::{central_difference, gradient_units};
use softmax_data::printable;
use softmax_record::{Palette, Table};
use std::io::Write;

/// Errors are relative to the entry, or to this share of the gradient's largest entry if that is larger. An entry that
/// is small by cancellation has no relative accuracy of its own. Entries of different features are compared in their
/// [units](gradient_units), so that the share does not depend on the scale of the features.
const SMALLEST: f64 = 0.01;

/// The default backend.
const DEFAULT: &str = "fused";

#[derive(Debug, Serialize)]
struct Gradcheck {
    backend: String,
    dtype: String,
    source: String,
    tolerance: f64,
    success: bool,
    /// The checked entries, worst error first.
    entries: Vec<Entry>,
    /// The number of entries that the loss, with its 31 digits, is too large to resolve.
    unresolved: usize,
}

#[derive(Debug, Serialize)]
struct Entry {
    output: Quantity,
    index: Vec<usize>,
    numeric: f64,
    analytic: f64,
    relative_error: f64,
}

pub(crate) fn run(
    args: &GradcheckArgs,
    registry: &Registry,
    palette: Palette,
    out: &mut dyn Write,
) -> anyhow::Result<Verdict> {
    let gradcheck = match args.problem.dtype {
        Dtype::F32 => check::<f32>(args, registry, 1e-3),
        Dtype::F64 => check::<f64>(args, registry, 1e-9),
    };
    let gradcheck = match gradcheck {
        Err(_) if interrupt::requested() => return Ok(Verdict::Interrupted),
        gradcheck => gradcheck?,
    };
    match args.format {
        Format::Table => write_table(&gradcheck, palette, out)?,
        Format::Json => write_json(&gradcheck, out)?,
    }
    Ok(match gradcheck.success {
        _ if interrupt::requested() => Verdict::Interrupted,
        true => Verdict::AllAgree,
        false => Verdict::Disagreement,
    })
}

fn check<T: BackendElement>(
    args: &GradcheckArgs,
    registry: &Registry,
    tolerance: f64,
) -> anyhow::Result<Gradcheck> {
    let (externals, registry) = Externals::add(&args.external, registry)?;
    let name = externals.one(args.backend.as_deref())?;
    let entry = registry.find(name.as_deref().unwrap_or(DEFAULT))?;
    let tolerance = args.tolerance.unwrap_or(tolerance);
    let mut source = Source::<T>::load(&args.problem, &args.objective)?;
    let threads = Some(machine::set_threads(None)?);
    // Before the backend is made, which may wait for a process to start.
    interrupt::listen();
    let mut backend = entry.make::<T>(Setup { threads, shards: args.passes.shards()?, ..Setup::default() });
    if lacking_storage(backend.as_ref(), &source.problem()?).is_some() {
        source = source.widened()?;
    }
    let problem = source.problem()?;

    let set = source::gradients(&problem, args.dx);
    require_call(&source.dataset.origin, entry, &problem, (set, 0))?;
    let mut outputs = OwnedOutputs::zeros(&problem, set);
    backend.evaluate(&problem, &mut outputs.as_outputs())?;

    let mut random = ChaCha8Rng::seed_from_u64(args.problem.seed);
    let progress = Progress::new(args.samples);
    progress.doing("differences of the loss");
    let (mut entries, mut unresolved) = (Vec::new(), 0);
    let kinds: Vec<OutputKind> = set.iter().collect();
    for (k, &kind) in kinds.iter().enumerate() {
        // The samples are divided evenly among the gradients, as far as these have enough entries.
        let up_to = |k: usize| args.samples.saturating_mul(k).div_ceil(kinds.len());
        let share = up_to(k + 1) - up_to(k);
        let Some((columns, analytic)) = gradient(&problem, &outputs, kind) else { continue };
        let units = gradient_units(&problem, kind);
        let unit = |place: usize| match (kind, columns) {
            (OutputKind::WeightsGradient, Some(columns)) => units[place / columns],
            (_, Some(columns)) => units[place % columns],
            (_, None) => units[place],
        };
        // The largest entry in its unit. An entry whose unit is 0 has no factor other than 0.
        let in_units = analytic.iter().enumerate().filter(|&(place, _)| unit(place) > 0.0);
        let largest = in_units.fold(0.0, |max: f64, (place, g)| max.max(g.abs() / unit(place)));
        for place in index::sample(&mut random, analytic.len(), share.min(analytic.len())) {
            if interrupt::requested() {
                break;
            }
            let index = columns.map_or(vec![place], |columns| vec![place / columns, place % columns]);
            let Some(numeric) = central_difference(&problem, kind, &index) else { continue };
            let (analytic, resolution, numeric) = (analytic[place], numeric.resolution, numeric.value);
            if !numeric.is_finite() {
                let (origin, symbol) = (printable(&source.dataset.origin), kind.symbol());
                anyhow::bail!(
                    "{origin}: expected a problem whose loss is finite, found differences of {numeric} for {symbol}{index:?}"
                );
            }
            let size = numeric.abs().max(analytic.abs()).max(SMALLEST * largest * unit(place));
            let difference = (numeric - analytic).abs();
            if difference > 0.0 && resolution > tolerance.max(f64::EPSILON) * size {
                unresolved += 1;
                continue;
            }
            let relative_error = if difference == 0.0 { 0.0 } else { difference / size };
            let output = Quantity::Output(kind);
            entries.push(Entry { output, index, numeric, analytic, relative_error });
            progress.at(entries.len(), args.samples);
        }
    }
    // NaN sorts first, as the worst error.
    entries.sort_by(|a, b| b.relative_error.total_cmp(&a.relative_error));
    Ok(Gradcheck {
        backend: entry.name().to_owned(),
        dtype: T::DTYPE.to_string(),
        source: printable(&source.dataset.origin).into_owned(),
        tolerance,
        success: entries.iter().all(|entry| entry.relative_error <= tolerance) && !entries.is_empty(),
        entries,
        unresolved,
    })
}

/// The number of columns of a gradient, if it has two axes, and its entries in row-major order.
fn gradient<T: BackendElement>(
    problem: &Problem<'_, T>,
    outputs: &OwnedOutputs<T>,
    kind: OutputKind,
) -> Option<(Option<usize>, Vec<f64>)> {
    match kind {
        OutputKind::WeightsGradient => {
            let dw = outputs.weights_gradient.as_ref()?;
            Some((Some(problem.n_classes()), dw.iter().map(|g| g.widen()).collect()))
        }
        OutputKind::FeaturesGradient => {
            let dx = outputs.features_gradient.as_ref()?;
            Some((Some(problem.n_features()), dx.iter().map(|g| g.widen()).collect()))
        }
        OutputKind::BiasGradient => {
            Some((None, outputs.bias_gradient.as_ref()?.iter().map(|g| g.widen()).collect()))
        }
        _ => None,
    }
}

fn write_table(gradcheck: &Gradcheck, palette: Palette, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "{}, {}, {}\n", gradcheck.backend, gradcheck.dtype, gradcheck.source)?;
    let mut table = Table::new().words(["entry"]).numbers(["numeric", "analytic", "relative error"]);
    for entry in &gradcheck.entries {
        let index: Vec<String> = entry.index.iter().map(usize::to_string).collect();
        table.row([
            format!("{}[{}]", entry.output.symbol(), index.join(", ")),
            format!("{:.9e}", entry.numeric),
            format!("{:.9e}", entry.analytic),
            format!("{:.1e}", entry.relative_error),
        ]);
    }
    writeln!(out, "{}\n", table.text(palette))?;
    let count = gradcheck.entries.len();
    let right = gradcheck.entries.iter().filter(|entry| entry.relative_error <= gradcheck.tolerance).count();
    let wrong = count - right;
    let tolerance = gradcheck.tolerance;
    let verdict = match (count, wrong) {
        (0, _) => palette.bad("Nothing was checked."),
        (_, 0) => palette.good(format!("All {count} entries agree to {tolerance:.0e}.")),
        _ => palette.bad(format!("{wrong} of {count} entries differ by more than {tolerance:.0e}.")),
    };
    writeln!(out, "{verdict}")?;
    if gradcheck.unresolved > 0 {
        writeln!(
            out,
            "{} of {} entries were left out: the loss is too large to resolve them. --standardize may help.",
            gradcheck.unresolved,
            count + gradcheck.unresolved
        )?;
    }
    Ok(())
}
