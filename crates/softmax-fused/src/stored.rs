//! A problem's features and weights as they are stored. Half precision is widened where it is packed or loaded;
//! widening is exact.

use crate::kernel::ahead::Ahead;
use crate::kernel::level::FusedElement;
use crate::rounds::Crew;
use softmax_core::half::{bf16, f16};
use softmax_core::ndarray::{ArrayView1, ArrayView2, Axis};
use softmax_core::{Csr, Features, Problem, Weights};

/// Independent sums of squares: one would be limited by the latency of an addition.
const CHAINS: usize = 16;

/// A stored number that the element type `T` represents exactly.
pub(crate) trait Number<T>: Copy {
    fn widened(self) -> T;

    /// Widens all numbers.
    fn copy(from: &[Self], to: &mut [T]);

    /// The numbers as slices of `T`: the stored ones if they are of type `T`, otherwise widened into `room`.
    fn read<'a>(from: &'a [Self], room: &'a mut [T]) -> &'a [T];
}

impl<T: FusedElement> Number<T> for T {
    #[inline(always)]
    fn widened(self) -> T {
        self
    }
    #[inline(always)]
    fn copy(from: &[T], to: &mut [T]) {
        to.copy_from_slice(from);
    }
    #[inline(always)]
    fn read<'a>(from: &'a [T], _: &'a mut [T]) -> &'a [T] {
        from
    }
}

macro_rules! impl_half {
    ($Half:ty, $widen:ident) => {
        impl<T: FusedElement> Number<T> for $Half {
            #[inline(always)]
            fn widened(self) -> T {
                T::narrow(self.to_f64())
            }
            #[inline(always)]
            fn copy(from: &[$Half], to: &mut [T]) {
                T::$widen(from, to);
            }
            #[inline(always)]
            fn read<'a>(from: &'a [$Half], room: &'a mut [T]) -> &'a [T] {
                let room = &mut room[..from.len()];
                T::$widen(from, room);
                room
            }
        }
    };
}

impl_half!(f16, widen_f16);
impl_half!(bf16, widen_bf16);

/// A matrix of one of the storage types.
#[derive(Clone, Copy)]
pub(crate) enum Matrix<'p, T> {
    Plain(ArrayView2<'p, T>),
    F16(ArrayView2<'p, f16>),
    Bf16(ArrayView2<'p, bf16>),
}

/// Evaluates an expression with the array, whatever its storage type.
macro_rules! with_numbers {
    ($matrix:expr, $array:ident => $work:expr) => {
        match $matrix {
            crate::stored::Matrix::Plain($array) => $work,
            crate::stored::Matrix::F16($array) => $work,
            crate::stored::Matrix::Bf16($array) => $work,
        }
    };
}
pub(crate) use with_numbers;

impl<'p, T: FusedElement> Matrix<'p, T> {
    pub(crate) fn dim(&self) -> (usize, usize) {
        with_numbers!(self, array => array.dim())
    }

    /// The array, if it is of the element type and each row is contiguous.
    pub(crate) fn plain_rows(&self) -> Option<ArrayView2<'p, T>> {
        match self {
            Matrix::Plain(array) if array.ncols() <= 1 || array.strides()[1] == 1 => Some(*array),
            _ => None,
        }
    }

    /// Copies row `i`, widened.
    #[inline(always)]
    pub(crate) fn copy_row(&self, i: usize, to: &mut [T]) {
        with_numbers!(self, array => copy(&array.index_axis_move(Axis(0), i), to));
    }

    /// Bytes of a stored number.
    pub(crate) fn size(&self) -> usize {
        match self {
            Matrix::Plain(_) => size_of::<T>(),
            Matrix::F16(_) | Matrix::Bf16(_) => size_of::<f16>(),
        }
    }

    /// The address of row `i` for prefetching, if the row is contiguous.
    pub(crate) fn ahead(&self, i: usize) -> Option<Ahead> {
        with_numbers!(self, array => array.row(i).to_slice().map(Ahead::of))
    }

    /// Sums of squares in f64, one per `columns` columns. Element j of a row of the group goes to chain j mod 16; the
    /// chains are added in order.
    pub(crate) fn sums_of_squares(&self, columns: usize, crew: Crew<'_>) -> Vec<f64> {
        fn sum<T: FusedElement, S: Number<T>>(array: &ArrayView2<'_, S>) -> f64 {
            let mut room = vec![T::zero(); array.ncols()];
            let mut chains = [0.0; CHAINS];
            for row in array.rows() {
                copy(&row, &mut room);
                let (whole, rest) = room.as_chunks::<CHAINS>();
                for some in whole.iter().map(|some| &some[..]).chain([rest]) {
                    for (chain, x) in chains.iter_mut().zip(some) {
                        *chain += x.widen() * x.widen();
                    }
                }
            }
            chains.iter().sum()
        }
        with_numbers!(self, array => {
            let groups = array.axis_chunks_iter(Axis(1), columns);
            let mut sums = vec![0.0; groups.len()];
            crew.for_each(sums.iter_mut().zip(groups), |_, (to, group)| *to = sum::<T, _>(&group));
            sums
        })
    }
}

/// Copies the numbers of a row or column, widened.
#[inline(always)]
pub(crate) fn copy<T: FusedElement, S: Number<T>>(from: &ArrayView1<'_, S>, to: &mut [T]) {
    match from.to_slice() {
        Some(from) => S::copy(from, to),
        None => to.iter_mut().zip(from).for_each(|(to, from)| *to = from.widened()),
    }
}

/// X, dense or in compressed sparse rows.
#[derive(Clone, Copy)]
pub(crate) enum Samples<'p, T> {
    Dense(Matrix<'p, T>),
    Csr(Csr<'p, T>),
}

impl<T: FusedElement> Samples<'_, T> {
    pub(crate) fn dim(&self) -> (usize, usize) {
        match self {
            Samples::Dense(array) => array.dim(),
            Samples::Csr(csr) => (csr.n_rows(), csr.n_columns()),
        }
    }
}

/// Dense X and W.
#[derive(Clone, Copy)]
pub(crate) struct Dense<'p, T> {
    /// X (N×D).
    pub(crate) features: Matrix<'p, T>,
    /// W (D×C).
    pub(crate) weights: Matrix<'p, T>,
}

/// X and W.
#[derive(Clone, Copy)]
pub(crate) struct Stored<'p, T> {
    /// X (N×D).
    pub(crate) features: Samples<'p, T>,
    /// W (D×C).
    pub(crate) weights: Matrix<'p, T>,
}

impl<'p, T: FusedElement> Stored<'p, T> {
    pub(crate) fn new(problem: &Problem<'p, T>) -> Self {
        Stored {
            features: match problem.features() {
                Features::Dense(array) => Samples::Dense(Matrix::Plain(array)),
                Features::F16(array) => Samples::Dense(Matrix::F16(array)),
                Features::Bf16(array) => Samples::Dense(Matrix::Bf16(array)),
                Features::Csr(csr) => Samples::Csr(csr),
            },
            weights: match problem.weights() {
                Weights::Dense(array) => Matrix::Plain(array),
                Weights::F16(array) => Matrix::F16(array),
                Weights::Bf16(array) => Matrix::Bf16(array),
            },
        }
    }

    pub(crate) fn n_samples(&self) -> usize {
        self.features.dim().0
    }

    pub(crate) fn n_features(&self) -> usize {
        self.features.dim().1
    }

    pub(crate) fn n_classes(&self) -> usize {
        self.weights.dim().1
    }
}
