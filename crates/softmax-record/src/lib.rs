//! Measurements of softmax backends: their types, files, tables, plots and report page. This crate measures nothing
//! itself.
//!
//! [`Comparison`] is the result of `softmax compare` for one problem. [`Record`] is one line of the file that
//! `softmax bench` writes through a [`Journal`]. [`Table`] and [`plot`] show them, and [`report`] builds a page from
//! many records. `benches/METHODOLOGY.md` describes how they are measured.
//!
//! ```no_run
//! use softmax_record::{read, report};
//!
//! let records = read("target/bench/records.jsonl".as_ref())?;
//! println!("{}", report::summary_table(&records).markdown());
//! # Ok::<(), softmax_record::JournalError>(())
//! ```

#![forbid(unsafe_code)]

mod comparison;
mod journal;
mod library;
mod machine;
mod palette;
pub mod plot;
mod record;
pub mod report;
mod shape;
mod table;
mod time;
mod training;
pub mod units;
mod view;

pub use comparison::{Comparison, Failure, Measured, ProblemRecord, ReferenceRecord, Skipped};
pub use journal::{Journal, JournalError, read};
pub use library::{Finding, Libraries, Library, LibraryRun};
pub use machine::{Machine, cpu};
pub use palette::Palette;
pub use record::{Record, Roofline, SUBJECT, Sweep, Task};
pub use shape::{Shape, ShapeError};
pub use table::{Cell, Table};
pub use time::{Time, median};
pub use training::{CurvePoint, Training};
