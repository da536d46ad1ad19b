//! Builds report pages from many records.

mod change;
mod html;
mod libraries;
mod markdown;
mod page;
mod provenance;
mod sections;
mod series;
mod splice;
mod summary;
mod tables;
mod trainings;

pub use change::changes;
pub use libraries::{libraries_page, libraries_summary};
pub use page::Page;
pub use provenance::performance;
pub use sections::page;
pub use splice::{Block, SpliceError, splice, splice_file};
pub use tables::summary as summary_table;
