//! What runs inside the interpreters.
//!
//! A *zygote* is an interpreter with its packages loaded. It loads this library and does nothing
//! but fork: each child waits for a task, puts itself behind the walls and hands control back to
//! the interpreter, which runs the task. The functions here are called from Python through
//! `ctypes` and from R through `.C`, in this order:
//!
//! ```text
//! sandgate_start                      everything is loaded
//! while sandgate_next() wants one:
//!     fork, in the language's own way
//!     parent: sandgate_forked(pid)
//!     child:  sandgate_enter()        returns once there is a task, behind the walls
//! ```
//!
//! A zygote has one thread, so what is not safe for several threads is safe here.

mod clock;
pub mod lowered;
pub mod protocol;
mod state;
mod walls;

use std::ffi::c_int;

use rustix::process::DumpableBehavior;

use lowered::{Wall, stands};

/// Says that the interpreter is ready to fork. 0, or -1 if the runner is gone.
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "called by interpreters, by its name")]
pub extern "C" fn sandgate_start() -> c_int {
    // From here on neither its memory nor its environment can be read by a child.
    if stands(Wall::NotDumpable)
        && rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).is_err()
    {
        return -1;
    }
    status(state::start())
}

/// Waits until a child is wanted. 0 when one is, -1 if the runner is gone.
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "called by interpreters, by its name")]
pub extern "C" fn sandgate_next() -> c_int {
    status(state::next())
}

/// Tells the runner which child was forked; a negative `pid` that none was. 0, or -1 if the runner
/// is gone.
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "called by interpreters, by its name")]
pub extern "C" fn sandgate_forked(pid: c_int) -> c_int {
    status(state::forked(pid))
}

/// In the child: waits for the task and puts the process behind the walls. 0, and stdin, stdout,
/// stderr, the task and the report on descriptors 0 to 4. Anything else means that the child must
/// end without running anything.
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "called by interpreters, by its name")]
pub extern "C" fn sandgate_enter() -> c_int {
    status(state::enter())
}

fn status(result: std::io::Result<()>) -> c_int {
    match result {
        Ok(()) => 0,
        Err(_) => -1,
    }
}

/// The functions of R's `.C`, which passes everything by address and returns nothing.
#[expect(unsafe_code, reason = "called by R, by their names, with addresses")]
mod r {
    use std::ffi::c_int;

    use crate::{sandgate_enter, sandgate_forked, sandgate_next, sandgate_start, state};

    /// [`sandgate_start`].
    ///
    /// # Safety
    /// `status` points to an integer.
    #[unsafe(no_mangle)]
    pub(crate) unsafe extern "C" fn sandgate_r_start(status: *mut c_int) {
        // SAFETY: as the caller promises.
        unsafe { status.write(sandgate_start()) }
    }

    /// [`sandgate_next`].
    ///
    /// # Safety
    /// `status` points to an integer.
    #[unsafe(no_mangle)]
    pub(crate) unsafe extern "C" fn sandgate_r_next(status: *mut c_int) {
        // SAFETY: as the caller promises.
        unsafe { status.write(sandgate_next()) }
    }

    /// [`sandgate_forked`].
    ///
    /// # Safety
    /// `pid` and `status` point to integers.
    #[unsafe(no_mangle)]
    pub(crate) unsafe extern "C" fn sandgate_r_forked(pid: *const c_int, status: *mut c_int) {
        // SAFETY: as the caller promises.
        unsafe { status.write(sandgate_forked(pid.read())) }
    }

    /// [`sandgate_enter`].
    ///
    /// # Safety
    /// `status` points to an integer.
    #[unsafe(no_mangle)]
    pub(crate) unsafe extern "C" fn sandgate_r_enter(status: *mut c_int) {
        // SAFETY: as the caller promises.
        unsafe { status.write(sandgate_enter()) }
    }

    /// Forks: R has no way of its own that leaves the waiting to others. `pid` is 0 in the child,
    /// -1 if there is none.
    ///
    /// # Safety
    /// `pid` points to an integer.
    #[unsafe(no_mangle)]
    pub(crate) unsafe extern "C" fn sandgate_r_fork(pid: *mut c_int) {
        // SAFETY: the zygote has one thread, so the child has all there is.
        let forked = unsafe { libc::fork() };
        // SAFETY: as the caller promises.
        unsafe { pid.write(forked) }
    }

    /// Ends the process at once, without R's own end, which would tidy up after the zygote.
    ///
    /// # Safety
    /// `status` points to an integer.
    #[unsafe(no_mangle)]
    pub(crate) unsafe extern "C" fn sandgate_r_exit(status: *const c_int) {
        // SAFETY: as the caller promises.
        unsafe { libc::_exit(status.read()) }
    }

    /// Reads up to `length` bytes from descriptor `descriptor`, for which R has no connection.
    /// `length` becomes how many there were: 0 at the end, -1 if it failed.
    ///
    /// # Safety
    /// `bytes` points to `length` bytes, the others to integers.
    #[unsafe(no_mangle)]
    pub(crate) unsafe extern "C" fn sandgate_r_read(
        descriptor: *const c_int,
        bytes: *mut u8,
        length: *mut c_int,
    ) {
        // SAFETY: as the caller promises.
        let (descriptor, buffer) = unsafe {
            let length = usize::try_from(length.read()).unwrap_or(0);
            (
                descriptor.read(),
                std::slice::from_raw_parts_mut(bytes, length),
            )
        };
        let read = match state::read(descriptor, buffer) {
            Ok(count) => c_int::try_from(count).unwrap_or(-1),
            Err(_) => -1,
        };
        // SAFETY: as the caller promises.
        unsafe { length.write(read) }
    }

    /// Writes `length` bytes to descriptor `descriptor`, whole.
    ///
    /// # Safety
    /// `bytes` points to `length` bytes, the others to integers.
    #[unsafe(no_mangle)]
    pub(crate) unsafe extern "C" fn sandgate_r_write(
        descriptor: *const c_int,
        bytes: *const u8,
        length: *const c_int,
        status: *mut c_int,
    ) {
        // SAFETY: as the caller promises.
        let (descriptor, bytes) = unsafe {
            let length = usize::try_from(length.read()).unwrap_or(0);
            (descriptor.read(), std::slice::from_raw_parts(bytes, length))
        };
        let written = super::status(state::write(descriptor, bytes));
        // SAFETY: as the caller promises.
        unsafe { status.write(written) }
    }
}
