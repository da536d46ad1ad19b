//! Hessian-vector products of [`Fused`], by the same kernel that evaluates the problem.

use crate::backend::{Fused, Scratch};
use crate::direction::Direction;
use crate::kernel::level::FusedElement;
use crate::narrow;
use crate::stored::{Dense, Samples, Stored};
use crate::terms::Terms;
use crate::wide::hessian_product;
use softmax_core::ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2};
use softmax_core::{HessianVectorProduct, Outputs, Problem, Result, SoftmaxBackend};

impl Fused {
    fn hessian_with<T: FusedElement>(
        &mut self,
        scratch: fn(&mut Self) -> &mut Scratch<T>,
        problem: &Problem<'_, T>,
        direction: Direction<'_, T>,
        mut outputs: Outputs<'_, T>,
    ) -> Result<()> {
        let pool = self.pool()?;
        let means = self.means(problem, pool.as_deref());
        let stored = Stored::new(problem);
        let terms = Terms::new(problem, &stored);
        let (is_narrow, scratch) = (self.is_narrow(problem), scratch(self));
        match stored.features {
            Samples::Dense(features) if is_narrow => {
                let (dense, means) =
                    (Dense { features, weights: stored.weights }, (means.memory, means.crew));
                narrow::evaluate(&mut scratch.narrow, &terms, &dense, Some(direction), &mut outputs, means);
            }
            Samples::Dense(_) | Samples::Csr(_) => {
                hessian_product(&mut scratch.wide, &terms, &stored, direction, &mut outputs, means);
            }
        }
        Ok(())
    }
}

macro_rules! impl_hessian {
    ($($T:ty: $scratch:ident),*) => {$(
        impl HessianVectorProduct<$T> for Fused {
            fn hessian_vector_product(
                &mut self,
                problem: &Problem<'_, $T>,
                direction: ArrayView2<'_, $T>,
                product: ArrayViewMut2<'_, $T>,
            ) -> Result<()> {
                problem.check_direction(direction, product.view())?;
                SoftmaxBackend::<$T>::check_support(self, problem.needs())?;
                let outputs = Outputs { weights_gradient: Some(product), ..Outputs::default() };
                let direction = Direction { weights: direction, bias: None };
                self.hessian_with(|fused| &mut fused.$scratch, problem, direction, outputs)
            }

            fn hessian_vector_product_with_bias(
                &mut self,
                problem: &Problem<'_, $T>,
                (weights, bias): (ArrayView2<'_, $T>, ArrayView1<'_, $T>),
                (of_weights, of_bias): (ArrayViewMut2<'_, $T>, ArrayViewMut1<'_, $T>),
            ) -> Result<()> {
                problem.check_direction(weights, of_weights.view())?;
                problem.check_bias_direction(bias, of_bias.view())?;
                SoftmaxBackend::<$T>::check_support(self, problem.needs())?;
                let outputs = Outputs {
                    weights_gradient: Some(of_weights),
                    bias_gradient: Some(of_bias),
                    ..Outputs::default()
                };
                let direction = Direction { weights, bias: Some(bias) };
                self.hessian_with(|fused| &mut fused.$scratch, problem, direction, outputs)
            }
        }
    )*};
}

impl_hessian!(f32: single, f64: double);
