//! A report in Markdown.

use super::page::{Page, Section, Table};
use std::fmt::Write;

impl Page {
    /// With figures in files beside it.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("# {}\n", self.title);
        for sentence in &self.summary {
            text += &format!("\n- {sentence}");
        }
        text.push('\n');
        self.sections.iter().for_each(|section| text += &section.markdown());
        text
    }
}

impl Section {
    fn markdown(&self) -> String {
        let mut text = format!("\n## {}\n\n{}\n", self.title, self.text);
        if let Some(figure) = &self.figure {
            text += &format!("\n![{}]({}.svg)\n", figure.description, figure.name);
        }
        if let Some(table) = &self.table {
            text += &format!("\n{}", table.markdown());
        }
        if !self.commands.is_empty() {
            text += &format!("\n```sh\n{}\n```\n", self.commands.join("\n"));
        }
        text
    }
}

impl Table {
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let mut line = |cells: &mut dyn Iterator<Item = String>| {
            let cells: Vec<String> = cells.map(|cell| cell.replace('|', "\\|")).collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        };
        line(&mut self.columns.iter().map(|column| column.name.clone()));
        line(&mut self.columns.iter().map(|column| if column.is_numeric { "--:" } else { "---" }.to_owned()));
        for row in &self.rows {
            line(&mut row.iter().cloned());
        }
        for note in &self.notes {
            let _ = writeln!(text, "\n{note}");
        }
        text
    }
}
