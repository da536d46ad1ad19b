//! A softmax backend that runs as another process, in any language, and a server for one in Rust.
//!
//! [`Launcher`] starts a command, and makes [`External`] backends, each of which sends the process a line of JSON for an
//! evaluation, with the arrays in files, and reads a line and a file back. `docs/EXTERNAL.md` in the repository is the
//! protocol. What a process does wrong, be it that it ends, hangs, writes nonsense or arrays of the wrong shape, is an
//! [`Error`](softmax_core::Error) of one line.
//!
//! ```no_run
//! use softmax_core::SoftmaxBackend;
//! use softmax_external::{Launch, Launcher};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let launcher = Launcher::new("mine=python3 my_backend.py".parse::<Launch>()?);
//! # let (x, w) = (softmax_core::ndarray::Array2::<f32>::zeros((2, 3)), softmax_core::ndarray::Array2::<f32>::zeros((3, 4)));
//! # let problem = softmax_core::Problem::builder(x.view(), w.view(), &[0usize, 1][..]).build()?;
//! let loss = launcher.backend(None).loss(&problem)?;
//! # Ok(())
//! # }
//! ```
//!
//! [`serve`] is the other side, for a program that has a [`SoftmaxBackend`](softmax_core::SoftmaxBackend).

#![forbid(unsafe_code)]

mod adapters;
mod backend;
mod connection;
mod folder;
mod launch;
mod process;
mod protocol;
mod received;
mod serve;
mod tensors;

pub use adapters::{ADAPTERS, Adapter, write_adapters};
pub use backend::{External, Launcher, end_all, end_calls};
pub use launch::{Launch, LaunchError};
pub use serve::{ServeError, serve};
