//! Coordinates in which the loss has about the same curvature along all features, so that neither their scales nor
//! their correlations cost iterations. The minimised problem stays the same.
//!
//! The Hessian of the loss has a diagonal block Σ_i v_i·p_ic·(1 − p_ic)·x_i·x_iᵀ + λ·I for each class c, and smaller
//! blocks for pairs of classes. v are the samples' shares of the total weight, and x includes the constant feature of
//! the bias.
//!
//! The preconditioner is the inverse of the diagonal blocks. If there are many classes, one block serves all of them.
//! If even that is too much work, only the blocks' diagonals are used. All p are 1/C at W = 0. A renewal takes them
//! from the current point, where they differ if the model is certain of most samples.
//!
//! The matrices are summed over a part of the samples, drawn in proportion to v and to their curvature:
//! Σ_c p_c·(1 − p_c), or 1 − p² of the most probable class if one block serves all classes.

use crate::factor::inverse;
use crate::landscape::{Ground, Landscape, entries, entries_mut};
use crate::moments::{Moments, Share, curvatures_of_features, draw, gram, largest_scale, weights_of_samples};
use crate::probabilities::{best_log_probabilities, log_probabilities};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use ndarray::{Array1, Array2, ArrayView1, Axis};
use rayon::prelude::*;
use softmax::{Element, Features, Result, ndarray};

/// An approximation of the inverse Hessian.
pub(crate) struct Preconditioner {
    /// v: each sample's share of the total weight (N).
    weights: Vec<f64>,
    moments: Moments,
    form: Form,
}

enum Form {
    /// A factor for each parameter (rows×C), or for each row (rows×1).
    Diagonal(Array2<f64>),
    /// scales·inverse·scales, with one inverse for all classes or one for each class.
    Inverse { scales: Array1<f64>, inverses: Vec<Mat<f64>> },
}

/// The most rows of the parameters for which matrices are made; larger ones would take too long.
const MOST_ROWS: usize = 4097;
/// The most entries of the inverses of all classes together.
const MOST_ENTRIES: usize = 1 << 23;
/// The number of drawn samples per row of the parameters: more of them change little.
const SAMPLES_PER_FEATURE: usize = 4;
/// The most work of making a preconditioner, in evaluations.
const MOST_EVALUATIONS: f64 = 60.0;
/// The ridge added to a diagonal in scaled coordinates, as a fraction of the entry that a feature of mean square 1 in
/// all samples would have. If the model is certain of most samples, the remaining ones may not determine the
/// curvature along all features.
const RIDGE: f64 = 1e-3;

impl Preconditioner {
    /// The preconditioner at W = 0.
    pub(crate) fn new<T: Element>(ground: Ground<'_, T>) -> Self {
        let problem = ground.problem;
        let weights = weights_of_samples(problem);
        let moments = Moments::new(problem, &weights, ground.has_bias);
        let curvature = 1.0 / problem.n_classes() as f64;
        let diagonal = &moments.squares * curvature;
        let mut made = Preconditioner { weights, moments, form: Form::Diagonal(Array2::zeros((0, 0))) };
        let inverses = if evaluations_for(ground, 1) <= MOST_EVALUATIONS {
            let mut shares = draw(&made.weights, samples(ground));
            shares.iter_mut().for_each(|share| share.weight *= curvature);
            made.inverse_of(ground, &shares, diagonal.view(), 0.0).map(|inverse| vec![inverse])
        } else {
            None
        };
        made.form = match inverses {
            Some(inverses) => Form::Inverse { scales: made.moments.scales(), inverses },
            None => diagonal_form(ground, &diagonal.insert_axis(Axis(1))),
        };
        made
    }

    /// The number of iterations, each of about one evaluation, after which a renewal is worth its cost.
    pub(crate) fn renewal<T: Element>(&self, ground: Ground<'_, T>) -> usize {
        const SOONEST: f64 = 20.0;
        match self.form {
            Form::Inverse { .. } => evaluations_for(ground, blocks(ground)).max(SOONEST) as usize,
            Form::Diagonal(_) => SOONEST as usize,
        }
    }

    /// Renews the preconditioner at these parameters.
    ///
    /// # Errors
    /// The backend's errors.
    pub(crate) fn renew<T: Element>(
        &mut self,
        landscape: &mut Landscape<'_, T>,
        parameters: &Array2<T>,
    ) -> Result<()> {
        let ground = landscape.ground();
        let curvatures = self.curvatures(landscape, parameters)?;
        let problem = ground.problem;
        let diagonals = curvatures_of_features(problem, &self.weights, &curvatures, ground.has_bias);
        if matches!(self.form, Form::Diagonal(_)) {
            self.form = diagonal_form(ground, &diagonals);
            return Ok(());
        }
        let attention: Vec<f64> =
            self.weights.iter().zip(curvatures.rows()).map(|(weight, h)| weight * h.sum()).collect();
        let drawn = draw(&attention, samples(ground));
        let of_block = |block: usize| {
            let shares: Vec<Share> = drawn
                .iter()
                .map(|share| {
                    let Share { sample, weight } = *share;
                    let of_all = curvatures.row(sample).sum();
                    Share { sample, weight: weight / of_all * curvatures[[sample, block]] }
                })
                .collect();
            let terms = self.weights.iter().zip(curvatures.column(block));
            let unit: f64 = terms.map(|(weight, h)| weight * h).sum();
            self.inverse_of(ground, &shares, diagonals.column(block), RIDGE * unit)
        };
        let inverses: Option<Vec<Mat<f64>>> = (0..curvatures.ncols()).into_par_iter().map(of_block).collect();
        if let Some(inverses) = inverses {
            self.form = Form::Inverse { scales: self.moments.scales(), inverses };
        }
        Ok(())
    }

    /// The curvature of each sample for each block (N×blocks): p·(1 − p) of the block's class. For a single block,
    /// (1 − p²)/C of the most probable class, in place of the mean over all classes.
    fn curvatures<T: Element>(
        &self,
        landscape: &mut Landscape<'_, T>,
        parameters: &Array2<T>,
    ) -> Result<Array2<f64>> {
        let ground = landscape.ground();
        let blocks = match self.form {
            Form::Diagonal(_) => ground.shape().1,
            Form::Inverse { .. } => blocks(ground),
        };
        let problem = ground.problem_at(parameters)?;
        let classes = problem.n_classes() as f64;
        let curvatures = if blocks == 1 {
            let best = best_log_probabilities(landscape.backend(), &problem)?.mapv(Element::widen);
            best.mapv(|log_p| -(2.0 * log_p).exp_m1() / classes).insert_axis(Axis(1))
        } else {
            let curvature = |log_p: f64| log_p.exp() * -log_p.exp_m1();
            log_probabilities(landscape.backend(), &problem)?.mapv(|log_p| curvature(log_p.widen()))
        };
        // An ignored sample may give NaN.
        Ok(curvatures.mapv(|h| if h.is_finite() { h.max(f64::MIN_POSITIVE) } else { f64::MIN_POSITIVE }))
    }

    /// The inverse of Σ share·x·xᵀ/τ² + λ·I in scaled coordinates. The sum's diagonal is at least `diagonal`, its
    /// value over all samples, and is raised by `ridge`.
    fn inverse_of<T: Element>(
        &self,
        ground: Ground<'_, T>,
        shares: &[Share],
        diagonal: ArrayView1<'_, f64>,
        ridge: f64,
    ) -> Option<Mat<f64>> {
        let problem = ground.problem;
        let square = problem.objective().temperature.powi(2);
        let scales = self.moments.scales();
        let mut hessian = gram(problem, shares, &scales, ground.has_bias);
        for column in 0..hessian.ncols() {
            for row in column + 1..hessian.nrows() {
                hessian[(row, column)] /= square;
            }
            let scale = scales[column] * scales[column];
            // The drawn samples may lack a feature.
            let entry = hessian[(column, column)].max(diagonal[column] * scale) + ridge;
            let entry = entry / square + ground.penalty(column) * scale;
            // Without values a feature has no curvature, no gradient, and only zeros beside the diagonal.
            hessian[(column, column)] = if entry.is_normal() { entry } else { 1.0 };
        }
        inverse(hessian)
    }

    /// Multiplies parameters (rows×C) by the preconditioner.
    pub(crate) fn apply(&self, parameters: &mut Array2<f64>) {
        match &self.form {
            Form::Diagonal(factors) => *parameters *= factors,
            Form::Inverse { scales, inverses } => {
                scale_rows(parameters, scales);
                match inverses.as_slice() {
                    [inverse] => multiply(inverse, parameters),
                    inverses => multiply_classes(inverses, parameters),
                }
                scale_rows(parameters, scales);
            }
        }
    }
}

/// The diagonal form, from the diagonals of the blocks (rows×C), or of one block for all classes (rows×1).
fn diagonal_form<T: Element>(ground: Ground<'_, T>, diagonals: &Array2<f64>) -> Form {
    let square = ground.problem.objective().temperature.powi(2);
    let most = largest_scale(ground.problem).powi(2);
    let mut factors = diagonals.clone();
    for (row, mut factors) in factors.rows_mut().into_iter().enumerate() {
        factors.mapv_inplace(|diagonal| {
            let entry = diagonal / square + ground.penalty(row);
            if !entry.is_normal() {
                1.0
            } else if 1.0 / entry > most {
                0.0
            } else {
                1.0 / entry
            }
        });
    }
    Form::Diagonal(factors)
}

/// The number of samples to draw.
fn samples<T: Element>(ground: Ground<'_, T>) -> usize {
    ground.problem.n_samples().min(SAMPLES_PER_FEATURE * ground.shape().0)
}

/// The number of blocks: one for each class if that is affordable, otherwise 1.
fn blocks<T: Element>(ground: Ground<'_, T>) -> usize {
    let (rows, classes) = ground.shape();
    let is_little = rows * rows * classes <= MOST_ENTRIES;
    if is_little && evaluations_for(ground, classes) <= MOST_EVALUATIONS { classes } else { 1 }
}

/// The work of making `blocks` blocks, in evaluations. Infinite for sparse features and for too many rows.
fn evaluations_for<T: Element>(ground: Ground<'_, T>, blocks: usize) -> f64 {
    let (problem, (rows, classes)) = (ground.problem, ground.shape());
    if matches!(problem.features(), Features::Csr(_)) || rows > MOST_ROWS {
        return f64::INFINITY;
    }
    let (samples, rows) = (samples(ground) as f64, rows as f64);
    // With fewer samples than features, the time of an evaluation is that of reading and writing W.
    let evaluation = 4.0 * (problem.n_samples() as f64).max(rows) * rows * classes as f64;
    blocks as f64 * (samples * rows * rows + rows.powi(3)) / evaluation
}

fn scale_rows(parameters: &mut Array2<f64>, factors: &Array1<f64>) {
    for (mut row, &factor) in parameters.rows_mut().into_iter().zip(factors) {
        row *= factor;
    }
}

/// The number of rows of a product that one task computes. Independent of the number of threads, as results must be.
const ROWS: usize = 128;

/// parameters = matrix·parameters.
fn multiply(matrix: &Mat<f64>, parameters: &mut Array2<f64>) {
    let (rows, columns) = parameters.dim();
    if rows * columns == 0 {
        return;
    }
    let before = parameters.clone();
    let before = MatRef::from_row_major_slice(entries(&before), rows, columns);
    entries_mut(parameters).par_chunks_mut(ROWS * columns).enumerate().for_each(|(k, part)| {
        let count = part.len() / columns;
        let to = MatMut::from_row_major_slice_mut(part, count, columns);
        matmul(to, Accum::Replace, matrix.get(k * ROWS..k * ROWS + count, ..), before, 1.0, Par::Seq);
    });
}

/// Multiplies each column of the parameters by its own matrix.
fn multiply_classes(matrices: &[Mat<f64>], parameters: &mut Array2<f64>) {
    let columns: Vec<Vec<f64>> = matrices
        .par_iter()
        .enumerate()
        .map(|(c, matrix)| {
            let before = parameters.column(c).to_vec();
            let mut after = vec![0.0; before.len()];
            let to = MatMut::from_column_major_slice_mut(&mut after, before.len(), 1);
            let from = MatRef::from_column_major_slice(&before, before.len(), 1);
            matmul(to, Accum::Replace, matrix.as_ref(), from, 1.0, Par::Seq);
            after
        })
        .collect();
    for (mut to, column) in parameters.columns_mut().into_iter().zip(columns) {
        to.iter_mut().zip(column).for_each(|(to, entry)| *to = entry);
    }
}
