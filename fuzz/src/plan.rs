//! A small problem out of bytes.

use arbitrary::{Arbitrary, Result, Unstructured};
use softmax_conformance::Case;
use softmax_core::ndarray::{Array1, Array2};
use softmax_core::{Objective, OwnedProblem, OwnedTargets, Reduction};

/// A problem whose sizes are small, and whose numbers and options are any that the builder admits.
#[derive(Debug)]
pub struct Plan(OwnedProblem<f64>);

impl<'a> Arbitrary<'a> for Plan {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let (n, d, c) = (bytes.int_in_range(0..=9)?, bytes.int_in_range(0..=20)?, bytes.int_in_range(1..=80)?);
        let features = matrix(bytes, n, d)?;
        let weights = matrix(bytes, d, c)?;
        let is_soft = bytes.ratio(1, 4)?;
        let targets = if is_soft {
            OwnedTargets::Soft(matrix(bytes, n, c)?.mapv(f64::abs))
        } else {
            let labels = (0..n).map(|_| bytes.int_in_range(0..=c - 1)).collect::<Result<_>>()?;
            OwnedTargets::Labels(labels)
        };
        let mut sometimes = |length: usize, positive: bool| -> Result<Option<Array1<f64>>> {
            if bytes.ratio(1, 2)? {
                return Ok(None);
            }
            let vector = matrix(bytes, 1, length)?.remove_axis(softmax_core::ndarray::Axis(0));
            Ok(Some(if positive { vector.mapv(f64::abs) } else { vector }))
        };
        let (bias, class_weights, sample_weights) = (sometimes(c, false)?, sometimes(c, true)?, sometimes(n, true)?);
        let objective = Objective {
            reduction: if bytes.arbitrary()? { Reduction::Mean } else { Reduction::Sum },
            label_smoothing: *bytes.choose(&[0.0, 0.0, 0.1, 1.0])?,
            ignore_index: if is_soft || bytes.arbitrary()? { None } else { Some(bytes.int_in_range(0..=c)?) },
            l2: *bytes.choose(&[0.0, 0.01, 3.0])?,
            z_loss: *bytes.choose(&[0.0, 1e-4, 1.0])?,
            softcap: *bytes.choose(&[None, None, Some(0.5), Some(30.0)])?,
            temperature: *bytes.choose(&[1.0, 0.1, 7.0])?,
        };
        Ok(Plan(OwnedProblem { features, weights, targets, bias, class_weights, sample_weights, objective }))
    }
}

/// Numbers of ordinary sizes and a few that are not. Infinities and NaN have cases of their own in the suite, and bounds do
/// not hold for what overflows.
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
    /// As it is, and in f32.
    pub(crate) fn problems(self) -> (OwnedProblem<f64>, OwnedProblem<f32>) {
        let single = Case::new("fuzz", self.0.clone()).narrowed();
        (self.0, single)
    }
}
