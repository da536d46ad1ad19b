//! A report in Markdown.

use super::page::{Page, Section};

impl Page {
    /// The page as Markdown, with its figures in separate files.
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n", self.title);
        text.extend(self.summary.iter().map(|sentence| format!("\n- {sentence}")));
        text.push('\n');
        text.extend(self.sections.iter().map(Section::markdown));
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
