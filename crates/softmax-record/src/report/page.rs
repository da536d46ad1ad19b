//! The parts of a report, however it is written down.

use crate::table::Table;

/// A report.
#[derive(Clone, Debug)]
pub struct Page {
    pub(super) title: String,
    /// What a person reads in ten seconds.
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
    /// The commands that give these figures.
    pub(super) commands: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Figure {
    /// Its file's name, without the extension.
    pub(super) name: String,
    /// What it shows, for who can't see it.
    pub(super) description: String,
    pub(super) svg: String,
    /// What is drawn, and in which colour, for a narrow screen, on which names beside the lines are out of sight.
    pub(super) legend: Vec<(String, String)>,
}

impl Page {
    /// The names and the contents of its files: one in HTML, which needs no other, one in Markdown, and its figures.
    pub fn files(&self) -> Vec<(String, String)> {
        let figures = self.sections.iter().filter_map(|section| section.figure.as_ref());
        let figures = figures.map(|figure| (format!("{}.svg", figure.name), figure.svg.clone()));
        let pages = [("report.html", self.html()), ("report.md", self.markdown())];
        pages.map(|(name, text)| (name.to_owned(), text)).into_iter().chain(figures).collect()
    }
}
