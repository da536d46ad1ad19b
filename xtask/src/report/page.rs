//! What a report says, however it is written down.

/// A report.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) title: String,
    /// What a person reads in ten seconds.
    pub(crate) summary: Vec<String>,
    pub(crate) sections: Vec<Section>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Section {
    pub(crate) title: String,
    /// Sentences before the figure and the table.
    pub(crate) text: String,
    pub(crate) figure: Option<Figure>,
    pub(crate) table: Option<Table>,
    /// The commands that give these figures.
    pub(crate) commands: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// Its file's name, without the extension.
    pub(crate) name: &'static str,
    /// What it shows, for who can't see it.
    pub(crate) description: String,
    pub(crate) svg: String,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<String>>,
    /// Lines below it.
    pub(crate) notes: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Whether it has numbers, which stand to the right.
    pub(crate) is_numeric: bool,
}

impl Table {
    pub(crate) fn new(words: &[&str], numbers: &[&str]) -> Self {
        let column = |is_numeric| move |name: &&str| Column { name: (*name).to_owned(), is_numeric };
        let columns = words.iter().map(column(false)).chain(numbers.iter().map(column(true))).collect();
        Table { columns, ..Table::default() }
    }
}
