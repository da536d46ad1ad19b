//! What a person reads of it, in Markdown.

use super::record::{Entry, Record, Seconds};
use std::fmt::Write;

/// One problem: all that were timed, the fastest first.
pub(crate) fn one(record: &Record) -> anyhow::Result<String> {
    let floor = record.roofline.floor_s;
    let gradients = if record.dx { "dW and dX" } else { "dW" };
    let mut text = format!(
        "\n{} {}, loss and {gradients}, {} threads; floor {} ({:.0} GFLOP/s, {:.1} GB/s)\n\n",
        record.shape,
        record.dtype,
        record.machine.threads,
        time(floor),
        if record.dtype == "f64" { record.roofline.f64_flops } else { record.roofline.f32_flops } / 1e9,
        record.roofline.read_bytes / 1e9,
    );
    text.push_str(
        "| library | version | median | ± | best | of the floor | loss error | dW error | dX error |\n",
    );
    text.push_str("|---|---|--:|--:|--:|--:|--:|--:|--:|\n");
    let mut timed: Vec<(&Entry, Seconds)> =
        record.entries.iter().filter_map(|entry| Some((entry, entry.seconds?))).collect();
    timed.sort_by(|a, b| a.1.median.total_cmp(&b.1.median));
    for (entry, seconds) in timed {
        let error = |of: fn(&super::record::Errors) -> Option<f64>| {
            entry.errors.as_ref().and_then(of).map_or("–".to_owned(), |error| format!("{error:.1e}"))
        };
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {:.0}% | {} | {} | {} |",
            entry.name,
            entry.version.as_deref().unwrap_or(""),
            time(seconds.median),
            time(seconds.mad),
            time(seconds.min),
            100.0 * floor / seconds.median,
            error(|e| e.loss_error),
            error(|e| e.dw_error),
            error(|e| e.dx_error),
        )?;
    }
    for entry in &record.entries {
        if let Some(why) = &entry.absent {
            writeln!(text, "\nNot measured: {}: {why}", entry.name)?;
        }
    }
    Ok(text)
}

/// A line per problem: `fused` against the best of the others.
pub(crate) fn all(records: &[Record]) -> anyhow::Result<String> {
    let mut text = String::from(
        "| N×D×C | type | gradients | fused | of the floor | best of the others | its time | ratio | by best times |\n\
         |---|---|---|--:|--:|---|--:|--:|--:|\n",
    );
    for record in records {
        let timed = || record.entries.iter().filter_map(|entry| Some((entry, entry.seconds?)));
        let Some((_, fused)) = timed().find(|(entry, _)| entry.name == "fused") else { continue };
        let others = || timed().filter(|(entry, _)| entry.name != "fused");
        let best = others().min_by(|a, b| a.1.median.total_cmp(&b.1.median));
        let least = others().map(|(_, seconds)| seconds.min).fold(f64::INFINITY, f64::min);
        let (name, their_time, ratio) = match best {
            None => ("–", "–".to_owned(), "–".to_owned()),
            Some((entry, seconds)) => {
                (entry.name.as_str(), time(seconds.median), format!("{:.2}×", seconds.median / fused.median))
            }
        };
        writeln!(
            text,
            "| {} | {} | {} | {} | {:.0}% | {name} | {their_time} | {ratio} | {:.2}× |",
            record.shape.replace('x', "×"),
            record.dtype,
            if record.dx { "dW, dX" } else { "dW" },
            time(fused.median),
            100.0 * record.roofline.floor_s / fused.median,
            least / fused.min,
        )?;
    }
    Ok(text)
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s >= 10.0 => format!("{s:.1} s"),
        s if s >= 1.0 => format!("{s:.2} s"),
        s if s >= 0.1 => format!("{:.0} ms", s * 1e3),
        s if s >= 0.01 => format!("{:.1} ms", s * 1e3),
        s if s >= 0.001 => format!("{:.2} ms", s * 1e3),
        s => format!("{:.0} µs", s * 1e6),
    }
}
