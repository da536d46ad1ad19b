//! The target mass a, which includes the class weights, and the sample weights u.

use crate::rows::{column, take_along_rows};
use ndarray::{Array1, Array2, ArrayView1, Axis, Zip};
use softmax_core::{Element, Problem, Targets};

/// The target mass a (N×C) in mass units ([`Problem::mass_unit`]), as two parts: a point at each label, and a dense
/// part.
///
/// a_ic = point_i·[c = label_i] + dense_ic. `dense` has a single row if it is the same for all samples.
pub(crate) struct TargetMass<T> {
    point: Option<(Array1<usize>, Array1<T>)>,
    dense: Option<Array2<T>>,
    samples: usize,
}

impl<T: Element> TargetMass<T> {
    /// An ignored sample has a point of mass 0. Its dense part is not 0; the caller leaves it out.
    pub(crate) fn new(problem: &Problem<'_, T>, unit: f64) -> Self {
        let smoothing = problem.objective().label_smoothing;
        let kept = T::narrow(1.0 - smoothing);
        let spread = T::narrow(smoothing / problem.total_classes() as f64);
        let per_unit = T::narrow(1.0 / unit);
        let even = || Array1::from_elem(problem.n_classes(), per_unit);
        let class_weights = problem.class_weights().map_or_else(even, |weights| &weights * per_unit);
        let samples = problem.n_samples();
        match problem.targets() {
            Targets::None => TargetMass { point: None, dense: None, samples },
            Targets::Labels(_) => {
                let labels = Array1::from_shape_fn(samples, |i| problem.label(i));
                let classes = labels.mapv(|label| label.unwrap_or(0));
                let mass = labels.mapv(|label| label.map_or(T::zero(), |y| kept * class_weights[y]));
                let dense = (smoothing > 0.0).then(|| (&class_weights * spread).insert_axis(Axis(0)));
                TargetMass { point: Some((classes, mass)), dense, samples }
            }
            Targets::Soft(soft) => {
                let dense = (soft * kept + spread) * &class_weights;
                TargetMass { point: None, dense: Some(dense), samples }
            }
        }
    }

    /// A = Σ_c a_ic (N).
    pub(crate) fn total(&self) -> Array1<T> {
        let dense = match &self.dense {
            Some(dense) => dense.sum_axis(Axis(1)),
            None => Array1::zeros(self.samples),
        };
        match &self.point {
            Some((_, mass)) => mass + &dense,
            None => dense,
        }
    }

    /// The mass of one class per sample (N).
    pub(crate) fn at(&self, classes: &Array1<usize>) -> Array1<T> {
        let mut mass = match &self.dense {
            Some(dense) => take_along_rows(self.broadcast(dense), classes),
            None => Array1::zeros(self.samples),
        };
        if let Some((labels, point)) = &self.point {
            let add = |mass: &mut T, &class: &usize, &label: &usize, &point: &T| {
                if class == label {
                    *mass += point;
                }
            };
            Zip::from(&mut mass).and(classes).and(labels).and(point).for_each(add);
        }
        mass
    }

    /// Σ_c a_ic·x_ic (N). Classes without mass are skipped, so x may be infinite there.
    pub(crate) fn row_products(&self, x: &Array2<T>) -> Array1<T> {
        let product = |mass: T, x: T| if mass == T::zero() { T::zero() } else { mass * x };
        let mut sums = match &self.dense {
            Some(dense) => {
                Zip::from(x).and_broadcast(dense).map_collect(|&x, &a| product(a, x)).sum_axis(Axis(1))
            }
            None => Array1::zeros(self.samples),
        };
        if let Some((labels, point)) = &self.point {
            let at_labels = take_along_rows(x.view(), labels);
            Zip::from(&mut sums).and(point).and(&at_labels).for_each(|sum, &a, &x| *sum += product(a, x));
        }
        sums
    }

    /// Subtracts a from x (N×C).
    pub(crate) fn subtract_from(&self, x: &mut Array2<T>) {
        if let Some(dense) = &self.dense {
            *x -= dense;
        }
        if let Some((labels, point)) = &self.point {
            Zip::from(x.rows_mut()).and(labels).and(point).for_each(|mut row, &y, &a| row[y] -= a);
        }
    }

    fn broadcast<'a>(&self, dense: &'a Array2<T>) -> ndarray::ArrayView2<'a, T> {
        let classes = dense.ncols();
        dense.broadcast((self.samples, classes)).expect("one row, or one per sample")
    }
}

/// u (N) times the mass unit; `None` for a sample that does not count. In f64, because u and Ω may be near the limits
/// of the element type.
pub(crate) struct SampleWeights(Array1<Option<f64>>);

impl SampleWeights {
    pub(crate) fn new<T: Element>(problem: &Problem<'_, T>, unit: f64) -> Self {
        let weight = |i: usize| problem.sample_weights().map_or(unit, |u| u[i].widen() * unit);
        let counted = |i: usize| problem.counts(i).then(|| weight(i));
        SampleWeights(Array1::from_shape_fn(problem.n_samples(), counted))
    }

    /// Like [`new`](Self::new), with the given u in place of the problem's sample weights.
    pub(crate) fn of<T: Element>(problem: &Problem<'_, T>, unit: f64, u: ArrayView1<'_, T>) -> Self {
        let counted = |i: usize| problem.counts(i).then(|| u[i].widen() * unit);
        SampleWeights(Array1::from_shape_fn(problem.n_samples(), counted))
    }

    /// Whether each sample counts (N).
    pub(crate) fn counts(&self) -> Array1<bool> {
        self.0.map(Option::is_some)
    }

    /// Multiplies x_i (in mass units) by u_i. Sets it to 0 for a sample that does not count, even if it is NaN.
    pub(crate) fn apply<T: Element>(&self, x: &mut Array1<T>) {
        x.zip_mut_with(&self.0, |x, u| *x = u.map_or(T::zero(), |u| *x * T::narrow(u)));
    }

    /// Multiplies x_ic (in mass units) by u_i/total. Sets it to 0 for a sample that does not count, even if it is NaN.
    pub(crate) fn apply_to_rows<T: Element>(&self, x: &mut Array2<T>, total: f64) {
        let scales = self.0.mapv(|u| u.map_or(T::zero(), |u| T::narrow(u / total)));
        *x *= &column(&scales);
        Zip::from(x.rows_mut()).and(&self.0).for_each(|mut row, u| {
            if u.is_none() {
                row.fill(T::zero());
            }
        });
    }
}
