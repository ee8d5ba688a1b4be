//! The calendar that a child sees: the real one, or one that started when it was told to.
//!
//! Interpreters load this library before any other, so what they and their packages ask of the C
//! library for the time of day, they ask here. It is a service for snippets, no wall: whoever makes
//! the system call itself gets the real time. Clocks that only measure stay as they are, or waiting
//! would go wrong. A calendar moves on as the real one does.

use std::ffi::{CStr, c_int, c_void};
use std::io;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI64, AtomicPtr, Ordering::Relaxed};

use libc::{clockid_t, time_t, timespec, timeval};

use crate::protocol::Calendar;

const BILLION: i64 = 1_000_000_000;

/// What is added to the real calendar, in whole seconds and nanoseconds of the next. Set in a
/// child before it has a second thread.
static SECONDS: AtomicI64 = AtomicI64::new(0);
static NANOSECONDS: AtomicI64 = AtomicI64::new(0);

type Read = unsafe extern "C" fn(clockid_t, *mut timespec) -> c_int;

/// The C library's function, once it was looked up.
static REAL: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// Sets the calendar of this process to `now`.
///
/// # Errors
/// If the real one cannot be read.
pub(crate) fn set(now: Calendar) -> io::Result<()> {
    let real = read_real(libc::CLOCK_REALTIME).ok_or_else(io::Error::last_os_error)?;
    let nanoseconds = i64::from(now.nanoseconds) - real.tv_nsec;
    SECONDS.store(
        now.seconds
            .wrapping_sub(real.tv_sec)
            .wrapping_add(nanoseconds.div_euclid(BILLION)),
        Relaxed,
    );
    NANOSECONDS.store(nanoseconds.rem_euclid(BILLION), Relaxed);
    Ok(())
}

/// What clock `id` shows a guest. None, and `errno`, if there is no such clock.
fn read(id: clockid_t) -> Option<timespec> {
    let mut time = read_real(id)?;
    if matches!(
        id,
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_TAI
    ) {
        let nanoseconds = time.tv_nsec + NANOSECONDS.load(Relaxed);
        time.tv_sec = time
            .tv_sec
            .wrapping_add(SECONDS.load(Relaxed))
            .wrapping_add(nanoseconds.div_euclid(BILLION));
        time.tv_nsec = nanoseconds.rem_euclid(BILLION);
    }
    Some(time)
}

#[expect(unsafe_code, reason = "the C library's own function, by its name")]
fn read_real(id: clockid_t) -> Option<timespec> {
    let mut found = REAL.load(Relaxed);
    if found.is_null() {
        const NAME: &CStr = c"clock_gettime";
        // SAFETY: a name that ends in zero. The next one after this library is the C library's.
        found = unsafe { libc::dlsym(libc::RTLD_NEXT, NAME.as_ptr()) };
        REAL.store(found, Relaxed);
    }
    // SAFETY: every C library has the function, with this type; a null pointer becomes `None`.
    let real: Option<Read> = unsafe { std::mem::transmute(found) };
    let mut time = timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the address is valid for the length of the call.
    (unsafe { real?(id, &raw mut time) } == 0).then_some(time)
}

/// The C library's functions, for all programs that load this library first.
///
/// Programs that link this crate have them as well, the runner among them. Their calendar is never
/// set, so for them it is the real one.
#[expect(unsafe_code, reason = "called in the place of the C library's own")]
mod interposed {
    use super::{c_int, c_void, clockid_t, read, time_t, timespec, timeval};

    /// As `clock_gettime(3)`.
    ///
    /// # Safety
    /// `time` can be written to.
    #[unsafe(no_mangle)]
    pub(crate) unsafe extern "C" fn clock_gettime(id: clockid_t, time: *mut timespec) -> c_int {
        match read(id) {
            Some(now) => {
                // SAFETY: as the caller promises.
                unsafe { time.write(now) };
                0
            }
            None => -1,
        }
    }

    /// As `gettimeofday(2)`.
    ///
    /// # Safety
    /// `time` is null or can be written to.
    #[unsafe(no_mangle)]
    pub(crate) unsafe extern "C" fn gettimeofday(time: *mut timeval, _zone: *mut c_void) -> c_int {
        let Some(now) = read(libc::CLOCK_REALTIME) else {
            return -1;
        };
        if !time.is_null() {
            // SAFETY: as the caller promises.
            unsafe {
                time.write(timeval {
                    tv_sec: now.tv_sec,
                    tv_usec: now.tv_nsec / 1_000,
                });
            }
        }
        0
    }

    /// As `timespec_get` of C11, which is what R asks.
    ///
    /// # Safety
    /// `time` can be written to.
    #[unsafe(no_mangle)]
    pub(crate) unsafe extern "C" fn timespec_get(time: *mut timespec, base: c_int) -> c_int {
        /// The one base that there is.
        const TIME_UTC: c_int = 1;
        match read(libc::CLOCK_REALTIME) {
            Some(now) if base == TIME_UTC => {
                // SAFETY: as the caller promises.
                unsafe { time.write(now) };
                base
            }
            Some(_) | None => 0,
        }
    }

    /// As `time(2)`.
    ///
    /// # Safety
    /// `seconds` is null or can be written to.
    #[unsafe(no_mangle)]
    pub(crate) unsafe extern "C" fn time(seconds: *mut time_t) -> time_t {
        let now = read(libc::CLOCK_REALTIME).map_or(-1, |now| now.tv_sec);
        if !seconds.is_null() {
            // SAFETY: as the caller promises.
            unsafe { seconds.write(now) };
        }
        now
    }
}
