//! The oracle: evaluates the formula in double-double arithmetic, about 31 digits, with a bound on the error of a
//! correct backend. It shares no code with any backend.

mod bounds;
mod differences;
mod evaluate;
mod expected;
mod facts;
mod inputs;
mod real;
mod row;
mod sums;
#[cfg(test)]
mod tests;
mod upstream;

pub use differences::{Difference, central_difference, gradient_units};
pub(crate) use evaluate::upstream_reference;
pub use evaluate::{DOUBLE_DOUBLE_LIMIT, reference, reference_bytes};
pub use expected::{Expected, Reference, TopClass, TopRow};
pub use real::Precision;
pub(crate) use upstream::Coefficients;
