//! Systems that do not tell what the pages of a guest's memory are: the engine keeps none in place
//! there.

use std::io;
use std::ops::Range;

/// Addresses, whole pages.
pub(super) type Span = Range<usize>;

/// Never there.
#[derive(Debug)]
pub(super) enum Pages {}

impl Pages {
    /// Fails.
    pub(super) fn open() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Is never called.
    pub(super) fn own(&self, _: &Span) -> io::Result<Option<Vec<Span>>> {
        match *self {}
    }
}

/// Is never called.
pub(super) fn take(_: &Span) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Is never called.
///
/// # Safety
///
/// Does nothing.
#[expect(unsafe_code, reason = "as where it does something")]
pub(super) unsafe fn let_go(_: &Span) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not counted.
pub(super) fn faults() -> u64 {
    0
}
