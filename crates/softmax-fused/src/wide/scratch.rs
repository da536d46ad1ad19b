use crate::buffer::Buffer;
use crate::columns::Columns;

/// Memory that is kept from call to call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch<T> {
    /// W by panels: each D rows of two vectors.
    pub(super) weights: Buffer<T>,
    /// A block's scores by panels, each a row of two vectors per sample; after those of a group of panels, their
    /// slopes, if there is a softcap.
    pub(super) scores: Buffer<T>,
    /// A block of X for the scores: by chunks of features, then by groups of rows, then by features.
    pub(super) rows_together: Buffer<T>,
    /// A block of X for dW: by groups of features, then by rows.
    pub(super) features_together: Buffer<T>,
    /// Per panel and row.
    pub(super) maxima: Buffer<T>,
    /// Per group of panels and row: sums in vectors, their sums, and the parts of Σ a·(s − m).
    pub(super) sums: Buffer<T>,
    pub(super) rest: Buffer<T>,
    pub(super) cross: Buffer<T>,
    /// A block of dX by panels of two vectors of features.
    pub(super) dx: Buffer<T>,
    /// db, of all blocks so far.
    pub(super) db: Vec<f64>,
    pub(super) columns: Vec<Columns<T>>,
}
