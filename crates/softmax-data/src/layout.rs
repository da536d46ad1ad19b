/// How a file identifies its features, so that other files with such features can be read in the same way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeatureLayout {
    /// A table's column for each feature, by the names of its header. `None` without a header, and for other formats.
    pub columns: Option<Vec<String>>,
    /// The name of a table's label column. `None` without a header.
    pub label_column: Option<String>,
    /// The index of a table's label column, from 0, among the columns that are not dropped.
    pub label_index: Option<usize>,
    /// The index of the first feature in svmlight text: 0 or 1.
    pub first_index: Option<u32>,
}
