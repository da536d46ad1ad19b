//! Pictures in SVG, read on a light ground and on a dark one.

mod bars;
mod canvas;
mod lines;
mod scale;
mod shares;

pub use bars::comparison;
pub use canvas::{PlotError, legend};
pub use lines::{Axis, Line, lines};
pub use shares::{Row, shares};
