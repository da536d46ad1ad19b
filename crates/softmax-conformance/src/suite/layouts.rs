//! The same problem through views of every memory layout.

use crate::case::Case;
use crate::generator::Generator;
use crate::layout::{LAYOUTS, Layout, Placed};
use crate::test::{Outcome, Subject, Test};
use softmax_core::ndarray::{Array1, Array2, ArrayView1, Axis};
use softmax_core::{Element, OwnedProblem, OwnedTargets, Problem, ProblemBuilder};
use std::sync::OnceLock;

pub(super) fn tests<T: Element>() -> Vec<Test<T>> {
    let mut tests = Vec::new();
    for x in LAYOUTS {
        for w in LAYOUTS {
            let name = format!("layouts/x-{}-w-{}", x.name, w.name);
            let vectors = format!("{name}-vectors");
            tests.push(Test::new(name, move |subject: &Subject<'_, T>| matrices(subject, x, w)));
            tests.push(Test::new(vectors, move |subject: &Subject<'_, T>| with_vectors(subject, x, w)));
        }
    }
    tests.push(Test::new("layouts/broadcast", |subject: &Subject<'_, T>| broadcast(subject, false)));
    tests.push(Test::new("layouts/broadcast-weights", |subject: &Subject<'_, T>| broadcast(subject, true)));
    tests
}

fn matrices<T: Element>(subject: &Subject<'_, T>, x: Layout, w: Layout) -> Outcome {
    let owned = Case::new("", Generator::new(4).problem(21, 13, 11)).narrowed::<T>();
    let labels = hard_labels(&owned);
    let (x, w) = (placed(&owned.features, x), placed(&owned.weights, w));
    judge(subject, Problem::builder(x.view(), w.view(), labels.view()))
}

/// With labels, bias, class weights and sample weights in reversed views.
fn with_vectors<T: Element>(subject: &Subject<'_, T>, x: Layout, w: Layout) -> Outcome {
    let mut g = Generator::new(4);
    let owned = Case::new("", g.problem(21, 13, 11)).narrowed::<T>();
    let labels = hard_labels(&owned);
    let [bias, class_weights] = [(); 2].map(|()| g.vector(11, 0.5, 1.5).mapv(T::narrow));
    let sample_weights = g.vector(21, 0.5, 1.5).mapv(T::narrow);
    let (x, w) = (placed(&owned.features, x), placed(&owned.weights, w));
    let builder = Problem::builder(x.view(), w.view(), reversed(labels));
    let builder = builder.bias(reversed(&bias)).class_weights(reversed(&class_weights));
    judge(subject, builder.sample_weights(reversed(&sample_weights)))
}

/// A matrix with NaN between its entries, which a backend must not read.
fn placed<T: Element>(matrix: &Array2<T>, layout: Layout) -> Placed<T> {
    Placed::new(matrix, layout, T::nan())
}

fn hard_labels<T: Element>(owned: &OwnedProblem<T>) -> &Array1<i64> {
    match &owned.targets {
        OwnedTargets::Labels(labels) => labels,
        OwnedTargets::Soft(_) | OwnedTargets::None => unreachable!("the generator gives labels"),
    }
}

fn reversed<A>(vector: &Array1<A>) -> ArrayView1<'_, A> {
    let mut view = vector.view();
    view.invert_axis(Axis(0));
    view
}

fn judge<T: Element>(subject: &Subject<'_, T>, builder: ProblemBuilder<'_, T>) -> Outcome {
    match builder.build() {
        Ok(problem) => subject.judge(&problem, &OnceLock::new()),
        Err(error) => error.into(),
    }
}

/// Views with a stride of 0: one row of features for all samples, one column of weights for all classes and, if
/// `weighted`, one sample weight for all samples.
fn broadcast<T: Element>(subject: &Subject<'_, T>, weighted: bool) -> Outcome {
    let mut g = Generator::new(5);
    let row = g.matrix(1, 6, -1.0, 1.0).mapv(T::narrow);
    let column = g.matrix(6, 1, -1.0, 1.0).mapv(T::narrow);
    let weight = Array1::from_elem(1, T::narrow(0.5));
    let labels = g.labels(9, 4);
    let (features, weights) = (row.broadcast((9, 6)), column.broadcast((6, 4)));
    let sample_weights = weight.broadcast(9);
    let (Some(features), Some(weights), Some(u)) = (features, weights, sample_weights) else {
        unreachable!("axes of length one broadcast")
    };
    let builder = Problem::builder(features, weights, labels.view());
    judge(subject, if weighted { builder.sample_weights(u) } else { builder })
}
