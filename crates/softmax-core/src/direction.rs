//! Directions in the space of W and b, along which gradients are differentiated.

use crate::element::Element;
use crate::error::{Error, Result};
use crate::parts::{ArrayName, AxisName};
use crate::problem::Problem;
use ndarray::{ArrayView1, ArrayView2};

impl<T: Element> Problem<'_, T> {
    /// Checks the shapes of a direction in the space of W and of a Hessian-vector product. Backends call this first.
    ///
    /// # Errors
    /// [`Error::Shape`] if either is not D×C; [`Error::Classes`] if the problem is a shard.
    pub fn check_direction(&self, direction: ArrayView2<'_, T>, product: ArrayView2<'_, T>) -> Result<()> {
        self.check_whole()?;
        for (array, found) in
            [(ArrayName::Direction, direction.dim()), (ArrayName::HessianVectorProduct, product.dim())]
        {
            let (expected, found) = ((self.n_features(), self.n_classes()), found);
            if expected.0 != found.0 {
                return Err(Error::Shape {
                    array,
                    axis: AxisName::Features,
                    expected: expected.0,
                    found: found.0,
                });
            }
            if expected.1 != found.1 {
                return Err(Error::Shape {
                    array,
                    axis: AxisName::Classes,
                    expected: expected.1,
                    found: found.1,
                });
            }
        }
        Ok(())
    }

    /// Checks the lengths of the bias parts of a direction and of a Hessian-vector product.
    ///
    /// # Errors
    /// [`Error::Shape`] if the length of either is not C.
    pub fn check_bias_direction(
        &self,
        direction: ArrayView1<'_, T>,
        product: ArrayView1<'_, T>,
    ) -> Result<()> {
        for (array, found) in
            [(ArrayName::Direction, direction.len()), (ArrayName::HessianVectorProduct, product.len())]
        {
            if found != self.n_classes() {
                let (axis, expected) = (AxisName::Classes, self.n_classes());
                return Err(Error::Shape { array, axis, expected, found });
            }
        }
        Ok(())
    }
}
