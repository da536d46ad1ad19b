//! The canvas of all plots: its size, colours and text.

use plotters::coord::Shift;
use plotters::prelude::*;
pub(super) use plotters::style::text_anchor::HPos;
use plotters::style::text_anchor::{Pos, VPos};

/// The width of a plot in pixels.
pub(super) const WIDTH: i32 = 760;

/// The colours on a light background. `THEME` replaces each on a dark one.
const GROUND: RGBColor = RGBColor(254, 254, 254);
pub(super) const INK: RGBColor = RGBColor(31, 35, 40);
pub(super) const FAINT: RGBColor = RGBColor(110, 119, 129);
pub(super) const GRID: RGBColor = RGBColor(216, 222, 228);
pub(super) const MARK: RGBColor = RGBColor(9, 105, 218);
pub(super) const WRONG: RGBColor = RGBColor(207, 34, 46);

/// A style sheet that replaces the colours on a dark background. It matches the colour attributes, which it overrides.
const THEME: &str = "<style>@media (prefers-color-scheme: dark) {\
    [fill=\"#FEFEFE\"] { fill: #0d1117 } [fill=\"#1F2328\"] { fill: #e6edf3 } [fill=\"#6E7781\"] { fill: #8b949e } \
    [fill=\"#0969DA\"] { fill: #58a6ff } [stroke=\"#0969DA\"] { stroke: #58a6ff } [stroke=\"#D8DEE4\"] { stroke: #30363d } \
    [fill=\"#CF222E\"] { fill: #ff7b72 } [stroke=\"#CF222E\"] { stroke: #ff7b72 } [stroke=\"#6E7781\"] { stroke: #8b949e } \
    }</style>";

/// The colours of libraries and solvers, legible on both backgrounds. The last is that of all others.
const LIBRARIES: [(&str, RGBColor); 23] = [
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
    ("one pass", RGBColor(47, 129, 247)),
    ("two passes", RGBColor(219, 109, 40)),
    ("f32", RGBColor(47, 129, 247)),
    ("f16", RGBColor(219, 109, 40)),
    ("bf16", RGBColor(46, 160, 67)),
    ("keras", RGBColor(90, 170, 60)),
    ("lbfgs", RGBColor(47, 129, 247)),
    ("newton-cg", RGBColor(219, 109, 40)),
    ("newton-cholesky", RGBColor(46, 160, 67)),
    ("naive", RGBColor(110, 118, 129)),
    ("", RGBColor(110, 118, 129)),
];

/// Why a picture could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("a picture can't be drawn: {0}")]
pub struct PlotError(String);

/// The result of a drawing step.
pub(super) type Drawn = Result<(), Box<dyn std::error::Error>>;

/// A drawing area, with coordinates in pixels from the upper left corner.
pub(super) struct Canvas<'a>(DrawingArea<SVGBackend<'a>, Shift>);

/// An SVG document of [`WIDTH`] times `height` pixels, drawn by `fill`.
pub(super) fn draw(
    title: &str,
    height: i32,
    fill: impl FnOnce(&Canvas<'_>) -> Drawn,
) -> Result<String, PlotError> {
    let mut svg = String::new();
    let canvas = Canvas(SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32)).into_drawing_area());
    let drawn = canvas.0.fill(&GROUND).map_err(Into::into).and_then(|()| fill(&canvas));
    drawn.map_err(|error| PlotError(error.to_string()))?;
    canvas.0.present().map_err(|error| PlotError(error.to_string()))?;
    drop(canvas);
    let start = svg.find("<svg").and_then(|at| Some(at + svg[at..].find('>')? + 1)).unwrap_or(0);
    let title = title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    svg.insert_str(start, &format!("\n<title>{title}</title>\n{THEME}"));
    Ok(svg)
}

impl Canvas<'_> {
    pub(super) fn line(&self, points: Vec<(i32, i32)>, color: RGBColor, width: u32) -> Drawn {
        Ok(self.0.draw(&PathElement::new(points, color.stroke_width(width)))?)
    }

    pub(super) fn dot(&self, at: (i32, i32), radius: i32, color: RGBColor) -> Drawn {
        Ok(self.0.draw(&Circle::new(at, radius, color.filled()))?)
    }

    /// Draws a line of text, vertically centred on `at`. `side` is the side of the text that is at `at`.
    pub(super) fn text(&self, text: &str, at: (i32, i32), size: u32, color: RGBColor, side: HPos) -> Drawn {
        let font = ("sans-serif", size).into_font();
        let style = TextStyle::from(font).color(&color).pos(Pos::new(side, VPos::Center));
        Ok(self.0.draw(&Text::new(text.to_owned(), at, style))?)
    }
}

/// The approximate width in pixels of a text in a 12-pixel font.
pub(super) fn width_of(text: &str) -> i32 {
    7 * text.chars().count() as i32
}

/// The colour of a library.
pub(super) fn color_of(library: &str) -> RGBColor {
    let found = LIBRARIES.iter().find(|(name, _)| library == *name);
    found.or(LIBRARIES.last()).map_or(INK, |(_, color)| *color)
}

/// The names of libraries, each with its colour in CSS syntax.
pub fn legend<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<(String, String)> {
    let color = |name: &str| {
        let RGBColor(r, g, b) = color_of(name);
        format!("#{r:02x}{g:02x}{b:02x}")
    };
    names.into_iter().map(|name| (name.to_owned(), color(name))).collect()
}
