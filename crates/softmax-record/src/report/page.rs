//! The parts of a report, independent of its format.

use crate::table::Table;

/// A report.
#[derive(Clone, Debug)]
pub struct Page {
    pub(super) title: String,
    /// The main results in a few sentences.
    pub(super) summary: Vec<String>,
    pub(super) sections: Vec<Section>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Section {
    pub(super) title: String,
    /// Sentences before the figure and the table.
    pub(super) text: String,
    pub(super) figure: Option<Figure>,
    pub(super) table: Option<Table>,
    /// The commands that produced the numbers.
    pub(super) commands: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Figure {
    /// The name of its file, without the extension.
    pub(super) name: String,
    /// A text alternative for readers who cannot see the figure.
    pub(super) description: String,
    pub(super) svg: String,
    /// Names and colours, for a narrow screen on which the names beside the lines are out of sight.
    pub(super) legend: Vec<(String, String)>,
}

impl Page {
    /// The names and contents of its files: one in HTML, which is self-contained, one in Markdown, and its figures.
    pub fn files(&self) -> Vec<(String, String)> {
        let figures = self.sections.iter().filter_map(|section| section.figure.as_ref());
        let figures = figures.map(|figure| (format!("{}.svg", figure.name), figure.svg.clone()));
        let pages = [("report.html", self.html()), ("report.md", self.markdown())];
        pages.map(|(name, text)| (name.to_owned(), text)).into_iter().chain(figures).collect()
    }
}
