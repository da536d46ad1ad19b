//! H·V: the derivative of G along a direction of the weights.
//!
//! With t = (X·V + v)/τ·(∂s/∂raw), the derivative of the scores, and t̄_i = Σ_c p_ic·t_ic, that of lse, the derivative of (8) is
//! (u_i/Ω)·[((A_i + 2ζ·lse_i)·p_ic·(t_ic − t̄_i) + 2ζ·t̄_i·p_ic)·(∂s_ic/∂raw_ic) + ((A_i + 2ζ·lse_i)·p_ic − a_ic)·q_ic]/τ, where
//! q_ic = −2·s_ic·t_ic/κ² is the derivative of ∂s/∂raw = 1 − (s/κ)², and 0 without a softcap.

use softmax_core::ndarray::{ArrayView1, ArrayView2};

/// V (D×C) and v (C).
#[derive(Clone, Copy)]
pub(crate) struct Direction<'v, T> {
    pub(crate) weights: ArrayView2<'v, T>,
    pub(crate) bias: Option<ArrayView1<'v, T>>,
}
