//! A small problem made from a fuzzer's bytes.

use arbitrary::{Arbitrary, Result, Unstructured};
use softmax_conformance::{Case, Choices, Generator};
use softmax_core::OwnedProblem;
use softmax_core::ndarray::Array2;

/// A problem of small size, with options from the suite's generator, and features and weights from the bytes.
#[derive(Debug)]
pub struct Plan(OwnedProblem<f64>);

impl<'a> Arbitrary<'a> for Plan {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let (n, d, c) = (bytes.int_in_range(0..=9)?, bytes.int_in_range(0..=20)?, bytes.int_in_range(1..=80)?);
        let mut generator = Generator::new(bytes.arbitrary()?);
        let choices = if bytes.arbitrary()? { generator.choices() } else { Choices::PLAIN };
        let mut problem = generator.problem_with(n, d, c, choices);
        problem.features = matrix(bytes, n, d)?;
        problem.weights = matrix(bytes, d, c)?;
        Ok(Plan(problem))
    }
}

/// A matrix of ordinary numbers, some scaled by 1e-3, 10 or 0. Infinities and NaN are left out: the suite has cases for
/// them, and tolerances do not hold after an overflow.
fn matrix(bytes: &mut Unstructured<'_>, rows: usize, columns: usize) -> Result<Array2<f64>> {
    let mut numbers = Vec::with_capacity(rows * columns);
    for _ in 0..rows * columns {
        let number = f64::from(bytes.arbitrary::<i8>()?) / 16.0;
        let scale = *bytes.choose(&[1.0, 1.0, 1.0, 1e-3, 10.0, 0.0])?;
        numbers.push(number * scale);
    }
    Ok(Array2::from_shape_vec((rows, columns), numbers).expect("as many numbers as the shape has"))
}

impl Plan {
    /// The problem in f64, and rounded to f32.
    pub(crate) fn problems(self) -> (OwnedProblem<f64>, OwnedProblem<f32>) {
        let single = Case::new("fuzz", self.0.clone()).narrowed();
        (self.0, single)
    }
}
