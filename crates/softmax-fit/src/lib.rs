//! Trains linear softmax classifiers: minimises the loss of [`softmax`] over W and b, by any backend.
//!
//! ```
//! use softmax_fit::{Fit, Model, Objective};
//!
//! let digits = softmax_data::digits::<f32>();
//! let fitted = Fit::new(Objective { l2: 1e-3, ..Objective::default() }).fit(&digits)?;
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("model.safetensors");
//! fitted.model.save(&path)?;
//! let model = Model::<f32>::load(&path)?;
//! assert_eq!(model.predict(&digits)?.len(), 1797);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which solver
//!
//! | solver | for what | an iteration costs |
//! |---|---|---|
//! | [`Lbfgs`](Solver::Lbfgs) | any problem, any backend; what [`Auto`](Solver::Auto) takes, but for very small ones | an evaluation of loss and gradient, and some 40 passes over D·C numbers |
//! | [`NewtonCg`](Solver::NewtonCg) | small tolerances in f64, by backends with [second derivatives](softmax::HessianVectorProduct) | up to 200 products with the Hessian |
//! | [`NewtonCholesky`](Solver::NewtonCholesky) | small tolerances in f64, up to 5000 parameters and 200 classes, without a softcap | a matrix of all second derivatives: N·(D·C)² multiply-adds |
//!
//! On the digits and on 200,000 samples of 10 features `Lbfgs` was several times faster than the others to a gradient of 1e-4: its
//! preconditioner already knows the features' second derivatives. Where a matrix of second derivatives is less than half a million
//! multiply-adds, as for 150 samples of 4 features and 3 classes, both take a millisecond: in f64 `Auto` then takes
//! `NewtonCholesky`, whose minimum has more digits. `cargo xtask fits` draws the curves of all of them,
//! and `softmax fit --solver …` times them on your data.
//!
//! # How
//!
//! The loss (7) is minimised from W = 0. Features of other scales, and correlated ones, cost few
//! iterations: steps are taken in coordinates in which the loss curves alike along all features, by the second moments of
//! the features at first, and later by those of the samples that the model is not sure of. With many features or sparse
//! ones only their scales count. The problem that is solved stays the same: no feature is changed, and the penalty is on
//! W as it is.
//!
//! A fit is at its minimum where no |entry| of dW and db is above the tolerance, and where the solver's own quadratic
//! model has next to nothing left to gain: along a feature of small numbers the gradient is small long before the loss
//! is. It ends there, at a limit, or where rounding keeps the loss from falling (in f32 with features of several hundred,
//! that may be before the gradient is within 1e-4); the [`Report`] says which. Its model is finite. The same data gives
//! the same bits, whatever the number of threads; not on another kind of processor, whose matrix products may round
//! otherwise.

#![forbid(unsafe_code)]

mod choice;
mod descent;
mod error;
mod factor;
mod file;
mod fit;
mod landscape;
mod lbfgs;
mod line_search;
mod model;
mod moments;
mod newton_cg;
mod newton_cholesky;
mod preconditioner;
mod probabilities;
mod report;
mod solver;
mod vectors;

pub use error::{FitError, Result};
pub use file::dtype_of_model;
pub use fit::{Fit, Fitted, Minimum};
pub use model::{Model, Top};
pub use report::{Report, Step, Stop};
pub use softmax::{Objective, Reduction};
pub use solver::Solver;
