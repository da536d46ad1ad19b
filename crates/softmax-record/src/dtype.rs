//! Element types by their names, `f32` and `f64`.

use serde::{Deserialize, Serialize};
use softmax_core::Dtype;

/// How serde reads and writes a [`Dtype`].
#[derive(Deserialize, Serialize)]
#[serde(remote = "Dtype", rename_all = "lowercase")]
pub(crate) enum DtypeName {
    F32,
    F64,
}
