//! Rows of dots on a scale from 0 to 100%.

use super::canvas::{self, FAINT, GRID, HPos, INK, PlotError, WIDTH, color_of, width_of};
use crate::units;

/// The layout in pixels: the height of a row, the radius of a dot, and where the scale starts and ends.
const ROW: i32 = 30;
const RADIUS: i32 = 4;
const START: i32 = 260;
const END: i32 = WIDTH - 30;

/// A row of dots.
#[derive(Clone, Debug)]
pub struct Row {
    /// The label at the left of the row.
    pub name: String,
    /// Libraries and their shares, from 0 to 1.
    pub dots: Vec<(String, f64)>,
}

/// Plots rows of dots, with a legend of the libraries above.
///
/// # Errors
/// If the picture can't be drawn.
pub fn shares(title: &str, rows: &[Row], libraries: &[String]) -> Result<String, PlotError> {
    let legend = legend(libraries);
    let top = legend.last().map_or(0, |place| place.1) + 34;
    let bottom = top + ROW * rows.len() as i32;
    canvas::draw(title, bottom + 48, |canvas| {
        for (name, &(x, y)) in libraries.iter().zip(&legend) {
            canvas.dot((x + 5, y), 5, color_of(name))?;
            canvas.text(name, (x + 15, y), 12, INK, HPos::Left)?;
        }
        let place = |share: f64| START + (share.clamp(0.0, 1.0) * f64::from(END - START)).round() as i32;
        for tenth in (0..=10).step_by(2) {
            let share = f64::from(tenth) / 10.0;
            let at = place(share);
            canvas.line(vec![(at, top - 6), (at, bottom)], GRID, 1)?;
            canvas.text(&units::percent(share), (at, bottom + 14), 12, FAINT, HPos::Center)?;
        }
        for (k, row) in rows.iter().enumerate() {
            let y = top + ROW * k as i32 + ROW / 2;
            canvas.text(&row.name, (START - 12, y), 12, INK, HPos::Right)?;
            let places: Vec<i32> = row.dots.iter().map(|dot| place(dot.1)).collect();
            for ((name, _), (x, above)) in row.dots.iter().zip(apart(&places)) {
                canvas.dot((x, y - above), RADIUS, color_of(name))?;
            }
        }
        let middle = (START + END) / 2;
        canvas.text(
            "share of the floor that is reached (more is better)",
            (middle, bottom + 34),
            13,
            FAINT,
            HPos::Center,
        )
    })
}

/// The pixel positions of a row's dots: x, and a shift above or below the row that keeps dots from hiding each other.
fn apart(places: &[i32]) -> Vec<(i32, i32)> {
    const LEVELS: [i32; 3] = [0, 8, -8];
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|&k| places[k]);
    let mut ends = [i32::MIN; LEVELS.len()];
    let mut dots = vec![(0, 0); places.len()];
    for k in order {
        let x = places[k];
        let free = ends.iter().position(|&end| end < x - RADIUS);
        let level = free.unwrap_or_else(|| (0..LEVELS.len()).min_by_key(|&level| ends[level]).unwrap_or(0));
        ends[level] = x + RADIUS;
        dots[k] = (x, LEVELS[level]);
    }
    dots
}

/// The pixel positions of a legend's names, wrapped into lines.
fn legend(names: &[String]) -> Vec<(i32, i32)> {
    let (mut x, mut y) = (12, 16);
    let mut places = Vec::new();
    for name in names {
        let width = 15 + width_of(name) + 16;
        if x + width > END {
            (x, y) = (12, y + 20);
        }
        places.push((x, y));
        x += width;
    }
    places
}
