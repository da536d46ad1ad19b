//! The products' inner loops. Each keeps its sums in registers; the shapes are for sixteen of them (AVX2).

use super::lanes::Lanes;
use softmax_core::Element;

/// `R` rows of X by `K` rows of Wᵀ, along the features: out[r][k] += x_r · w_k.
#[inline(always)]
pub(crate) fn dots<T: Element, L: Lanes<T>, const R: usize, const K: usize>(
    lanes: L,
    x: [&[T]; R],
    w: [&[T]; K],
) -> [[T; K]; R] {
    let length = x[0].len();
    let whole = length / L::N;
    let zero = lanes.splat(T::zero());
    let mut sums = [[zero; K]; R];
    let xs = x.map(|x| &L::split(&x[..length]).0[..whole]);
    let ws = w.map(|w| &L::split(&w[..length]).0[..whole]);
    for v in 0..whole {
        let x = xs.map(|x| x[v]);
        for k in 0..K {
            let w = ws[k][v];
            for r in 0..R {
                sums[r][k] = lanes.mul_add(x[r], w, sums[r][k]);
            }
        }
    }
    let mut out = [[T::zero(); K]; R];
    for r in 0..R {
        for k in 0..K {
            let mut sum = lanes.sum(sums[r][k]);
            for d in whole * L::N..length {
                sum += x[r][d] * w[k][d];
            }
            out[r][k] = sum;
        }
    }
    out
}

/// Adds Σ_i g[i·stride + k]·x_i to `K` rows of dWᵀ, two vectors of features at a time. `x` gives the rows.
#[inline(always)]
pub(crate) fn outer<'a, T: Element, L: Lanes<T>, const K: usize>(
    lanes: L,
    x: &[&'a [T]],
    g: &[T],
    stride: usize,
    mut dw: [&mut [T]; K],
    vectors: std::ops::Range<usize>,
) {
    let mut v = vectors.start;
    while v < vectors.end {
        if v + 2 <= vectors.end {
            outer_step::<T, L, K, 2>(lanes, x, g, stride, &mut dw, v);
            v += 2;
        } else {
            outer_step::<T, L, K, 1>(lanes, x, g, stride, &mut dw, v);
            v += 1;
        }
    }
}

#[inline(always)]
fn outer_step<T: Element, L: Lanes<T>, const K: usize, const V: usize>(
    lanes: L,
    x: &[&[T]],
    g: &[T],
    stride: usize,
    dw: &mut [&mut [T]; K],
    v: usize,
) {
    let zero = lanes.splat(T::zero());
    let mut sums = [[zero; V]; K];
    let columns = v * L::N..(v + V) * L::N;
    for (x, g) in x.iter().zip(g.chunks(stride)) {
        let x: [L::V; V] = vectors(L::split(&x[columns.clone()]).0);
        let g = &g[..K];
        for k in 0..K {
            let g = lanes.splat(g[k]);
            for (sum, x) in sums[k].iter_mut().zip(x) {
                *sum = lanes.mul_add(g, x, *sum);
            }
        }
    }
    for (dw, sums) in dw.iter_mut().zip(sums) {
        for (dw, sum) in L::split_mut(&mut dw[columns.clone()]).0.iter_mut().zip(sums) {
            *dw = lanes.add(*dw, sum);
        }
    }
}

#[inline(always)]
fn vectors<V: Copy, const COUNT: usize>(slice: &[V]) -> [V; COUNT] {
    std::array::from_fn(|k| slice[k])
}

/// A tile of scores: `R` rows of X by one panel of W, D rows of two vectors. Writes rows of two vectors.
#[inline(always)]
pub(crate) fn panel_scores<T: Element, L: Lanes<T>, const R: usize>(
    lanes: L,
    x: [&[T]; R],
    panel: &[T],
    out: &mut [T],
) {
    let d = x[0].len();
    let x = x.map(|x| &x[..d]);
    let (w, _) = L::split(panel);
    let w = &w[..2 * d];
    let zero = lanes.splat(T::zero());
    let mut sums = [[zero; 2]; R];
    for k in 0..d {
        let (a, b) = (w[2 * k], w[2 * k + 1]);
        for r in 0..R {
            let x = lanes.splat(x[r][k]);
            sums[r][0] = lanes.mul_add(x, a, sums[r][0]);
            sums[r][1] = lanes.mul_add(x, b, sums[r][1]);
        }
    }
    let (out, _) = L::split_mut(out);
    for (out, sums) in out.chunks_exact_mut(2).zip(sums) {
        out[0] = sums[0];
        out[1] = sums[1];
    }
}

/// A tile of dW: `K` features by one panel, over the rows of G, which has two vectors a row. `x` is row-major
/// with `stride` and begins at the first of the features. Adds to rows of two vectors.
#[inline(always)]
pub(crate) fn panel_gradient<T: Element, L: Lanes<T>, const K: usize>(
    lanes: L,
    x: &[T],
    stride: usize,
    gradient: &[T],
    out: &mut [T],
) {
    let (g, _) = L::split(gradient);
    let (g, _) = g.as_chunks::<2>();
    let (out, _) = L::split_mut(out);
    let zero = lanes.splat(T::zero());
    let mut sums = [[zero; 2]; K];
    for (x, g) in x.chunks(stride).zip(g) {
        let x = &x[..K];
        for k in 0..K {
            let x = lanes.splat(x[k]);
            sums[k][0] = lanes.mul_add(x, g[0], sums[k][0]);
            sums[k][1] = lanes.mul_add(x, g[1], sums[k][1]);
        }
    }
    for (out, sums) in out.chunks_exact_mut(2).zip(sums) {
        out[0] = lanes.add(out[0], sums[0]);
        out[1] = lanes.add(out[1], sums[1]);
    }
}

/// `R` rows of dX by `K` features, over a chunk of classes: Σ over panels of g · w. `gradient` and `w` begin at
/// the first row and the first feature of the first panel; each panel is `g_step` or `w_step` further on, and
/// rows have two vectors.
#[inline(always)]
pub(crate) fn panel_dots<T: Element, L: Lanes<T>, const R: usize, const K: usize>(
    lanes: L,
    gradient: &[T],
    g_step: usize,
    w: &[T],
    w_step: usize,
) -> [[T; K]; R] {
    let zero = lanes.splat(T::zero());
    let mut sums = [[zero; K]; R];
    for (g, w) in gradient.chunks(g_step).zip(w.chunks(w_step)) {
        let (g, _) = L::split(g);
        let (w, _) = L::split(w);
        let (g, w) = (&g[..2 * R], &w[..2 * K]);
        for half in 0..2 {
            for k in 0..K {
                for r in 0..R {
                    sums[r][k] = lanes.mul_add(g[2 * r + half], w[2 * k + half], sums[r][k]);
                }
            }
        }
    }
    sums.map(|row| row.map(|sum| lanes.sum(sum)))
}
