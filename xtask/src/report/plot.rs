//! Pictures that are read on a light ground and on a dark one.

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Pixels.
const WIDTH: i32 = 760;
const LEFT: i32 = 70;
/// Names stand to the right of lines.
const RIGHT: i32 = 600;
const HEIGHT: i32 = 340;
const TOP: i32 = 36;
const BOTTOM: i32 = 296;
const ROW: i32 = 26;
/// Where rows of dots begin.
const ROWS: i32 = 210;

/// On a light ground; `THEME` has what each becomes on a dark one. What is drawn for a library is read on both.
const GROUND: RGBColor = RGBColor(254, 254, 254);
const INK: RGBColor = RGBColor(31, 35, 40);
const FAINT: RGBColor = RGBColor(89, 99, 110);
const GRID: RGBColor = RGBColor(216, 222, 228);

/// Rules by the colours as they stand in the attributes, which a style sheet outranks.
const THEME: &str = "<style>@media (prefers-color-scheme: dark) {\
    [fill=\"#FEFEFE\"] { fill: #0d1117 } [fill=\"#1F2328\"] { fill: #e6edf3 } [fill=\"#59636E\"] { fill: #9198a1 } \
    [stroke=\"#D8DEE4\"] { stroke: #30363d } }</style>";

/// Libraries and their colours; who is not named has the last.
const COLORS: [(&str, RGBColor); 14] = [
    ("fused", RGBColor(47, 129, 247)),
    ("narrow", RGBColor(47, 129, 247)),
    ("wide", RGBColor(219, 109, 40)),
    ("ndarray", RGBColor(219, 109, 40)),
    ("burn", RGBColor(46, 160, 67)),
    ("openblas", RGBColor(163, 113, 247)),
    ("numpy", RGBColor(187, 128, 9)),
    ("scikit-learn", RGBColor(191, 75, 138)),
    ("torch-eager", RGBColor(218, 54, 51)),
    ("torch-compile", RGBColor(164, 14, 38)),
    ("torch-linear-cross-entropy", RGBColor(255, 123, 114)),
    ("jax", RGBColor(27, 124, 131)),
    ("naive", RGBColor(110, 118, 129)),
    ("", RGBColor(110, 118, 129)),
];

/// Something with a value for each of some places.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// What the numbers along an axis are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) label: &'static str,
    pub(crate) format: fn(f64) -> String,
    /// Whether round numbers are powers of two.
    pub(crate) is_binary: bool,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Lines, both axes logarithmic, with a tick at each place along x.
pub(crate) fn lines(lines: &[Line], x: Scale, y: Scale) -> anyhow::Result<String> {
    draw(HEIGHT, |area| {
        let values =
            |of: fn(&(f64, f64)) -> f64| lines.iter().flat_map(move |line| line.points.iter().map(of));
        let across = Log::around(values(|point| point.0), (LEFT, RIGHT));
        let up = Log::around(values(|point| point.1), (BOTTOM, TOP + 12));
        text(area, y.label, (LEFT, 16), 13, FAINT, HPos::Left)?;
        text(area, x.label, ((LEFT + RIGHT) / 2, HEIGHT - 12), 13, FAINT, HPos::Center)?;
        for tick in up.ticks(y.is_binary) {
            let at = up.place(tick);
            area.draw(&PathElement::new(vec![(LEFT, at), (RIGHT, at)], GRID.stroke_width(1)))?;
            text(area, &(y.format)(tick), (LEFT - 8, at), 12, FAINT, HPos::Right)?;
        }
        let mut places: Vec<f64> = values(|point| point.0).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let mut free = i32::MIN;
        for place in places {
            let at = across.place(place);
            area.draw(&PathElement::new(vec![(at, BOTTOM), (at, BOTTOM + 4)], FAINT.stroke_width(1)))?;
            let label = (x.format)(place);
            let half = width_of(&label) / 2;
            if at - half > free {
                text(area, &label, (at, BOTTOM + 14), 12, FAINT, HPos::Center)?;
                free = at + half + 4;
            }
        }
        for line in lines {
            let color = color(&line.name);
            let places: Vec<(i32, i32)> =
                line.points.iter().map(|&(x, y)| (across.place(x), up.place(y))).collect();
            area.draw(&PathElement::new(places.clone(), color.stroke_width(2)))?;
            for at in places {
                area.draw(&Circle::new(at, 3, color.filled()))?;
            }
        }
        name_lines(area, lines, &up)
    })
}

/// Names to the right of the lines' ends, so far apart that each can be read.
fn name_lines(area: &Area<'_>, lines: &[Line], up: &Log) -> Drawn {
    const APART: i32 = 16;
    let end = |line: &Line| line.points.last().map_or(BOTTOM, |point| up.place(point.1));
    let mut sorted: Vec<&Line> = lines.iter().collect();
    sorted.sort_by_key(|line| end(line));
    // Down from the top, each as near to its line as the one above leaves it; as much higher as the last is too low.
    let mut places: Vec<i32> = Vec::new();
    for line in &sorted {
        let least = places.last().map_or(TOP, |last| last + APART);
        places.push(end(line).max(least));
    }
    let mut most = BOTTOM;
    for place in places.iter_mut().rev() {
        *place = (*place).min(most);
        most = *place - APART;
    }
    for (line, at) in sorted.into_iter().zip(places) {
        area.draw(&Circle::new((RIGHT + 14, at), 4, color(&line.name).filled()))?;
        text(area, &line.name, (RIGHT + 24, at), 12, INK, HPos::Left)?;
    }
    Ok(())
}

/// A row of dots.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// Whose, and where from 0 to 1.
    pub(crate) dots: Vec<(String, f64)>,
}

/// Rows of dots on a scale from 0 to 100%.
pub(crate) fn shares(rows: &[Row], names: &[String]) -> anyhow::Result<String> {
    let end = WIDTH - 30;
    let legend = legend(names, end);
    let top = legend.last().map_or(0, |place| place.1) + 34;
    let bottom = top + ROW * rows.len() as i32;
    draw(bottom + 30, |area| {
        for (name, &(x, y)) in names.iter().zip(&legend) {
            area.draw(&Circle::new((x + 5, y), 5, color(name).filled()))?;
            text(area, name, (x + 15, y), 12, INK, HPos::Left)?;
        }
        let place = |share: f64| ROWS + (share.clamp(0.0, 1.0) * f64::from(end - ROWS)).round() as i32;
        for tenth in (0..=10).step_by(2) {
            let share = f64::from(tenth) / 10.0;
            let at = place(share);
            area.draw(&PathElement::new(vec![(at, top - 6), (at, bottom)], GRID.stroke_width(1)))?;
            text(area, &format!("{:.0}%", 100.0 * share), (at, bottom + 14), 12, FAINT, HPos::Center)?;
        }
        for (k, row) in rows.iter().enumerate() {
            let y = top + ROW * k as i32 + ROW / 2;
            text(area, &row.name, (ROWS - 12, y), 12, INK, HPos::Right)?;
            // The first are drawn last, and seen.
            for (name, share) in row.dots.iter().rev() {
                area.draw(&Circle::new((place(*share), y), 5, color(name).filled()))?;
            }
        }
        Ok(())
    })
}

/// Where the names of a legend stand, in lines as long as there is room.
fn legend(names: &[String], end: i32) -> Vec<(i32, i32)> {
    let (mut x, mut y) = (12, 16);
    let mut places = Vec::new();
    for name in names {
        let width = 15 + width_of(name) + 16;
        if x + width > end {
            (x, y) = (12, y + 20);
        }
        places.push((x, y));
        x += width;
    }
    places
}

fn draw(height: i32, fill: impl FnOnce(&Area<'_>) -> Drawn) -> anyhow::Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32)).into_drawing_area();
        let drawn = area.fill(&GROUND).map_err(Into::into).and_then(|()| fill(&area));
        drawn.map_err(|error| anyhow!("a figure: {error}"))?;
        area.present().map_err(|error| anyhow!("a figure: {error}"))?;
    }
    let start = svg.find("<svg").and_then(|at| Some(at + svg[at..].find('>')? + 1)).unwrap_or(0);
    svg.insert_str(start, THEME);
    Ok(svg)
}

fn text(area: &Area<'_>, text: &str, at: (i32, i32), size: u32, color: RGBColor, side: HPos) -> Drawn {
    let style =
        TextStyle::from(("sans-serif", size).into_font()).color(&color).pos(Pos::new(side, VPos::Center));
    area.draw(&Text::new(text.to_owned(), at, style))?;
    Ok(())
}

/// About how wide a text of twelve pixels is.
fn width_of(text: &str) -> i32 {
    7 * text.chars().count() as i32
}

fn color(name: &str) -> RGBColor {
    let found = COLORS.iter().find(|(of, _)| name == *of);
    found.or(COLORS.last()).map_or(INK, |(_, color)| *color)
}

/// A logarithmic scale along some pixels.
struct Log {
    low: f64,
    high: f64,
    from: i32,
    to: i32,
}

impl Log {
    /// From the least value to the largest, of those above 0.
    fn around(values: impl Iterator<Item = f64>, (from, to): (i32, i32)) -> Self {
        let values = values.filter(|value| *value > 0.0 && value.is_finite());
        let (low, high) = values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            return Log { low: 1.0, high: 10.0, from, to };
        }
        let high = if high > low * 1.001 { high } else { low * 2.0 };
        Log { low, high, from, to }
    }

    fn place(&self, value: f64) -> i32 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        self.from + (share * f64::from(self.to - self.from)).round() as i32
    }

    /// Powers of ten, and where those are few what is between them too; or powers of two.
    fn ticks(&self, is_binary: bool) -> Vec<f64> {
        if is_binary {
            let (low, high) = (self.low.log2().ceil() as i32, self.high.log2().floor() as i32);
            return (low..=high)
                .step_by(((high - low) / 5 + 1) as usize)
                .map(|power| 2f64.powi(power))
                .collect();
        }
        let powers = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let steps: &[f64] = match self.high / self.low {
            range if range < 5.0 => &[1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0],
            range if range < 100.0 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let all = powers.flat_map(|power| steps.iter().map(move |step| step * 10f64.powi(power)));
        all.filter(|tick| (self.low * 0.999..=self.high * 1.001).contains(tick)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logarithmic_scale_has_its_ends_and_round_ticks() {
        let scale = Log::around([0.003, 0.9].into_iter(), (100, 0));
        assert_eq!((scale.place(0.003), scale.place(0.9), scale.place(0.0)), (100, 0, 100));
        assert_eq!(scale.ticks(false), [0.01, 0.1]);
        assert_eq!(Log::around([3.0, 60.0].into_iter(), (0, 1)).ticks(false), [5.0, 10.0, 20.0, 50.0]);
        assert_eq!(Log::around([3.0, 60.0].into_iter(), (0, 1)).ticks(true), [4.0, 8.0, 16.0, 32.0]);
        assert_eq!(Log::around([0.0].into_iter(), (0, 1)).place(5.0), 1);
    }
}
