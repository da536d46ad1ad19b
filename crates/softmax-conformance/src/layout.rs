//! Memory layouts, and arrays in them. Between the entries lies a sentinel, which a backend must neither read nor
//! change.

use softmax_core::ndarray::{
    Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis, ShapeBuilder, Slice,
};

/// The memory layout of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) name: &'static str,
    by_columns: bool,
    /// Step along each axis through a larger matrix. A negative step reverses the order.
    steps: [isize; 2],
    /// Extra entries after each row (by columns: after each column).
    padding: usize,
}

/// Row-major without gaps.
pub(crate) const ROWS: Layout = Layout { name: "rows", by_columns: false, steps: [1, 1], padding: 0 };

/// The layouts that array libraries produce.
pub(crate) const LAYOUTS: [Layout; 9] = [
    ROWS,
    Layout { name: "columns", by_columns: true, ..ROWS },
    Layout { name: "strided", steps: [2, 3], ..ROWS },
    Layout { name: "reversed", steps: [-1, -1], ..ROWS },
    Layout { name: "stridedcolumns", by_columns: true, steps: [2, 1], ..ROWS },
    Layout { name: "padded", padding: 3, ..ROWS },
    Layout { name: "paddedcolumns", by_columns: true, padding: 3, ..ROWS },
    Layout { name: "rowsbackwards", steps: [-1, 1], ..ROWS },
    Layout { name: "columnsbackwards", by_columns: true, steps: [1, -1], ..ROWS },
];

/// Steps between the entries of vectors. A negative step reverses the order.
pub(crate) const STEPS: [isize; 3] = [1, 2, -1];

/// A matrix in a layout.
#[derive(Clone, Debug)]
pub(crate) struct Placed<A> {
    storage: Array2<A>,
    layout: Layout,
    dim: (usize, usize),
}

impl<A: Copy + PartialEq> Placed<A> {
    /// A copy of `matrix`, with `sentinel` between its entries.
    pub(crate) fn new(matrix: &Array2<A>, layout: Layout, sentinel: A) -> Self {
        let dim = matrix.dim();
        let mut sizes = [dim.0 * layout.steps[0].unsigned_abs(), dim.1 * layout.steps[1].unsigned_abs()];
        sizes[usize::from(!layout.by_columns)] += layout.padding;
        let shape = (sizes[0], sizes[1]).set_f(layout.by_columns);
        let mut placed = Placed { storage: Array2::from_elem(shape, sentinel), layout, dim };
        placed.view_mut().assign(matrix);
        placed
    }

    /// The slice of the larger matrix that holds the matrix, along an axis.
    fn slice(&self, axis: usize) -> Slice {
        let length = [self.dim.0, self.dim.1][axis];
        let step = self.layout.steps[axis];
        Slice::new(0, Some((length * step.unsigned_abs()) as isize), step)
    }

    pub(crate) fn view(&self) -> ArrayView2<'_, A> {
        let mut view = self.storage.view();
        (0..2).for_each(|axis| view.slice_axis_inplace(Axis(axis), self.slice(axis)));
        view
    }

    pub(crate) fn view_mut(&mut self) -> ArrayViewMut2<'_, A> {
        let slices = [self.slice(0), self.slice(1)];
        let mut view = self.storage.view_mut();
        (0..2).for_each(|axis| view.slice_axis_inplace(Axis(axis), slices[axis]));
        view
    }

    /// Whether all memory between the entries still holds `sentinel`.
    pub(crate) fn is_intact(&self, sentinel: A) -> bool {
        let mut rest = self.clone();
        rest.view_mut().fill(sentinel);
        rest.storage.iter().all(|&x| x == sentinel)
    }
}

/// A vector with a step between entries, stored as a matrix of one column.
#[derive(Clone, Debug)]
pub(crate) struct PlacedVector<A>(Placed<A>);

impl<A: Copy + PartialEq> PlacedVector<A> {
    pub(crate) fn new(vector: &Array1<A>, step: isize, sentinel: A) -> Self {
        let column = vector.view().insert_axis(Axis(1)).to_owned();
        let layout = Layout { name: "vector", by_columns: true, steps: [step, 1], padding: 0 };
        PlacedVector(Placed::new(&column, layout, sentinel))
    }

    pub(crate) fn view(&self) -> ArrayView1<'_, A> {
        self.0.view().index_axis_move(Axis(1), 0)
    }

    pub(crate) fn view_mut(&mut self) -> ArrayViewMut1<'_, A> {
        self.0.view_mut().index_axis_move(Axis(1), 0)
    }

    pub(crate) fn is_intact(&self, sentinel: A) -> bool {
        self.0.is_intact(sentinel)
    }
}
