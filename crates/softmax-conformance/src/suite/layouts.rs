//! The same problem through views of every memory order.

use crate::case::Case;
use crate::generator::Generator;
use crate::test::{Outcome, Subject, Test};
use softmax_core::ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, ShapeBuilder, Slice};
use softmax_core::{Element, OwnedProblem, OwnedTargets, Problem, ProblemBuilder};

/// How a matrix lies in memory.
#[derive(Clone, Copy, Debug)]
enum Layout {
    Rows,
    Columns,
    /// Every second row and every third column of a larger matrix.
    Strided,
    /// Both axes run backwards.
    Reversed,
    /// Every second row of a larger matrix stored by columns.
    StridedColumns,
}

const LAYOUTS: [Layout; 5] =
    [Layout::Rows, Layout::Columns, Layout::Strided, Layout::Reversed, Layout::StridedColumns];

pub(super) fn tests<T: Element>() -> Vec<Test<T>> {
    let mut tests = Vec::new();
    for x in LAYOUTS {
        for w in LAYOUTS {
            let name = format!("layouts/x-{x:?}-w-{w:?}").to_lowercase();
            let vectors = format!("{name}-vectors");
            tests.push(Test::new(name, move |subject: &Subject<'_, T>| matrices(subject, x, w)));
            tests.push(Test::new(vectors, move |subject: &Subject<'_, T>| with_vectors(subject, x, w)));
        }
    }
    tests.push(Test::new("layouts/broadcast", |subject: &Subject<'_, T>| broadcast(subject, false)));
    tests.push(Test::new("layouts/broadcast-weights", |subject: &Subject<'_, T>| broadcast(subject, true)));
    tests
}

/// Storage in a layout, and a way to see the matrix in it.
struct Stored<T> {
    storage: Array2<T>,
    layout: Layout,
}

impl<T: Element> Stored<T> {
    fn new(matrix: &Array2<T>, layout: Layout) -> Self {
        let (rows, columns) = matrix.dim();
        let storage = match layout {
            Layout::Rows => Array2::zeros((rows, columns)),
            Layout::Columns => Array2::zeros((rows, columns).f()),
            Layout::Strided => Array2::from_elem((2 * rows, 3 * columns), T::nan()),
            Layout::Reversed => Array2::zeros((rows, columns)),
            Layout::StridedColumns => Array2::from_elem((2 * rows, columns).f(), T::nan()),
        };
        let mut stored = Stored { storage, layout };
        for ((i, j), &x) in matrix.indexed_iter() {
            let (i, j) = match layout {
                Layout::Rows | Layout::Columns => (i, j),
                Layout::Strided => (2 * i, 3 * j),
                Layout::Reversed => (rows - 1 - i, columns - 1 - j),
                Layout::StridedColumns => (2 * i, j),
            };
            stored.storage[[i, j]] = x;
        }
        stored
    }

    fn view(&self) -> ArrayView2<'_, T> {
        let mut view = self.storage.view();
        let mut step = |axis: usize, step: isize| {
            view.slice_axis_inplace(Axis(axis), Slice::new(0, None, step));
        };
        match self.layout {
            Layout::Rows | Layout::Columns => {}
            Layout::Strided => {
                step(0, 2);
                step(1, 3);
            }
            Layout::Reversed => {
                step(0, -1);
                step(1, -1);
            }
            Layout::StridedColumns => step(0, 2),
        }
        view
    }
}

fn matrices<T: Element>(subject: &Subject<'_, T>, x: Layout, w: Layout) -> Outcome {
    let owned = Case::new("", Generator::new(4).problem(21, 13, 11)).narrowed::<T>();
    let labels = hard_labels(&owned);
    let (x, w) = (Stored::new(&owned.features, x), Stored::new(&owned.weights, w));
    judge(subject, Problem::builder(x.view(), w.view(), labels.view()))
}

/// With labels, bias and weights that run backwards.
fn with_vectors<T: Element>(subject: &Subject<'_, T>, x: Layout, w: Layout) -> Outcome {
    let mut g = Generator::new(4);
    let owned = Case::new("", g.problem(21, 13, 11)).narrowed::<T>();
    let labels = hard_labels(&owned);
    let [bias, class_weights] = [(); 2].map(|()| g.vector(11, 0.5, 1.5).mapv(T::narrow));
    let sample_weights = g.vector(21, 0.5, 1.5).mapv(T::narrow);
    let (x, w) = (Stored::new(&owned.features, x), Stored::new(&owned.weights, w));
    let builder = Problem::builder(x.view(), w.view(), reversed(labels));
    let builder = builder.bias(reversed(&bias)).class_weights(reversed(&class_weights));
    judge(subject, builder.sample_weights(reversed(&sample_weights)))
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
        Ok(problem) => subject.judge(&problem),
        Err(error) => error.into(),
    }
}

/// One row of features for all samples, one column of weights for all classes, one weight for all.
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
