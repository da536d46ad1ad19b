//! Backends in other languages: a softmax backend that runs as a separate process, and a server for backends in Rust.
//!
//! [`Launcher`] starts a command and makes [`External`] backends. For each evaluation a backend sends the process one
//! line of JSON, with the arrays in files, and reads one line and a file of outputs. `docs/EXTERNAL.md` in the
//! repository specifies the protocol. If a process exits, hangs, writes invalid lines or returns arrays of the wrong
//! shape, the call returns a one-line [`Error`](softmax_core::Error).
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
//! [`serve`] is the process's side of the protocol, for a program with a
//! [`SoftmaxBackend`](softmax_core::SoftmaxBackend).

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
pub use protocol::is_in_protocol;
pub use serve::{ServeError, serve};
