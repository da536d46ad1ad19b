//! H·V: the derivative of G along a direction of the weights.
//!
//! Let t = (X·V + v)/τ·(∂s/∂raw) be the derivative of the scores and t̄_i = Σ_c p_ic·t_ic the derivative of lse. Then
//! the derivative of (8) is (u_i/Ω)·[((A_i + 2ζ·lse_i)·p_ic·(t_ic − t̄_i) + 2ζ·t̄_i·p_ic)·(∂s_ic/∂raw_ic) + ((A_i +
//! 2ζ·lse_i)·p_ic − a_ic)·q_ic]/τ. Here q_ic = −2·s_ic·t_ic/κ² is the derivative of ∂s/∂raw = 1 − (s/κ)²; it is 0
//! without a softcap.

use softmax_core::ndarray::{ArrayView1, ArrayView2};

/// A direction of weights V (D×C) and of the bias v (C).
#[derive(Clone, Copy)]
pub(crate) struct Direction<'v, T> {
    pub(crate) weights: ArrayView2<'v, T>,
    pub(crate) bias: Option<ArrayView1<'v, T>>,
}
