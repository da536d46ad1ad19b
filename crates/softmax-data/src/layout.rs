/// How a file identifies its features, so that other files with such features can be read in the same way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeatureLayout {
    /// A table's column for each feature, by the names of its header. `None` without a header, and for other formats.
    pub columns: Option<Vec<String>>,
    /// A table's label column: its name, or its index from 0 if the table has no header.
    pub label_column: Option<String>,
    /// The index of the first feature in svmlight text: 0 or 1.
    pub first_index: Option<u32>,
}
