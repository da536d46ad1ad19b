//! Plots in SVG, legible on light and dark backgrounds.

mod bars;
mod canvas;
mod lines;
mod scale;
mod shares;

pub use bars::comparison;
pub use canvas::{PlotError, legend};
pub use lines::{Axis, Line, lines};
pub use shares::{Row, shares};
