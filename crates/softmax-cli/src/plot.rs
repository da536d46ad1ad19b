//! A comparison as a picture: time and error of each backend, on a light ground or a dark one as the reader has it.

use crate::compare::{Comparison, Measured};
use crate::units;
use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Pixels.
const WIDTH: u32 = 760;
const HEAD: i32 = 74;
const FOOT: i32 = 34;
const ROW: i32 = 30;
const TIME: (i32, i32) = (140, 330);
const ERROR: (i32, i32) = (480, 660);

/// On a light ground; `THEME` has what each becomes on a dark one.
const GROUND: RGBColor = RGBColor(254, 254, 254);
const INK: RGBColor = RGBColor(31, 35, 40);
const FAINT: RGBColor = RGBColor(110, 119, 129);
const GRID: RGBColor = RGBColor(216, 222, 228);
const MARK: RGBColor = RGBColor(9, 105, 218);
const WRONG: RGBColor = RGBColor(207, 34, 46);

/// Rules by the colours as they stand in the attributes, which a style sheet outranks.
const THEME: &str = "<style>@media (prefers-color-scheme: dark) {\
    [fill=\"#FEFEFE\"] { fill: #0d1117 } [fill=\"#1F2328\"] { fill: #e6edf3 } [fill=\"#6E7781\"] { fill: #8b949e } \
    [fill=\"#0969DA\"] { fill: #58a6ff } [stroke=\"#0969DA\"] { stroke: #58a6ff } [stroke=\"#D8DEE4\"] { stroke: #30363d } \
    [fill=\"#CF222E\"] { fill: #ff7b72 } [stroke=\"#CF222E\"] { stroke: #ff7b72 } [stroke=\"#6E7781\"] { stroke: #8b949e } \
    }</style>";

/// An SVG document.
pub(crate) fn draw(comparison: &Comparison) -> anyhow::Result<String> {
    let mut svg = String::new();
    let height = HEAD + ROW * comparison.backends.len() as i32 + FOOT;
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height as u32)).into_drawing_area();
        fill(&area, comparison, height).map_err(|error| anyhow!("--plot: {error}"))?;
    }
    let title = format!("<title>{}</title>", escape(&title(comparison)));
    let start = svg.find("<svg").and_then(|svg_at| Some(svg_at + svg[svg_at..].find('>')? + 1)).unwrap_or(0);
    svg.insert_str(start, &format!("\n{title}\n{THEME}"));
    Ok(svg)
}

fn title(comparison: &Comparison) -> String {
    let problem = &comparison.problem;
    format!(
        "{}: {}×{}×{}, {}, {} threads, loss and {}",
        problem.source,
        problem.n,
        problem.d,
        problem.c,
        problem.dtype,
        problem.threads,
        problem.gradients.join(", ")
    )
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

fn fill(area: &Area<'_>, comparison: &Comparison, height: i32) -> Drawn {
    let backends = &comparison.backends;
    area.fill(&GROUND)?;
    text(area, &title(comparison), (16, 22), 15, INK, HPos::Left)?;

    let times = backends.iter().filter_map(|b| b.time).map(|time| time.median_s);
    let time = Axis::around(times, TIME);
    let errors = backends.iter().map(|b| b.gradient_error).filter(|e| *e > 0.0 && e.is_finite());
    let error = Axis::around(errors, ERROR);
    grid(area, "time of a call, median", &time, height, |at| {
        units::seconds(at).replace(".00", "").replace(".0 ", " ")
    })?;
    grid(area, "largest error of the gradients", &error, height, |at| format!("{at:.0e}"))?;

    for (k, backend) in backends.iter().enumerate() {
        let y = HEAD + ROW * k as i32 + ROW / 2;
        text(area, &backend.name, (16, y), 14, INK, HPos::Left)?;
        let right = backend.failures.is_empty();
        let color = if right { MARK } else { WRONG };
        match backend.time {
            Some(measured) => mark(area, &time, measured.median_s, y, color, &time_label(backend))?,
            None => {
                text(
                    area,
                    if right { "not timed" } else { "disagrees" },
                    (TIME.0, y),
                    13,
                    color,
                    HPos::Left,
                )?;
            }
        }
        mark(area, &error, backend.gradient_error, y, color, &units::error(backend.gradient_error))?;
    }
    area.present()?;
    Ok(())
}

fn time_label(backend: &Measured) -> String {
    let time = backend.time.map_or(String::new(), |time| units::seconds(time.median_s));
    backend.speedup.map_or(time.clone(), |speedup| format!("{time}, {}", units::factor(speedup)))
}

/// A heading, and a line with a label for some of the powers of ten.
fn grid(area: &Area<'_>, heading: &str, axis: &Axis, height: i32, label: impl Fn(f64) -> String) -> Drawn {
    text(area, heading, (axis.from, 50), 13, FAINT, HPos::Left)?;
    let bottom = height - FOOT + 4;
    for power in (axis.low..=axis.high).step_by(((axis.high - axis.low) / 4 + 1) as usize) {
        let at = 10f64.powi(power);
        let x = axis.x(at);
        area.draw(&PathElement::new(vec![(x, HEAD - 8), (x, bottom)], GRID.stroke_width(1)))?;
        text(area, &label(at), (x, bottom + 12), 12, FAINT, HPos::Center)?;
    }
    Ok(())
}

/// A line to a dot, and what it stands for.
fn mark(area: &Area<'_>, axis: &Axis, value: f64, y: i32, color: RGBColor, label: &str) -> Drawn {
    let x = axis.x(value);
    area.draw(&PathElement::new(vec![(axis.from, y), (x, y)], color.stroke_width(3)))?;
    area.draw(&Circle::new((x, y), 5, color.filled()))?;
    text(area, label, (x + 12, y), 13, INK, HPos::Left)
}

fn text(area: &Area<'_>, text: &str, at: (i32, i32), size: u32, color: RGBColor, side: HPos) -> Drawn {
    let style =
        TextStyle::from(("sans-serif", size).into_font()).color(&color).pos(Pos::new(side, VPos::Center));
    area.draw(&Text::new(text.to_owned(), at, style))?;
    Ok(())
}

/// Powers of ten along some pixels.
struct Axis {
    low: i32,
    high: i32,
    from: i32,
    to: i32,
}

impl Axis {
    /// Whole decades around the values, one at least.
    fn around(values: impl Iterator<Item = f64>, (from, to): (i32, i32)) -> Self {
        let (low, high) = values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            return Axis { low: 0, high: 1, from, to };
        }
        let low = low.log10().floor() as i32;
        Axis { low, high: (high.log10().ceil() as i32).max(low + 1), from, to }
    }

    /// What is beyond the ends, 0 too, is at the end.
    fn x(&self, value: f64) -> i32 {
        let share = (value.log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        let share = if share.is_nan() { 1.0 } else { share.clamp(0.0, 1.0) };
        self.from + (share * f64::from(self.to - self.from)).round() as i32
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
