//! Values with known gradients for Burn's autodiff. Each is one node of the graph that stores its gradients, or what
//! they are computed from, instead of N×C scores.

use crate::native::DeviceGradients;
use crate::rows::Rows;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, Shape, backend_extension};
use burn::tensor::Tensor;

/// An input, and the gradient of the value with respect to it.
pub(crate) type Known = (Tensor<2>, Tensor<2>);

/// `value` (1) as a node of the graph, with the inputs in `known` as its parents.
pub(crate) fn with_gradients(value: Tensor<1>, known: [Known; 3]) -> Tensor<1> {
    let [(a, da), (b, db), (c, dc)] =
        known.map(|(input, gradient)| (input.into_dispatch(), gradient.into_dispatch()));
    let value = <Dispatch as KnownGradients>::with_gradients(value.into_dispatch(), a, b, c, da, db, dc);
    Tensor::from_dispatch(value)
}

/// `values`, one per sample (N), as a node of the graph. `inputs` are X, W and b (1×C). Their gradients are computed in
/// the backward pass.
pub(crate) fn with_rows(values: Tensor<1>, rows: Rows, inputs: [Tensor<2>; 3]) -> Tensor<1> {
    let [a, b, c] = inputs.map(Tensor::into_dispatch);
    Tensor::from_dispatch(<Dispatch as KnownGradients>::with_rows(values.into_dispatch(), a, b, c, rows))
}

/// The operations, on every Burn backend that this crate supports.
#[backend_extension(Flex, Cube: cfg(feature = "wgpu"), Autodiff)]
pub(crate) trait KnownGradients: Backend {
    /// `value` with the gradients `da`, `db` and `dc` with respect to `a`, `b` and `c`. Without autodiff, just `value`.
    fn with_gradients(
        value: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        da: FloatTensor<Self>,
        db: FloatTensor<Self>,
        dc: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// `values` with the gradients of `rows` with respect to `a`, `b` and `c`. Without autodiff, just `values`.
    fn with_rows(
        values: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        rows: Rows,
    ) -> FloatTensor<Self>;
}

/// Conversion of a backend's primitive tensors to [`Tensor`]s, and back.
pub(crate) trait Lift: Backend {
    fn lift(tensor: FloatTensor<Self>) -> Tensor<1>;

    fn lower(tensor: Tensor<2>) -> FloatTensor<Self>;
}

/// Implements the traits for a backend without autodiff: both operations return the value.
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

/// The backward pass of [`with_rows`]: computes the gradients with respect to X, W and b.
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

/// The backward pass of [`with_gradients`]: the upstream gradient, a scalar, times the stored gradients.
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
