//! Why a WASI call fails.

/// The errors of WASI preview 1 that this host returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Errno {
    /// Permission denied.
    Acces = 2,
    /// Not a descriptor, or not one for this use.
    Badf = 8,
    /// In use.
    Busy = 10,
    /// Exists.
    Exist = 20,
    /// File too large.
    Fbig = 22,
    /// Text is not UTF-8.
    Ilseq = 25,
    /// An argument makes no sense.
    Inval = 28,
    /// Is a directory.
    Isdir = 31,
    /// Too many symbolic links.
    Loop = 32,
    /// Too many open descriptors.
    Mfile = 33,
    /// Name too long.
    Nametoolong = 37,
    /// No such file or directory.
    Noent = 44,
    /// The quota is used up.
    Nospc = 51,
    /// Not a directory.
    Notdir = 54,
    /// Directory not empty.
    Notempty = 55,
    /// Not a socket.
    Notsock = 57,
    /// Not supported.
    Notsup = 58,
    /// Not permitted.
    Perm = 63,
    /// Read-only.
    Rofs = 69,
    /// Not seekable.
    Spipe = 70,
}
