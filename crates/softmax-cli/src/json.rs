//! Results as JSON.

use serde::Serialize;
use std::io::{self, Write};

/// Writes indented JSON with a line break at the end.
pub(crate) fn write_json(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}
