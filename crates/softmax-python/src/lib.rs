//! The native part of the Python package `softmax_fused`. It turns NumPy arrays into views for [`softmax`] without a
//! copy, and outputs into NumPy arrays. Signatures, defaults and documentation are in `python/softmax_fused`; nothing
//! here is public.
//!
//! ```text
//! array  ── a NumPy array, checked ──┐
//! csr    ── a SciPy matrix, checked ─┼─ problem: softmax::Problem ─┬─ evaluation ─ results: arrays for outputs
//! labels ── labels ──────────────────┘                             ├─ two_pass ─── results
//!                                                                  └─ fitting
//! crew   ── threads and the backend, kept between calls; all of the above compute with it
//! ```

mod array;
mod crew;
mod csr;
mod error;
mod evaluation;
mod fitting;
mod labels;
mod problem;
mod results;
mod two_pass;

use pyo3::prelude::*;

/// The native part of `softmax_fused`.
#[pymodule]
#[pyo3(name = "_core")]
mod core {
    #[pymodule_export]
    use crate::array::BFloat16;
    #[pymodule_export]
    use crate::crew::release_memory;
    #[pymodule_export]
    use crate::evaluation::evaluate;
    #[pymodule_export]
    use crate::fitting::minimize;
    #[pymodule_export]
    use crate::problem::Problem;
    #[pymodule_export]
    use crate::two_pass::{Statistics, backward, forward};

    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "its name in Python")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    /// The backends of this build, by name.
    #[pyo3::pyfunction]
    fn backends() -> Vec<String> {
        softmax::Registry::built_in().entries().map(|entry| entry.name().to_owned()).collect()
    }
}
