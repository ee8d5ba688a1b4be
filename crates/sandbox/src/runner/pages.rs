//! The pages of a guest's memory, as the kernel sees them.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::fd::AsRawFd as _;

use rustix::mm::Advice;

/// Addresses, whole pages.
pub(super) type Span = Range<usize>;

/// `PAGEMAP_SCAN` of `linux/fs.h`, for all architectures that have no numbers of their own for it.
pub(crate) const PAGEMAP_SCAN: u32 = 0xc060_6610;

// Categories of pages, from `linux/fs.h`.
const WRITTEN: u64 = 1 << 1;
const FILE: u64 = 1 << 2;
const PRESENT: u64 = 1 << 3;
const PFNZERO: u64 = 1 << 5;

/// `struct pm_scan_arg`.
#[repr(C)]
#[derive(Debug, Default)]
struct ScanArgument {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `struct page_region`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

/// The most regions that are told at once. What writes more is no small program.
const MOST_REGIONS: usize = 512;

/// Looks at the pages of this process. It must not be used in a fork of the process that opened it.
#[derive(Debug)]
pub(super) struct Pages(File);

impl Pages {
    /// Opens the kernel's view.
    pub(super) fn open() -> io::Result<Self> {
        File::open("/proc/self/pagemap").map(Self)
    }

    /// The runs of pages within `span` that are the process's own: written to at some time, and
    /// neither given back nor let go since. Sorted, apart from each other. None if there are more
    /// than a caller could want to know.
    ///
    /// # Errors
    ///
    /// The kernel does not tell: before Linux 6.7.
    pub(super) fn own(&self, span: &Span) -> io::Result<Option<Vec<Span>>> {
        let mut found = [const { MaybeUninit::<Region>::uninit() }; MOST_REGIONS];
        let mut argument = ScanArgument {
            size: size_of::<ScanArgument>() as u64,
            start: span.start as u64,
            end: span.end as u64,
            vec: found.as_mut_ptr() as u64,
            vec_len: MOST_REGIONS as u64,
            // There, written to, and neither the one page of zeros nor the file's.
            category_inverted: PFNZERO | FILE,
            category_mask: WRITTEN | PRESENT | PFNZERO | FILE,
            ..ScanArgument::default()
        };
        #[expect(unsafe_code, reason = "there is no safe way to ask for this")]
        // SAFETY: the argument is the structure that this request takes, of the size it says, and
        // names an array that has room for as many regions as it says. Only those are written to.
        let count = unsafe {
            libc::ioctl(
                self.0.as_raw_fd(),
                PAGEMAP_SCAN as libc::Ioctl,
                std::ptr::from_mut(&mut argument),
            )
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        if argument.walk_end < argument.end || count > MOST_REGIONS {
            return Ok(None);
        }
        let regions = found.iter().take(count).map(|region| {
            #[expect(unsafe_code, reason = "the kernel fills the array from the start")]
            // SAFETY: the kernel says that it wrote this many.
            let region = unsafe { region.assume_init_ref() };
            region.start as usize..region.end as usize
        });
        Ok(Some(regions.collect()))
    }
}

/// Makes the pages of `span` the process's own, with the content they have.
///
/// The span must be part of a mapping that may be written to.
pub(super) fn take(span: &Span) -> io::Result<()> {
    #[expect(unsafe_code, reason = "it takes an address")]
    // SAFETY: the contents of the pages stay what they are.
    let taken = unsafe {
        rustix::mm::madvise(span.start as *mut _, span.len(), Advice::LinuxPopulateWrite)
    };
    taken.map_err(Into::into)
}

/// Lets go of the pages of `span`: they have again what the mapped file has, or zeros.
///
/// # Safety
///
/// Nobody must rely on the contents of these pages, and nobody borrow them.
#[expect(unsafe_code, reason = "changes memory by its address")]
pub(super) unsafe fn let_go(span: &Span) -> io::Result<()> {
    // SAFETY: the caller answers for it.
    let gone =
        unsafe { rustix::mm::madvise(span.start as *mut _, span.len(), Advice::LinuxDontNeed) };
    gone.map_err(Into::into)
}

/// How many page faults this thread has had.
pub(super) fn faults() -> u64 {
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    #[expect(unsafe_code, reason = "there is no safe way to ask for this")]
    // SAFETY: the structure is what the call fills, and is only read where it did.
    let faults = unsafe {
        match libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) {
            0 => usage.assume_init().ru_minflt,
            _ => 0,
        }
    };
    u64::try_from(faults).unwrap_or(0)
}
