//! Line plots with two logarithmic axes.

use super::canvas::{self, Canvas, Drawn, FAINT, GRID, HPos, INK, PlotError, color_of, width_of};
use super::scale::Scale;

/// The layout in pixels. The names are to the right of the lines.
const LEFT: i32 = 70;
const RIGHT: i32 = 600;
const HEIGHT: i32 = 340;
const TOP: i32 = 36;
const BOTTOM: i32 = 296;

/// The values of a library.
#[derive(Clone, Debug)]
pub struct Line {
    /// The library.
    pub name: String,
    /// The points (x, y).
    pub points: Vec<(f64, f64)>,
}

/// The label, number format and ticks of an axis.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// The label.
    pub label: &'static str,
    /// Formats a value.
    pub format: fn(f64) -> String,
    /// Whether the ticks are powers of two.
    pub is_binary: bool,
}

/// Plots a line for each library, with a tick at each x of a point.
///
/// # Errors
/// If the picture can't be drawn.
pub fn lines(title: &str, lines: &[Line], x: Axis, y: Axis) -> Result<String, PlotError> {
    canvas::draw(title, HEIGHT, |canvas| {
        let values =
            |of: fn(&(f64, f64)) -> f64| lines.iter().flat_map(move |line| line.points.iter().map(of));
        let across = Scale::around(values(|point| point.0), (LEFT, RIGHT));
        let up = Scale::around(values(|point| point.1), (BOTTOM, TOP + 12));
        canvas.text(y.label, (LEFT, 16), 13, FAINT, HPos::Left)?;
        canvas.text(x.label, ((LEFT + RIGHT) / 2, HEIGHT - 12), 13, FAINT, HPos::Center)?;
        for tick in up.ticks(y.is_binary) {
            let at = up.place(tick);
            canvas.line(vec![(LEFT, at), (RIGHT, at)], GRID, 1)?;
            canvas.text(&(y.format)(tick), (LEFT - 8, at), 12, FAINT, HPos::Right)?;
        }
        let mut places: Vec<f64> = values(|point| point.0).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let mut free = i32::MIN;
        for place in places {
            let at = across.place(place);
            canvas.line(vec![(at, BOTTOM), (at, BOTTOM + 4)], FAINT, 1)?;
            let label = (x.format)(place);
            let half = width_of(&label) / 2;
            if at - half > free {
                canvas.text(&label, (at, BOTTOM + 14), 12, FAINT, HPos::Center)?;
                free = at + half + 4;
            }
        }
        for line in lines {
            let color = color_of(&line.name);
            let places: Vec<(i32, i32)> =
                line.points.iter().map(|&(x, y)| (across.place(x), up.place(y))).collect();
            canvas.line(places.clone(), color, 2)?;
            for at in places {
                canvas.dot(at, 3, color)?;
            }
        }
        name_lines(canvas, lines, &up)
    })
}

/// Writes the names to the right of the lines' ends, far enough apart to be legible.
fn name_lines(canvas: &Canvas<'_>, lines: &[Line], up: &Scale) -> Drawn {
    const APART: i32 = 16;
    let end = |line: &Line| line.points.last().map_or(BOTTOM, |point| up.place(point.1));
    let mut sorted: Vec<&Line> = lines.iter().collect();
    sorted.sort_by_key(|line| end(line));
    // From the top down, each name is at the end of its line, or just below the previous name if that is lower. Then,
    // from the bottom up, names below the plot move up, and so do the names in their way.
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
        canvas.dot((RIGHT + 14, at), 4, color_of(&line.name))?;
        canvas.text(&line.name, (RIGHT + 24, at), 12, INK, HPos::Left)?;
    }
    Ok(())
}
