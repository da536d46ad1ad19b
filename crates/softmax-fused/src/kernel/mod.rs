//! Building blocks of both kernels: one source for every instruction set and both element types. `pulp` detects the
//! instruction sets and calls the code compiled for them.

pub(crate) mod ahead;
pub(crate) mod errand;
pub(crate) mod exp;
pub(crate) mod interleave;
pub(crate) mod lanes;
pub(crate) mod level;
pub(crate) mod ln;
pub(crate) mod products;
pub(crate) mod tile;
#[cfg(test)]
pub(crate) mod ulps;
