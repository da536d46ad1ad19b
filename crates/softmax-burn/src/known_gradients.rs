//! Values whose gradients are known, or can be computed, for Burn's autodiff: one node of a graph, which keeps the gradients, or
//! what they are computed from, instead of N×C scores.

use crate::native::DeviceGradients;
use crate::rows::Rows;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, Shape, backend_extension};
use burn::tensor::Tensor;

/// What a value depends on, and its gradient by that.
pub(crate) type Known = (Tensor<2>, Tensor<2>);

/// The value (1), with what it depends on as its parents.
pub(crate) fn with_gradients(value: Tensor<1>, known: [Known; 3]) -> Tensor<1> {
    let [(a, da), (b, db), (c, dc)] =
        known.map(|(input, gradient)| (input.into_dispatch(), gradient.into_dispatch()));
    let value = <Dispatch as KnownGradients>::with_gradients(value.into_dispatch(), a, b, c, da, db, dc);
    Tensor::from_dispatch(value)
}

/// A number for each sample (N), whose gradients by W, X and b (1×C) are computed when they are requested.
pub(crate) fn with_rows(values: Tensor<1>, rows: Rows, inputs: [Tensor<2>; 3]) -> Tensor<1> {
    let [a, b, c] = inputs.map(Tensor::into_dispatch);
    Tensor::from_dispatch(<Dispatch as KnownGradients>::with_rows(values.into_dispatch(), a, b, c, rows))
}

/// The operation, on every backend that this crate has.
#[backend_extension(Flex, Cube: cfg(feature = "wgpu"), Autodiff)]
pub(crate) trait KnownGradients: Backend {
    /// `value`, whose gradients by `a`, `b` and `c` are the other three. Without autodiff that is `value`.
    fn with_gradients(
        value: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        da: FloatTensor<Self>,
        db: FloatTensor<Self>,
        dc: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// `values`, whose gradients by `a`, `b` and `c` are those of `rows`. Without autodiff that is `values`.
    fn with_rows(
        values: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        rows: Rows,
    ) -> FloatTensor<Self>;
}

/// Tensors of a backend as those of any, and back.
pub(crate) trait Lift: Backend {
    fn lift(tensor: FloatTensor<Self>) -> Tensor<1>;

    fn lower(tensor: Tensor<2>) -> FloatTensor<Self>;
}

/// Without autodiff the value is all there is.
macro_rules! plain {
    ($backend:ty) => {
        impl KnownGradients for $backend {
            fn with_gradients(
                value: FloatTensor<Self>,
                _a: FloatTensor<Self>,
                _b: FloatTensor<Self>,
                _c: FloatTensor<Self>,
                _da: FloatTensor<Self>,
                _db: FloatTensor<Self>,
                _dc: FloatTensor<Self>,
            ) -> FloatTensor<Self> {
                value
            }

            fn with_rows(
                values: FloatTensor<Self>,
                _a: FloatTensor<Self>,
                _b: FloatTensor<Self>,
                _c: FloatTensor<Self>,
                _rows: Rows,
            ) -> FloatTensor<Self> {
                values
            }
        }

        impl Lift for $backend {
            fn lift(tensor: FloatTensor<Self>) -> Tensor<1> {
                Tensor::from_primitive::<$backend>(tensor)
            }

            fn lower(tensor: Tensor<2>) -> FloatTensor<Self> {
                tensor.try_into_primitive::<$backend>().expect("computed on this backend")
            }
        }
    };
}

plain!(Flex);
#[cfg(feature = "wgpu")]
plain!(burn::backend::Cube);

impl<B: Backend + KnownGradients + Lift, C: CheckpointStrategy> KnownGradients for Autodiff<B, C> {
    fn with_gradients(
        value: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        da: FloatTensor<Self>,
        db: FloatTensor<Self>,
        dc: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let gradients = [da, db, dc].map(|gradient| gradient.into_primitive());
        match Step.prepare::<C>([a.node(), b.node(), c.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(gradients, value.into_primitive()),
            OpsKind::UnTracked(prep) => prep.finish(value.into_primitive()),
        }
    }

    fn with_rows(
        values: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        rows: Rows,
    ) -> FloatTensor<Self> {
        match RowsStep.prepare::<C>([a.node(), b.node(), c.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(rows, values.into_primitive()),
            OpsKind::UnTracked(prep) => prep.finish(values.into_primitive()),
        }
    }
}

/// The backward pass of numbers of samples, by W, X and b.
#[derive(Debug)]
struct RowsStep;

impl<B: Backend + Lift> Backward<B, 3> for RowsStep {
    type State = Rows;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let above = B::lift(grads.consume::<B>(&ops.node));
        let DeviceGradients { weights, features, bias } = ops.state.gradients(above);
        for (parent, gradient) in ops.parents.into_iter().zip([features, weights, bias]) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<B>(parent.id, B::lower(gradient));
            }
        }
    }
}

/// The backward pass: what comes from above times what is known.
#[derive(Debug)]
struct Step;

impl<B: Backend> Backward<B, 3> for Step {
    type State = [FloatTensor<B>; 3];

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let above = B::float_reshape(grads.consume::<B>(&ops.node), Shape::new([1, 1]));
        for (parent, gradient) in ops.parents.into_iter().zip(ops.state) {
            if let Some(parent) = parent {
                grads.register::<B>(parent.id, B::float_mul(gradient, above.clone()));
            }
        }
    }
}
