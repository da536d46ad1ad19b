//! Second moments of the features, weighted by the samples' shares of the loss.

use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::{Accum, Mat, MatRef, Par};
use ndarray::{Array1, Array2};
use rayon::prelude::*;
use softmax::{Dtype, Element, Problem, ndarray};

/// The number of samples that one task sums. Independent of the number of threads, as results must be.
const SAMPLES: usize = 4096;

/// |u_i·w_y|/|Ω| of each sample, its share of the loss. 0 for an ignored sample; w_y is 1 for soft targets.
pub(crate) fn weights_of_samples<T: Element>(problem: &Problem<'_, T>) -> Vec<f64> {
    let total = problem.total_weight().abs();
    let weight = |i: usize| {
        let u = problem.sample_weights().map_or(1.0, |u| u[i].widen());
        let of_class = |w: ndarray::ArrayView1<'_, T>| problem.label(i).map_or(1.0, |y| w[y].widen());
        (u * problem.class_weights().map_or(1.0, of_class)).abs() / total
    };
    (0..problem.n_samples()).map(|i| if problem.counts(i) { weight(i) } else { 0.0 }).collect()
}

/// Sums over all samples, with v the samples' shares of the loss.
pub(crate) struct Moments {
    /// Σ v.
    pub(crate) total: f64,
    /// Σ v·x² of each feature, followed by Σ v if there is a bias.
    pub(crate) squares: Array1<f64>,
    /// [`largest_scale`].
    most: f64,
}

impl Moments {
    pub(crate) fn new<T: Element>(problem: &Problem<'_, T>, weights: &[f64], has_bias: bool) -> Self {
        let features = problem.features();
        let parts: Vec<Array1<f64>> = weights
            .par_chunks(SAMPLES)
            .enumerate()
            .map(|(part, weights)| {
                let mut sums = Array1::zeros(problem.n_features());
                for (i, &weight) in weights.iter().enumerate().filter(|&(_, &weight)| weight > 0.0) {
                    features.row(part * SAMPLES + i).for_each(|(k, x)| {
                        let x = x.widen();
                        sums[k] += weight * x * x;
                    });
                }
                sums
            })
            .collect();
        let total = weights.iter().sum();
        let bias = has_bias.then_some(total);
        let squares = parts.into_iter().fold(Array1::zeros(problem.n_features()), |sum, part| sum + part);
        let most = largest_scale(problem);
        Moments { total, squares: squares.into_iter().chain(bias).collect(), most }
    }

    /// The factor that gives each feature a mean square of 1. It is 1 if that factor is not a normal number, and 0 if it
    /// exceeds [`largest_scale`].
    pub(crate) fn scales(&self) -> Array1<f64> {
        self.squares.mapv(|square| {
            let scale = (self.total / square).sqrt();
            if !scale.is_normal() {
                1.0
            } else if scale > self.most {
                0.0
            } else {
                scale
            }
        })
    }
}

/// The largest factor of a feature, and so about the largest weight. Without a penalty the weight of a feature with smaller
/// values would overflow the element type; it stays 0. A penalty keeps weights small.
pub(crate) fn largest_scale<T: Element>(problem: &Problem<'_, T>) -> f64 {
    const ROOM: f64 = 1e4;
    let most = match T::DTYPE {
        Dtype::F32 => f64::from(f32::MAX),
        // The squares of the scales are finite too.
        Dtype::F64 => f64::MAX.sqrt(),
    };
    if problem.objective().l2 > 0.0 { f64::INFINITY } else { most / ROOM }
}

/// The most parts of the samples that are summed separately. Independent of the number of threads, as results must be.
const PARTS: usize = 8;
/// The fewest samples of a part, except the last one.
const LEAST_SAMPLES: usize = 128;

/// Σ v·h·x² of each feature, for each column h (N) of `curvatures`; the last row is Σ v·h if there is a bias.
pub(crate) fn curvatures_of_features<T: Element>(
    problem: &Problem<'_, T>,
    weights: &[f64],
    curvatures: &Array2<f64>,
    has_bias: bool,
) -> Array2<f64> {
    let (d, columns) = (problem.n_features(), curvatures.ncols());
    let features = problem.features();
    let size = weights.len().div_ceil(PARTS).max(LEAST_SAMPLES);
    let parts: Vec<Array2<f64>> = weights
        .par_chunks(size)
        .enumerate()
        .map(|(part, weights)| {
            let mut sums = Array2::zeros((d + usize::from(has_bias), columns));
            let entries = sums.as_slice_mut().expect("an array in standard order");
            let mut of_sample = vec![0.0; columns];
            for (i, &weight) in (part * size..).zip(weights).filter(|&(_, &weight)| weight > 0.0) {
                of_sample.iter_mut().zip(curvatures.row(i)).for_each(|(to, h)| *to = weight * h);
                let bias = has_bias.then_some((d, 1.0));
                features.row(i).map(|(k, x)| (k, x.widen())).chain(bias).for_each(|(k, x)| {
                    let square = x * x;
                    let sums = &mut entries[k * columns..][..columns];
                    sums.iter_mut().zip(&of_sample).for_each(|(sum, h)| *sum += square * h);
                });
            }
            sums
        })
        .collect();
    let zeros = Array2::zeros((d + usize::from(has_bias), columns));
    parts.into_iter().fold(zeros, |sum, part| sum + part)
}

/// A drawn sample, and the total weight of the samples that it stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) sample: usize,
    pub(crate) weight: f64,
}

/// Draws at most `count` samples by systematic sampling: in proportion to their attention, and evenly through the
/// data. The weights of the shares sum to about the total attention, so that sums over the shares estimate sums over
/// all samples that are weighted by attention.
///
/// If `count` is at least the number of samples, each sample is its own share, with its attention as weight: a sample
/// of weight 2 then equals the same sample twice. Samples whose attention is 0 or not finite are left out.
pub(crate) fn draw(attention: &[f64], count: usize) -> Vec<Share> {
    let is_drawn = |&attention: &f64| attention > 0.0 && attention.is_finite();
    if count >= attention.len() {
        let drawn = attention.iter().enumerate().filter(|(_, attention)| is_drawn(attention));
        return drawn.map(|(sample, &weight)| Share { sample, weight }).collect();
    }
    let total: f64 = attention.iter().copied().filter(is_drawn).sum();
    let step = total / count.max(1) as f64;
    let (mut passed, mut shares) = (0.0, Vec::with_capacity(count));
    for (sample, &attention) in attention.iter().enumerate().filter(|(_, attention)| is_drawn(attention)) {
        // The number of multiples of `step` that this sample covers.
        let before = (passed / step).ceil();
        passed += attention;
        let covered = (passed / step).ceil() - before;
        if covered > 0.0 {
            shares.push(Share { sample, weight: covered * step });
        }
    }
    shares
}

/// The number of samples in one matrix product.
const BLOCK: usize = 512;
/// The number of rows and columns of a tile of the matrix, which one task computes.
const TILE: usize = 256;

/// The lower half of Σ share·(s∘x)(s∘x)ᵀ, where s is `scales` and x includes the constant feature of the bias.
pub(crate) fn gram<T: Element>(
    problem: &Problem<'_, T>,
    shares: &[Share],
    scales: &Array1<f64>,
    has_bias: bool,
) -> Mat<f64> {
    let (rows, features) = (scales.len(), problem.features());
    let tiles = rows.div_ceil(TILE);
    let range = |tile: usize| tile * TILE..((tile + 1) * TILE).min(rows);
    let mut sums: Vec<(usize, usize, Mat<f64>)> = (0..tiles)
        .flat_map(|i| (0..=i).map(move |j| (i, j)))
        .map(|(i, j)| (i, j, Mat::zeros(range(i).len(), range(j).len())))
        .collect();
    let mut packed = vec![0.0; BLOCK.min(shares.len()) * rows];
    for block in shares.chunks(BLOCK) {
        packed.par_chunks_mut(rows).zip(block).for_each(|(row, share)| {
            let root = share.weight.sqrt();
            row.fill(0.0);
            features.row(share.sample).for_each(|(k, x)| row[k] = root * scales[k] * x.widen());
            if has_bias {
                row[rows - 1] = root * scales[rows - 1];
            }
        });
        let x = MatRef::from_row_major_slice(&packed[..block.len() * rows], block.len(), rows);
        sums.par_iter_mut().for_each(|(i, j, sum)| {
            let (left, right) = (x.get(.., range(*i)).transpose(), x.get(.., range(*j)));
            let all = BlockStructure::Rectangular;
            let half = if i == j { BlockStructure::TriangularLower } else { all };
            matmul(sum.as_mut(), half, Accum::Add, left, all, right, all, 1.0, Par::Seq);
        });
    }
    let mut gram = Mat::zeros(rows, rows);
    for (i, j, sum) in sums {
        gram.get_mut(range(i), range(j)).copy_from(sum);
    }
    gram
}
