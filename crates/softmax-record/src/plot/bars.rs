//! Plots the time and error of each contender of a comparison.

use super::canvas::{self, Canvas, Drawn, FAINT, GRID, HPos, INK, MARK, PlotError, WRONG};
use super::scale::Scale;
use crate::comparison::{Comparison, Measured, ProblemRecord};
use crate::units;
use plotters::style::RGBColor;

/// The layout in pixels.
const HEAD: i32 = 74;
const FOOT: i32 = 34;
const ROW: i32 = 30;
const TIME: (i32, i32) = (140, 330);
const ERROR: (i32, i32) = (480, 660);

/// Plots a row for each contender: a bar for its time, and one for the largest error of its gradients.
///
/// # Errors
/// If the picture can't be drawn.
pub fn comparison(comparison: &Comparison) -> Result<String, PlotError> {
    let backends = &comparison.backends;
    let title = title(&comparison.problem);
    let bottom = HEAD + ROW * backends.len() as i32;
    canvas::draw(&title, bottom + FOOT, |canvas| {
        canvas.text(&title, (16, 22), 15, INK, HPos::Left)?;
        let time = Scale::decades(backends.iter().filter_map(|b| b.time).map(|time| time.median_s), TIME);
        let error = Scale::decades(backends.iter().map(|backend| backend.gradient_error), ERROR);
        grid(canvas, "time of a call, median", &time, bottom, |at| {
            units::seconds(at).replace(".00", "").replace(".0 ", " ")
        })?;
        grid(canvas, "largest error of the gradients", &error, bottom, |at| format!("{at:.0e}"))?;
        for (k, backend) in backends.iter().enumerate() {
            let y = HEAD + ROW * k as i32 + ROW / 2;
            canvas.text(&backend.name, (16, y), 14, INK, HPos::Left)?;
            let color = if backend.agrees() { MARK } else { WRONG };
            match backend.time {
                Some(measured) => bar(canvas, &time, measured.median_s, y, color, &time_label(backend))?,
                None => {
                    let why = if backend.agrees() { "not timed" } else { "disagrees" };
                    canvas.text(why, (TIME.0, y), 13, color, HPos::Left)?;
                }
            }
            bar(canvas, &error, backend.gradient_error, y, color, &units::error(backend.gradient_error))?;
        }
        Ok(())
    })
}

fn title(problem: &ProblemRecord) -> String {
    let ProblemRecord { source, shape, dtype, threads, .. } = problem;
    let (shape, threads) = (shape.title(), units::threads(*threads));
    format!("{source}: {shape}, {dtype}, {threads}, loss and {}", problem.gradients())
}

fn time_label(backend: &Measured) -> String {
    let time = backend.time.map(|time| units::seconds(time.median_s));
    time.into_iter().chain(backend.speedup.map(units::factor)).collect::<Vec<_>>().join(", ")
}

/// Draws a heading, and grid lines with labels at some powers of ten.
fn grid(
    canvas: &Canvas<'_>,
    heading: &str,
    scale: &Scale,
    bottom: i32,
    label: impl Fn(f64) -> String,
) -> Drawn {
    canvas.text(heading, (scale.start(), 50), 13, FAINT, HPos::Left)?;
    for at in scale.powers_of_ten() {
        let x = scale.place(at);
        canvas.line(vec![(x, HEAD - 8), (x, bottom + 4)], GRID, 1)?;
        canvas.text(&label(at), (x, bottom + 16), 12, FAINT, HPos::Center)?;
    }
    Ok(())
}

/// Draws a line from the start of the scale to a dot at the value, and a label beside it.
fn bar(canvas: &Canvas<'_>, scale: &Scale, value: f64, y: i32, color: RGBColor, label: &str) -> Drawn {
    let x = scale.place(value);
    canvas.line(vec![(scale.start(), y), (x, y)], color, 3)?;
    canvas.dot((x, y), 5, color)?;
    canvas.text(label, (x + 12, y), 13, INK, HPos::Left)
}
