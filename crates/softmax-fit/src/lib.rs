//! Trains linear softmax classifiers (multinomial logistic regression): minimises the loss of [`softmax`] over W and
//! b with any backend, predicts, and stores models. Data files are read by `softmax-data`.
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
//! | solver | suited to | cost of an iteration |
//! |---|---|---|
//! | [`Lbfgs`] | any problem, any backend | a loss and gradient, and about 40 passes over D·C numbers |
//! | [`NewtonCg`] | small tolerances in f64, backends with [second derivatives] | up to 200 products with the Hessian |
//! | [`NewtonCholesky`] | small tolerances in f64, few parameters, no softcap | the Hessian: N·(D·C)² multiply-adds |
//!
//! [`Lbfgs`]: Solver::Lbfgs
//! [`NewtonCg`]: Solver::NewtonCg
//! [`NewtonCholesky`]: Solver::NewtonCholesky
//! [second derivatives]: softmax::HessianVectorProduct
//!
//! `NewtonCholesky` is limited to 5000 parameters and 200 classes.
//!
//! On the digits and on 200,000 samples of 10 features, `Lbfgs` reached a gradient of 1e-4 several times faster than
//! the others, because its preconditioner contains the features' second derivatives. For very small problems, such as
//! 150 samples of 4 features and 3 classes, `Lbfgs` and `NewtonCholesky` both take about a millisecond.
//!
//! [`Auto`](Solver::Auto) takes `Lbfgs`, with one exception: in f64, if the Hessian takes at most half a million
//! multiply-adds and there is no softcap, it takes `NewtonCholesky`, whose minimum has more digits.
//! `cargo xtask fits` draws the curves of all solvers, and `softmax fit --solver …` times them on your data.
//!
//! # Method
//!
//! A fit minimises the loss (7) from W = 0. Features of different scales and correlated features cost few extra
//! iterations: the solver takes its steps in preconditioned coordinates, in which the curvature is about equal along
//! all features. The preconditioner starts from the features' second moments, and is renewed from the Hessian at the
//! current model. With many or sparse features it is diagonal. It does not change the problem: the features and the
//! penalty stay as they are.
//!
//! # Convergence
//!
//! A fit has converged when every |entry| of dW and db is at most the tolerance. It then continues until the solver's
//! quadratic model predicts no significant decrease of the loss, since the gradient of a feature with small values is
//! small long before the loss is at its minimum. It also stops at a limit, or when rounding prevents a decrease; in
//! f32 with feature values of several hundred this may happen before the gradient is at 1e-4. The [`Report`] gives
//! the reason, and the model is finite in every case.
//!
//! The same data gives the same bits with any number of threads. On another kind of processor the last digits may
//! differ, because the preconditioner's matrix products may round differently.

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
