//! Rows of dots on a scale from 0 to 100%.

use super::canvas::{self, FAINT, GRID, HPos, INK, PlotError, WIDTH, color_of, width_of};
use crate::units;

/// Pixels: the height of a row, and where the scale begins and ends.
const ROW: i32 = 26;
const START: i32 = 260;
const END: i32 = WIDTH - 30;

/// A row of dots.
#[derive(Clone, Debug)]
pub struct Row {
    /// What stands before it.
    pub name: String,
    /// Libraries, and where from 0 to 1.
    pub dots: Vec<(String, f64)>,
}

/// Rows of dots, with a legend of the libraries above.
///
/// # Errors
/// If the picture can't be drawn.
pub fn shares(title: &str, rows: &[Row], libraries: &[String]) -> Result<String, PlotError> {
    let legend = legend(libraries);
    let top = legend.last().map_or(0, |place| place.1) + 34;
    let bottom = top + ROW * rows.len() as i32;
    canvas::draw(title, bottom + 30, |canvas| {
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
            // The first are drawn last, and seen.
            for (name, share) in row.dots.iter().rev() {
                canvas.dot((place(*share), y), 5, color_of(name))?;
            }
        }
        Ok(())
    })
}

/// Where the names of a legend stand, in lines as long as there is room.
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
