//! Matrix products by OpenBLAS's `gemm`, called directly. ndarray's feature `blas` would also send the products of
//! every other crate in the build to OpenBLAS.
#![allow(unsafe_code)]

use cblas_sys::{CBLAS_LAYOUT, CBLAS_TRANSPOSE, cblas_dgemm, cblas_sgemm};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, CowArray, Ix2};
use softmax_core::{Dtype, Element, Error, Result};
use std::ffi::c_int;

/// Computes C = A·B, or C += A·B if `add`. Arrays may have any strides; layouts that `gemm` does not accept are copied.
///
/// # Errors
/// [`Error::Backend`] if a length does not fit OpenBLAS's integer type.
pub(crate) fn multiply<T: Element>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    c: &mut ArrayViewMut2<'_, T>,
    add: bool,
) -> Result<()> {
    let ((m, k), n) = (a.dim(), b.ncols());
    assert!(b.nrows() == k && c.dim() == (m, n), "the shapes of a product");
    if m == 0 || n == 0 || k == 0 {
        if !add {
            c.fill(T::zero());
        }
        return Ok(());
    }
    if pitch_of(c.view()).is_none() {
        // Cᵀ = Bᵀ·Aᵀ has contiguous rows where C has contiguous columns.
        if pitch_of(c.view().reversed_axes()).is_some() {
            return multiply(b.reversed_axes(), a.reversed_axes(), &mut c.view_mut().reversed_axes(), add);
        }
        let mut product = Array2::zeros((m, n));
        multiply(a, b, &mut product.view_mut(), false)?;
        if add {
            *c += &product;
        } else {
            c.assign(&product);
        }
        return Ok(());
    }
    let (a, b) = (Operand::new(a), Operand::new(b));
    let sizes = [m, n, k, a.pitch, b.pitch, pitch_of(c.view()).unwrap_or(n)];
    let counted: Option<Vec<c_int>> = sizes.iter().map(|&size| c_int::try_from(size).ok()).collect();
    let Some(&[m, n, k, a_pitch, b_pitch, c_pitch]) = counted.as_deref() else {
        let largest = sizes.iter().max().copied().unwrap_or(0);
        return Err(Error::Backend {
            backend: "openblas".to_owned(),
            message: format!(
                "expected lengths below 2^31, the limit of OpenBLAS's integers, found {largest}"
            ),
            source: None,
        });
    };
    let beta = if add { 1.0 } else { 0.0 };
    let (row_major, a_order, b_order) = (CBLAS_LAYOUT::CblasRowMajor, a.order, b.order);
    let (a, b, c) = (a.array.as_ptr(), b.array.as_ptr(), c.as_mut_ptr());
    macro_rules! gemm {
        ($gemm:ident) => {
            $gemm(
                row_major,
                a_order,
                b_order,
                m,
                n,
                k,
                1.0,
                a.cast(),
                a_pitch,
                b.cast(),
                b_pitch,
                beta as _,
                c.cast(),
                c_pitch,
            )
        };
    }
    // SAFETY: each factor has contiguous rows, or contiguous columns if its order is `CblasTrans`. They are `pitch`
    // apart and have the lengths that are passed. `C` has contiguous rows in the same way, and is borrowed mutably, so
    // nothing else reads it. `T` is f32 or f64, and `DTYPE` says which, so the pointers have the element type of the
    // function.
    unsafe {
        match T::DTYPE {
            Dtype::F32 => gemm!(cblas_sgemm),
            Dtype::F64 => gemm!(cblas_dgemm),
        }
    }
    Ok(())
}

/// A factor in a layout that `gemm` accepts: contiguous rows or contiguous columns.
struct Operand<'a, T> {
    array: CowArray<'a, T, Ix2>,
    order: CBLAS_TRANSPOSE,
    /// The stride in elements from one contiguous row (or column) to the next.
    pitch: usize,
}

impl<'a, T: Element> Operand<'a, T> {
    fn new(array: ArrayView2<'a, T>) -> Self {
        use CBLAS_TRANSPOSE::{CblasNoTrans, CblasTrans};
        if let Some(pitch) = pitch_of(array) {
            return Operand { array: array.into(), order: CblasNoTrans, pitch };
        }
        if let Some(pitch) = pitch_of(array.reversed_axes()) {
            return Operand { array: array.into(), order: CblasTrans, pitch };
        }
        let pitch = array.ncols();
        let copy = Array2::from_shape_fn(array.dim(), |place| array[place]);
        Operand { array: copy.into(), order: CblasNoTrans, pitch }
    }
}

/// The row stride in elements. `None` if the rows are not contiguous, or if they overlap.
fn pitch_of<T>(matrix: ArrayView2<'_, T>) -> Option<usize> {
    let ((rows, columns), strides) = (matrix.dim(), matrix.strides());
    let is_contiguous = columns <= 1 || strides[1] == 1;
    let pitch = if rows <= 1 { columns } else { usize::try_from(strides[0]).ok()? };
    (is_contiguous && pitch >= columns).then_some(pitch.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Axis, ShapeBuilder, Slice};

    fn matrix(rows: usize, columns: usize, by_columns: bool, step: isize) -> Array2<f64> {
        let storage = (rows * step.unsigned_abs(), columns).set_f(by_columns);
        let mut matrix = Array2::from_shape_fn(storage, |(i, j)| ((i * 7 + j * 3) % 11) as f64 - 5.0);
        matrix.slice_axis_inplace(Axis(0), Slice::new(0, None, step));
        matrix
    }

    #[test]
    fn products_of_every_layout_are_exact() {
        for (m, k, n) in [(1, 1, 1), (3, 4, 5), (1, 6, 2), (5, 1, 1), (4, 0, 3), (0, 2, 2)] {
            for layouts in 0..64 {
                let layout = |place: u32| {
                    (layouts >> place & 1 == 1, if layouts >> (place + 1) & 1 == 1 { -2 } else { 1 })
                };
                let of = |rows, columns, (by_columns, step)| matrix(rows, columns, by_columns, step);
                let (a, b) = (of(m, k, layout(0)), of(k, n, layout(2)));
                for add in [false, true] {
                    let mut c = of(m, n, layout(4));
                    let entry = |(i, j): (usize, usize)| (0..k).map(|l| a[[i, l]] * b[[l, j]]).sum::<f64>();
                    let expected =
                        Array2::from_shape_fn((m, n), |at| entry(at) + if add { c[at] } else { 0.0 });
                    multiply(a.view(), b.view(), &mut c.view_mut(), add).unwrap();
                    assert_eq!(c, expected, "{m}x{k}x{n}, layouts {layouts}");
                }
            }
        }
    }
}
