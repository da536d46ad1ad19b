//! Tables and their output formats.

use crate::palette::Palette;
use maud::{Markup, html};

/// Rows of cells below a header.
#[derive(Clone, Debug, Default)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    notes: Vec<String>,
}

#[derive(Clone, Debug)]
struct Column {
    name: String,
    /// Numbers are aligned to the right.
    is_numeric: bool,
}

/// One cell of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    text: String,
    is_bad: bool,
}

impl Cell {
    /// A failure, which a terminal shows in red.
    pub fn bad(text: impl Into<String>) -> Self {
        Cell { text: text.into(), is_bad: true }
    }

    /// A value formatted by `format`, or a dash for `None`.
    pub fn optional<V>(value: Option<V>, format: impl FnOnce(V) -> String) -> Self {
        value.map_or_else(|| "–".to_owned(), format).into()
    }
}

impl<S: Into<String>> From<S> for Cell {
    fn from(text: S) -> Self {
        Cell { text: text.into(), is_bad: false }
    }
}

impl Table {
    /// A table without columns. [`words`](Table::words) and [`numbers`](Table::numbers) add them from left to right.
    pub fn new() -> Self {
        Table::default()
    }

    /// Adds columns of text.
    #[must_use]
    pub fn words(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.columns(names, false)
    }

    /// Adds columns of numbers.
    #[must_use]
    pub fn numbers(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.columns(names, true)
    }

    fn columns(mut self, names: impl IntoIterator<Item = impl Into<String>>, is_numeric: bool) -> Self {
        self.columns.extend(names.into_iter().map(|name| Column { name: name.into(), is_numeric }));
        self
    }

    /// Adds a row, with a cell for each column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<Cell>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Adds a row, unless the table already has an equal one.
    pub fn row_once(&mut self, cells: impl IntoIterator<Item = impl Into<Cell>>) {
        let row: Vec<Cell> = cells.into_iter().map(Into::into).collect();
        if !self.rows.contains(&row) {
            self.rows.push(row);
        }
    }

    /// Adds a line below the table, unless it is there already.
    pub fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Text for a terminal, with aligned columns and the header in bold.
    pub fn text(&self, palette: Palette) -> String {
        let width = |text: &str| text.chars().count();
        let widest = |k: usize, column: &Column| {
            let cells = self.rows.iter().filter_map(|row| row.get(k)).map(|cell| width(&cell.text));
            cells.max().unwrap_or(0).max(width(&column.name))
        };
        let widths: Vec<usize> =
            self.columns.iter().enumerate().map(|(k, column)| widest(k, column)).collect();
        let line = |cells: Vec<(&str, String)>| {
            let mut line = String::new();
            let mut missing = 0;
            for (k, (text, painted)) in cells.into_iter().enumerate() {
                let space = widths[k] - width(text);
                let (before, after) = if self.columns[k].is_numeric { (space, 0) } else { (0, space) };
                // Spaces at the end of a line are left out.
                line += &" ".repeat(missing + before);
                line += &painted;
                missing = after + 2;
            }
            line
        };
        let header = line(self.columns.iter().map(|c| (c.name.as_str(), c.name.clone())).collect());
        let paint = |cell: &Cell| if cell.is_bad { palette.bad(&cell.text) } else { cell.text.clone() };
        let rows = self
            .rows
            .iter()
            .map(|row| line(row.iter().map(|cell| (cell.text.as_str(), paint(cell))).collect()));
        let lines = [palette.heading(header)].into_iter().chain(rows).chain(self.notes.iter().cloned());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// A Markdown table, with its notes as paragraphs.
    pub fn markdown(&self) -> String {
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let cells: Vec<String> = cells.map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let mut text = line(&mut self.columns.iter().map(|column| column.name.as_str()));
        text += &line(&mut self.columns.iter().map(|column| if column.is_numeric { "--:" } else { "---" }));
        text.extend(self.rows.iter().map(|row| line(&mut row.iter().map(|cell| cell.text.as_str()))));
        text.extend(self.notes.iter().map(|note| format!("\n{note}\n")));
        text
    }

    /// Comma-separated values, without the notes.
    ///
    /// # Errors
    /// If a row's number of cells differs from the number of columns.
    pub fn csv(&self) -> csv::Result<Vec<u8>> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(self.columns.iter().map(|column| &column.name))?;
        for row in &self.rows {
            csv.write_record(row.iter().map(|cell| &cell.text))?;
        }
        csv.into_inner().map_err(|error| error.into_error().into())
    }

    /// An HTML table, with its notes as paragraphs.
    pub fn html(&self) -> Markup {
        let class =
            |k: usize| self.columns.get(k).is_some_and(|column| column.is_numeric).then_some("number");
        html! {
            div.wide {
                table {
                    thead { tr { @for (k, column) in self.columns.iter().enumerate() {
                        th class=[class(k)] { (column.name) }
                    } } }
                    tbody { @for row in &self.rows { tr { @for (k, cell) in row.iter().enumerate() {
                        td class=[class(k)] { (cell.text) }
                    } } } }
                }
            }
            @for note in &self.notes { p.note { (note) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new().words(["name"]).numbers(["time"]).words(["agrees"]);
        table.row(["a|b".into(), Cell::optional(Some(1.0), |x| format!("{x} µs")), "yes".into()]);
        table.row(["longer".into(), Cell::optional(None::<f64>, |x| x.to_string()), Cell::bad("NO")]);
        table.note("a note".to_owned());
        table
    }

    #[test]
    fn text_is_aligned_and_marks_what_is_bad() {
        let plain = "name    time  agrees\na|b     1 µs  yes\nlonger     –  NO\na note";
        assert_eq!(table().text(Palette::PLAIN), plain);
        let colored = table().text(Palette::new(true));
        assert!(colored.contains(&format!("–  {}\n", Palette::new(true).bad("NO"))), "{colored}");
    }

    #[test]
    fn markdown_html_and_csv_escape_what_they_are_given() {
        let markdown = "| name | time | agrees |\n| --- | --: | --- |\n| a\\|b | 1 µs | yes |\n| longer | – | NO |\n\na note\n";
        assert_eq!(table().markdown(), markdown);
        let mut table = Table::new().words(["<b>"]).numbers(["n"]);
        table.row(["a,b", "1"]);
        assert_eq!(table.csv().unwrap(), b"<b>,n\n\"a,b\",1\n");
        assert!(table.html().into_string().contains("&lt;b&gt;"));
    }
}
