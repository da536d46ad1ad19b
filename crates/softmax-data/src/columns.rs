//! Which columns of a table are features, and which one is the label.

use crate::error::{ColumnRole, DataError, Place, Result};
use crate::layout::FeatureLayout;
use crate::options::ReadOptions;
use csv::StringRecord;
use std::collections::{HashMap, HashSet};

/// A column with one of these names is the label if no column is requested.
pub const LABEL_NAMES: [&str; 5] = ["label", "class", "target", "y", "species"];

/// The parts of a table.
#[derive(Debug)]
pub(crate) struct Columns {
    /// The column of each feature.
    pub(crate) features: Vec<usize>,
    /// The label's column.
    pub(crate) label: Option<usize>,
}

/// A table whose columns are to be assigned.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    origin: &'a str,
    header: Option<&'a StringRecord>,
    width: usize,
    /// The first column with each name, and the number of columns with it.
    places: HashMap<&'a str, (usize, usize)>,
    /// Whether the labels are in another file. The last column is then a feature, unless it is requested or named as
    /// the label.
    has_other_labels: bool,
}

impl<'a> Table<'a> {
    pub(crate) fn new(
        origin: &'a str,
        header: Option<&'a StringRecord>,
        width: usize,
        has_other_labels: bool,
    ) -> Self {
        let mut places = HashMap::new();
        for (column, name) in header.into_iter().flat_map(StringRecord::iter).enumerate() {
            places.entry(name).or_insert((column, 0)).1 += 1;
        }
        Table { origin, header, width, places, has_other_labels }
    }

    /// Assigns the columns. With a header and the names of a layout, features are found by name and other columns are
    /// left out. Otherwise each column is a feature that is neither the label nor dropped.
    pub(crate) fn columns(&self, options: &ReadOptions) -> Result<Columns> {
        let named = self.header.and(options.layout.as_ref()).and_then(|layout| layout.columns.as_ref());
        match named {
            Some(names) => self.named_columns(names, options),
            None => self.other_columns(options),
        }
    }

    /// The features with these names, in their order, and the label.
    fn named_columns(&self, names: &[String], options: &ReadOptions) -> Result<Columns> {
        let features = names.iter().map(|name| self.feature(name)).collect::<Result<Vec<_>>>()?;
        let chosen: HashSet<usize> = features.iter().copied().collect();
        let is_other = |column: &usize| !chosen.contains(column);
        // Other columns than features are left out in any case, so columns to drop need not exist. Those of validation samples
        // are the columns of the training table.
        let dropped = options.drop_columns.iter().filter(|_| options.unlabelled.is_some());
        let mut dropped = dropped.filter_map(|asked| self.place(asked, ColumnRole::Dropped).ok());
        if let Some(feature) = dropped.find(|column| !is_other(column)) {
            let (origin, column) = (self.origin.to_owned(), self.name(feature));
            return Err(DataError::DroppedFeature { origin, column });
        }
        let known = options.layout.as_ref().and_then(|layout| layout.label_column.as_deref());
        let last = || (0..self.width).rev().find(is_other).filter(|_| options.unlabelled.is_none());
        let label = match (&options.label_column, known) {
            (Some(asked), _) => {
                let label = self.place(asked, ColumnRole::Label)?;
                if !is_other(&label) {
                    let (origin, column) = (self.origin.to_owned(), self.name(label));
                    return Err(DataError::LabelIsFeature { origin, column });
                }
                Some(label)
            }
            (None, Some(known)) => self.named(known).filter(is_other),
            (None, None) => {
                LABEL_NAMES.iter().find_map(|name| self.named(name)).filter(is_other).or_else(last)
            }
        };
        if label.is_none() && options.unlabelled.is_none() && !self.has_other_labels {
            return Err(self.no_column(known.unwrap_or(LABEL_NAMES[0]), ColumnRole::Label));
        }
        Ok(Columns { features, label })
    }

    /// All columns but the dropped ones, one of them as the label.
    fn other_columns(&self, options: &ReadOptions) -> Result<Columns> {
        let dropped = options.drop_columns.iter().map(|column| self.place(column, ColumnRole::Dropped));
        let dropped = dropped.collect::<Result<HashSet<usize>>>()?;
        let kept: Vec<usize> = (0..self.width).filter(|column| !dropped.contains(column)).collect();
        let has_labels = options.label_column.is_some() || options.unlabelled != Some(kept.len());
        let label = if has_labels { self.label(options, &kept)? } else { None };
        if let Some(label) = label.filter(|label| dropped.contains(label)) {
            let (origin, column) = (self.origin.to_owned(), self.name(label));
            return Err(DataError::DroppedLabel { origin, column });
        }
        Ok(Columns { features: kept.into_iter().filter(|&column| Some(column) != label).collect(), label })
    }

    /// The name of a column, or its index if it has none.
    pub(crate) fn name(&self, column: usize) -> String {
        let name = self.header.and_then(|header| header.get(column)).filter(|name| !name.is_empty());
        name.map_or(column.to_string(), str::to_owned)
    }

    /// The layout that these columns are an example of. Their names are kept if none occurs twice.
    pub(crate) fn layout(&self, columns: &Columns) -> FeatureLayout {
        let name_of = |column: usize| self.header.and_then(|header| header.get(column)).map(str::to_owned);
        let before = |label: usize| columns.features.iter().filter(|&&column| column < label).count();
        FeatureLayout {
            columns: self.names(&columns.features),
            label_column: columns.label.and_then(name_of),
            label_index: columns.label.map(before),
            first_index: None,
        }
    }

    /// The names of these columns, if there is a header in which each of them occurs once.
    fn names(&self, columns: &[usize]) -> Option<Vec<String>> {
        let header = self.header?;
        let names = columns.iter().map(|&column| header.get(column).map(str::to_owned));
        let names = names.collect::<Option<Vec<String>>>()?;
        names.iter().all(|name| self.count(name) == 1).then_some(names)
    }

    /// The label column: the requested one, or that with the name in the layout, or one with a name of [`LABEL_NAMES`],
    /// or that in the place of the layout, or the last of the `kept` columns.
    fn label(&self, options: &ReadOptions, kept: &[usize]) -> Result<Option<usize>> {
        if let Some(asked) = &options.label_column {
            return self.place(asked, ColumnRole::Label).map(Some);
        }
        let layout = options.layout.as_ref();
        let known = layout.and_then(|layout| self.named(layout.label_column.as_deref()?));
        let at_index = || kept.get(layout?.label_index?).copied();
        let named = || LABEL_NAMES.iter().find_map(|name| self.named(name));
        let last = || kept.last().copied().filter(|_| !self.has_other_labels);
        Ok(known.or_else(named).or_else(at_index).or_else(last))
    }

    /// The column with a name, or at an index from 0, or from the end if negative.
    fn place(&self, column: &str, role: ColumnRole) -> Result<usize> {
        let column = column.trim();
        let placed = || {
            let place: i64 = column.parse().ok()?;
            let from_start = if place < 0 { place.checked_add(self.width as i64)? } else { place };
            usize::try_from(from_start).ok().filter(|&place| place < self.width)
        };
        if self.count(column) > 1 {
            return Err(self.several(column));
        }
        self.named(column).or_else(placed).ok_or_else(|| self.no_column(column, role))
    }

    /// The only column with the exact name of a feature.
    fn feature(&self, name: &str) -> Result<usize> {
        match self.places.get(name) {
            Some(&(column, 1)) => Ok(column),
            Some(_) => Err(self.several(name)),
            None => Err(self.no_column(name, ColumnRole::Feature)),
        }
    }

    /// The column with this name, otherwise the first with this name in other cases.
    fn named(&self, name: &str) -> Option<usize> {
        let exact = self.places.get(name).map(|&(column, _)| column);
        exact.or_else(|| self.header?.iter().position(|field| field.eq_ignore_ascii_case(name)))
    }

    /// The number of columns with exactly this name.
    fn count(&self, name: &str) -> usize {
        self.places.get(name).map_or(0, |&(_, count)| count)
    }

    fn several(&self, name: &str) -> DataError {
        let (place, found) = (Place::Column(name.to_owned()), self.count(name).to_string());
        DataError::part(self.origin, place, "one column of this name", found)
    }

    fn no_column(&self, asked: &str, role: ColumnRole) -> DataError {
        DataError::Column {
            origin: self.origin.to_owned(),
            role,
            columns: self.width,
            names: self.header.into_iter().flat_map(StringRecord::iter).map(str::to_owned).collect(),
            asked: asked.to_owned(),
        }
    }
}
