//! The cases of the conformance suite.

mod all_cases;
mod behaviour;
mod bits;
mod closed_forms;
mod crossed;
mod edges;
mod extremes;
mod facts;
mod golden;
mod hessian;
mod inputs;
mod layouts;
mod masks;
mod options;
mod properties;
mod provided;
mod rows;
mod shapes;
mod sizes;
mod state;
mod ties;
mod two_pass;

use crate::report::kind_of;
use crate::test::Test;
use softmax_core::Element;
use std::collections::HashSet;
use std::sync::{Arc, LazyLock, OnceLock};

pub use all_cases::cases;
#[cfg(test)]
pub(crate) use golden::problems as golden_problems;

/// A list of tests for backends of one element type.
pub struct Suite<T> {
    tests: Vec<Test<T>>,
}

/// Implemented for each element type, not generically: the cases are compiled once, here, and not with every backend's
/// tests.
macro_rules! impl_suite {
    ($($T:ty),*) => {$(
        impl Suite<$T> {
            /// Everything: cases, properties and behaviour.
            pub fn full() -> Self {
                full()
            }

            /// The suite [`full`](Self::full), made once in this process, for programs that run it several times.
            /// A suite keeps the reference of each case. Computing the references takes most of the first run.
            pub fn shared() -> &'static Self {
                static SHARED: LazyLock<Suite<$T>> = LazyLock::new(full);
                &SHARED
            }

            /// Everything, and six more passes of the crossed cases, with larger problems. They take several minutes.
            pub fn thorough() -> Self {
                thorough()
            }
        }
    )*};
}

impl_suite!(f32, f64);

fn full<T: Element>() -> Suite<T> {
    let (mut tests, mut in_shards) = (Vec::new(), Vec::new());
    for (k, case) in cases().into_iter().enumerate() {
        let expected = Arc::new(OnceLock::new());
        tests.push(Test::of_case(case.clone(), expected.clone()));
        if two_pass::is_small(&case) {
            in_shards.push(two_pass::in_shards(k, case, expected));
        }
    }
    tests.extend(inputs::tests());
    tests.extend(layouts::tests());
    tests.extend(edges::tests());
    tests.extend(facts::tests());
    tests.extend(rows::tests());
    tests.extend(ties::tests());
    tests.extend(provided::tests());
    tests.extend(state::tests());
    tests.extend(shapes::tests());
    tests.extend(hessian::tests());
    tests.extend(two_pass::tests());
    tests.extend(in_shards);
    tests.extend(properties::tests());
    tests.extend(behaviour::tests());
    tests.extend(bits::tests());
    tests.extend(crossed::found_tests());
    // Last, since they take longest.
    tests.extend(crossed::tests());
    Suite { tests }
}

fn thorough<T: Element>() -> Suite<T> {
    let mut suite = full();
    suite.tests.extend(crossed::thorough_tests());
    suite
}

impl<T: Element> Suite<T> {
    /// The names of the tests.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tests.iter().map(|test| test.name())
    }

    /// The kinds of the tests, in the order of their first test: the first parts of their names.
    pub fn kinds(&self) -> Vec<&str> {
        let mut known = HashSet::new();
        self.names().map(kind_of).filter(|&kind| known.insert(kind)).collect()
    }

    /// The number of tests.
    pub fn len(&self) -> usize {
        self.tests.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    pub(crate) fn tests(&self) -> impl Iterator<Item = &Test<T>> {
        self.tests.iter()
    }

    #[cfg(feature = "libtest")]
    pub(crate) fn into_tests(self) -> Vec<Test<T>> {
        self.tests
    }
}
