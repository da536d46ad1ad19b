//! Fits of ill-conditioned and degenerate data: every fit ends with a finite model and reports whether it converged.

use softmax::ndarray::{Array1, Array2, Axis};
use softmax::{BackendElement, Element, Objective, Reduction};
use softmax_data::{Dataset, TargetStore};
use softmax_fit::{Fit, FitError, Fitted, Solver, Stop};

/// SplitMix64, independent of the crates' generators: <https://prng.di.unimi.it/splitmix64.c>.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// A number between −1 and 1.
    fn signed(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

/// A kind of data set.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Plain,
    UnscaledColumns,
    ConstantColumns,
    Separable,
    OneClass,
    MoreFeaturesThanSamples,
    DuplicatedRows,
    OneSample,
    SkippedClasses,
    WeightsOfZero,
}

const KINDS: [Kind; 10] = [
    Kind::Plain,
    Kind::UnscaledColumns,
    Kind::ConstantColumns,
    Kind::Separable,
    Kind::OneClass,
    Kind::MoreFeaturesThanSamples,
    Kind::DuplicatedRows,
    Kind::OneSample,
    Kind::SkippedClasses,
    Kind::WeightsOfZero,
];

fn dataset<T: Element>(random: &mut Random, kind: Kind) -> Dataset<T> {
    let n = if kind == Kind::OneSample { 1 } else { 2 + random.below(60) };
    let d =
        if kind == Kind::MoreFeaturesThanSamples { n + 1 + random.below(30) } else { 1 + random.below(12) };
    let c = if kind == Kind::OneClass { 1 } else { 2 + random.below(6) };
    let mut features = Array2::from_shape_simple_fn((n, d), || random.signed());
    let mut labels = Array1::from_shape_simple_fn(n, || random.below(c) as i64);
    match kind {
        Kind::UnscaledColumns => {
            for (k, mut column) in features.columns_mut().into_iter().enumerate() {
                column *= [1e6, 1e-6, 1.0][k % 3];
            }
        }
        Kind::ConstantColumns => features.columns_mut().into_iter().step_by(2).for_each(|mut x| x.fill(3.0)),
        Kind::Separable => {
            labels.iter_mut().zip(features.column(0)).for_each(|(y, &x)| *y = i64::from(x > 0.0));
        }
        Kind::DuplicatedRows => {
            let first = features.row(0).to_owned();
            features.rows_mut().into_iter().step_by(2).for_each(|mut row| row.assign(&first));
        }
        Kind::SkippedClasses => labels.iter_mut().for_each(|y| *y = *y / 2 * 2 + 1),
        _ => {}
    }
    let mut dataset =
        Dataset::new(format!("{kind:?}"), features.mapv(T::narrow), TargetStore::Labels(labels));
    if kind == Kind::WeightsOfZero {
        let mut weights = Array1::from_elem(n, T::one());
        weights.iter_mut().skip(1).step_by(2).for_each(|u| *u = T::zero());
        dataset.sample_weights = Some(weights);
    }
    dataset
}

fn check<T: BackendElement>(solver: Solver, seed: u64) {
    let mut random = Random(seed);
    for round in 0..20 {
        for kind in KINDS {
            let dataset = dataset::<T>(&mut random, kind);
            let l2 = [0.0, 1e-6, 1e-2, 1.0][random.below(4)];
            let tolerance = [1e-2, 1e-4, 1e-7][random.below(3)];
            let fit = Fit::new(Objective { l2, ..Objective::default() }).solver(solver).tolerance(tolerance);
            let fitted = fit.max_iterations(300).bias(random.below(4) > 0).fit(&dataset);
            let whose = format!("{kind:?} {round}, l2 {l2}, tolerance {tolerance}, {solver}");
            let Fitted { model, report } = fitted.unwrap_or_else(|error| panic!("{whose}: {error}"));
            assert!(model.weights.iter().all(|w| w.is_finite()), "{whose}");
            assert!(model.bias.iter().flatten().all(|b| b.is_finite()), "{whose}");
            if solver == Solver::NewtonCholesky {
                // The Hessian does not determine a number that is added to all biases: it must stay 0.
                let shift: f64 = model.bias.iter().flatten().map(|b| b.widen()).sum();
                let size: f64 = model.bias.iter().flatten().map(|b| b.widen().abs()).sum();
                assert!(shift.abs() <= 1e-4 * (1.0 + size), "{whose}: {shift} of {size}");
            }
            let last = report.last();
            assert!(last.loss.is_finite(), "{whose}");
            assert_eq!(report.converged(), last.gradient_max <= tolerance, "{whose}: {}", report.stop);
            assert!(report.converged() || report.stop != Stop::Converged, "{whose}");
            let first = report.curve[0].loss;
            assert!(last.loss <= first * (1.0 + 1e-6), "{whose}: from {first} to {}", last.loss);
        }
    }
}

#[test]
fn a_fit_of_awkward_data_ends_with_a_finite_model() {
    check::<f32>(Solver::Auto, 1);
    check::<f64>(Solver::Auto, 2);
    check::<f64>(Solver::NewtonCg, 3);
    check::<f64>(Solver::NewtonCholesky, 4);
    check::<f32>(Solver::NewtonCholesky, 5);
}

/// Newton's step for the mean loss with λ: a second implementation of formulas (1) to (9), entry by entry.
fn newton_step(x: &Array2<f64>, y: &[usize], l2: f64, parameters: &Array2<f64>) -> Array2<f64> {
    let (n, classes, rows) = (x.nrows(), parameters.ncols(), parameters.nrows());
    let feature = |i: usize, k: usize| if k + 1 < rows { x[[i, k]] } else { 1.0 };
    let mut gradient = vec![0.0; rows * classes];
    let mut hessian = vec![vec![0.0; rows * classes]; rows * classes];
    for i in 0..n {
        let scores: Vec<f64> =
            (0..classes).map(|c| (0..rows).map(|k| feature(i, k) * parameters[[k, c]]).sum()).collect();
        let most = scores.iter().fold(f64::NEG_INFINITY, |most, &s| most.max(s));
        let sum: f64 = scores.iter().map(|s| (s - most).exp()).sum();
        let p: Vec<f64> = scores.iter().map(|s| (s - most).exp() / sum).collect();
        for k in 0..rows {
            for c in 0..classes {
                let target = if y[i] == c { 1.0 } else { 0.0 };
                gradient[k * classes + c] += feature(i, k) * (p[c] - target) / n as f64;
                for j in 0..rows {
                    for e in 0..classes {
                        let bend = if c == e { p[c] - p[c] * p[e] } else { -p[c] * p[e] };
                        hessian[k * classes + c][j * classes + e] +=
                            feature(i, k) * feature(i, j) * bend / n as f64;
                    }
                }
            }
        }
    }
    for at in 0..(rows - 1) * classes {
        gradient[at] += l2 * parameters[[at / classes, at % classes]];
        hessian[at][at] += l2;
    }
    // Adding one number to all of b does not change the loss. This term makes the Hessian regular and that part of
    // the step 0.
    for c in 0..classes {
        for e in 0..classes {
            hessian[(rows - 1) * classes + c][(rows - 1) * classes + e] += 1.0;
        }
    }
    solve(hessian, gradient)
        .into_iter()
        .collect::<Array1<f64>>()
        .into_shape_with_order((rows, classes))
        .unwrap()
}

/// Gaussian elimination with partial pivoting.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let size = right.len();
    for k in 0..size {
        let pivot = (k..size).max_by(|&a, &b| matrix[a][k].abs().total_cmp(&matrix[b][k].abs())).unwrap();
        matrix.swap(k, pivot);
        right.swap(k, pivot);
        for row in k + 1..size {
            let factor = matrix[row][k] / matrix[k][k];
            for column in k..size {
                matrix[row][column] -= factor * matrix[k][column];
            }
            right[row] -= factor * right[k];
        }
    }
    for k in (0..size).rev() {
        let known: f64 = (k + 1..size).map(|column| matrix[k][column] * right[column]).sum();
        right[k] = (right[k] - known) / matrix[k][k];
    }
    right
}

#[test]
fn the_minimum_is_that_of_newtons_method() {
    let mut random = Random(5);
    for kind in KINDS.into_iter().cycle().take(40) {
        if matches!(kind, Kind::WeightsOfZero | Kind::UnscaledColumns) {
            continue;
        }
        let dataset = dataset::<f64>(&mut random, kind);
        let TargetStore::Labels(labels) = &dataset.targets else { panic!("made with labels") };
        let y: Vec<usize> = labels.iter().map(|&y| y as usize).collect();
        let x = dataset.features.view().to_dense().into_owned();
        let classes = y.iter().max().unwrap() + 1;
        let has_all = (0..classes).all(|c| y.contains(&c));
        if !has_all {
            // The bias of a class without samples has no minimum.
            continue;
        }
        let l2 = 1e-2;
        let mut parameters = Array2::<f64>::zeros((x.ncols() + 1, classes));
        for _ in 0..50 {
            parameters -= &newton_step(&x, &y, l2, &parameters);
        }
        for solver in [Solver::Lbfgs, Solver::NewtonCg, Solver::NewtonCholesky] {
            let fit = Fit::new(Objective { l2, ..Objective::default() }).solver(solver).tolerance(1e-11);
            let fitted = fit.fit(&dataset).unwrap();
            let found = &fitted.model;
            let difference = &found.weights - &parameters.slice_axis(Axis(0), (..x.ncols()).into());
            let largest = difference.iter().fold(0.0, |most: f64, d| most.max(d.abs()));
            assert!(largest < 1e-8, "{kind:?}, {solver}: {largest:e}, {:?}", fitted.report.last());
            // b is determined up to one number that is added to all classes.
            let bias = found.bias.as_ref().unwrap();
            let expected = parameters.row(x.ncols());
            let shift = bias[0] - expected[0];
            let largest =
                bias.iter().zip(expected).fold(0.0, |most: f64, (b, e)| most.max((b - e - shift).abs()));
            assert!(largest < 1e-8, "{kind:?}, {solver}: b {largest:e}");
        }
    }
}

#[test]
fn options_are_part_of_what_is_minimized() {
    let mut random = Random(6);
    let dataset = dataset::<f64>(&mut random, Kind::Plain);
    for objective in [
        Objective { label_smoothing: 0.1, ..Objective::default() },
        Objective { l2: 0.1, z_loss: 0.01, temperature: 2.0, ..Objective::default() },
        Objective { l2: 0.1, reduction: Reduction::Sum, ..Objective::default() },
        Objective { l2: 0.1, softcap: Some(3.0), ..Objective::default() },
        Objective { l2: 0.1, ignore_index: Some(0), ..Objective::default() },
    ] {
        let mut losses = Vec::new();
        for solver in [Solver::Lbfgs, Solver::NewtonCg, Solver::NewtonCholesky] {
            if objective.softcap.is_some() && solver == Solver::NewtonCholesky {
                let refused = Fit::new(objective).solver(solver).fit(&dataset);
                assert!(refused.is_err(), "{solver} of a softcap");
                continue;
            }
            let fitted = Fit::new(objective).solver(solver).tolerance(1e-9).fit(&dataset).unwrap();
            assert!(fitted.report.converged(), "{objective:?}, {solver}: {}", fitted.report.stop);
            losses.push(fitted.report.last().loss);
        }
        // The gradients are at most 1e-9.
        assert!(losses.iter().all(|loss| (loss - losses[0]).abs() < 1e-10), "{losses:?}");
    }
}

#[test]
fn data_that_cannot_be_fitted_is_refused_in_one_line() {
    let x = Array2::<f64>::zeros((3, 2));
    let labels = TargetStore::Labels(Array1::from(vec![0, 1, 1]));
    let mut weightless = Dataset::new("some.csv", x.clone(), labels.clone());
    weightless.sample_weights = Some(Array1::zeros(3));
    let error = Fit::new(Objective::default()).fit(&weightless).unwrap_err();
    assert_eq!(
        error.to_string(),
        "some.csv: expected samples whose weights sum to a number above 0, found 0"
    );
    let infinite = Dataset::new("some.csv", Array2::from_elem((3, 2), f64::INFINITY), labels);
    let error = Fit::new(Objective::default()).fit(&infinite).unwrap_err();
    assert!(matches!(error, FitError::NotFinite { .. }), "{error}");
    assert_eq!(error.to_string().lines().count(), 1);
    let none = Dataset::new("none.csv", Array2::<f64>::zeros((0, 2)), TargetStore::Labels(Array1::zeros(0)));
    assert!(Fit::new(Objective::default()).fit(&none).is_err());
}

/// Samples of two features that are nearly the same, and one more.
fn with_another<T: BackendElement>(another: impl Fn(usize) -> f64) -> Dataset<T> {
    let mut random = Random(1);
    let n = 300;
    let mut labels = Vec::new();
    let mut features = Array2::<T>::zeros((n, 3));
    for i in 0..n {
        let (base, difference) = (random.signed(), random.signed());
        features[[i, 0]] = T::narrow(base);
        features[[i, 1]] = T::narrow(base + 0.01 * difference);
        features[[i, 2]] = T::narrow(another(i));
        labels.push(i64::from(difference + 0.5 * random.signed() > 0.0));
    }
    Dataset::new("correlated", features, TargetStore::Labels(labels.into()))
}

fn iterations<T: BackendElement>(dataset: &Dataset<T>, solver: Solver) -> usize {
    let Fitted { model, report } = Fit::new(Objective::default()).solver(solver).fit(dataset).unwrap();
    let score = model.score(dataset).unwrap();
    assert!(report.converged() && score > 0.8, "{solver}: {}, {score}", report.stop);
    report.last().iteration
}

/// Without a penalty a feature without values, or with values too small for a finite weight, changes no other weight.
#[test]
fn a_feature_of_no_use_costs_no_iterations() {
    for solver in [Solver::Lbfgs, Solver::NewtonCg, Solver::NewtonCholesky] {
        let of_none = iterations(&with_another::<f64>(|i| (i % 7) as f64), solver);
        let of_zeros = iterations(&with_another::<f64>(|_| 0.0), solver);
        assert!(of_zeros <= of_none + 3, "{solver}: {of_zeros} iterations, {of_none} without");
        for scale in [1e-34, 1e-36, 1e-37, 1e-38, 1e-40, 1e-44] {
            let tiny = iterations(&with_another::<f32>(|i| scale * (i % 7) as f64), solver);
            assert!(tiny <= of_none + 10, "{solver}, {scale:e}: {tiny} iterations, {of_none} without");
        }
        for scale in [1e-145, 1e-150, 1e-155, 1e-160, 1e-200] {
            let tiny = iterations(&with_another::<f64>(|i| scale * (i % 7) as f64), solver);
            assert!(tiny <= of_none + 10, "{solver}, {scale:e}: {tiny} iterations, {of_none} without");
        }
    }
}
