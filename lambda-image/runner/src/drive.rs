//! Watching a child: its output, its report, its time, its descendants.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use sandgate_core::Limits;
use sandgate_zygote::lowered::{Wall, stands};

use crate::frames::Frames;
use crate::processes::Guests;
use crate::scratch::holds_more_than;

/// How often the descendants are counted. A snippet that is done sooner costs no count.
const TICK: Duration = Duration::from_millis(50);

/// How many processes a guest may have at once.
pub(crate) const MAX_PROCESSES: usize = 64;

/// How many files a guest may have at once: removing them takes time, too.
pub(crate) const MAX_FILES: u64 = 50_000;

/// What is read of a stream at once.
const CHUNK: usize = 64 << 10;

/// Why the watch is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The child has ended.
    Ended,
    /// Its time is up.
    Timeout,
    /// It printed more than is kept.
    OutputLimit,
    /// It and its descendants hold more memory than granted.
    OutOfMemory,
    /// It has more descendants than granted.
    TooManyProcesses,
    /// It made more files than granted.
    TooManyFiles,
}

/// How far a child may go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds<'a> {
    /// When it must have ended.
    pub(crate) deadline: Instant,
    /// Memory that it has from its zygote, in bytes.
    pub(crate) inherited: u64,
    /// Memory that it may have beyond that, in bytes.
    pub(crate) memory_bytes: u64,
    /// A folder on the file system that it may write to.
    pub(crate) work: &'a Path,
}

/// A stream of the child's.
#[derive(Debug)]
pub(crate) struct Captured {
    descriptor: Option<OwnedFd>,
    /// What it printed, up to the limit.
    pub(crate) bytes: Vec<u8>,
    /// Whether there was more.
    pub(crate) truncated: bool,
    limit: usize,
}

/// All that comes from a child.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Standard output.
    pub(crate) stdout: Captured,
    /// Standard error.
    pub(crate) stderr: Captured,
    /// What it reported.
    pub(crate) frames: Frames,
    report: Option<OwnedFd>,
    /// The most memory that was counted.
    pub(crate) peak_bytes: u64,
}

impl Captured {
    fn new(descriptor: OwnedFd, limit: u64) -> Self {
        Self {
            descriptor: Some(descriptor),
            bytes: Vec::new(),
            truncated: false,
            limit: match usize::try_from(limit) {
                Ok(limit) if stands(Wall::OutputLimit) => limit,
                Ok(_) | Err(_) => usize::MAX,
            },
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let Self {
            descriptor,
            bytes,
            truncated,
            limit,
        } = self;
        read(descriptor, buffer, |chunk| {
            let room = *limit - bytes.len();
            *truncated |= chunk.len() > room;
            bytes.extend_from_slice(chunk.get(..room).unwrap_or(chunk));
        })
    }
}

/// How many files the file system with `folder` has. Without a count there is none to hold anybody
/// to.
fn files(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(0, |system| system.f_files.saturating_sub(system.f_ffree))
}

/// Reads what is there, once, and forgets the descriptor at its end.
fn read(
    descriptor: &mut Option<OwnedFd>,
    buffer: &mut [u8],
    take: impl FnOnce(&[u8]),
) -> io::Result<()> {
    let Some(open) = descriptor else {
        return Ok(());
    };
    match rustix::io::read(open, &mut *buffer) {
        Ok(0) => *descriptor = None,
        Ok(count) => take(buffer.get(..count).unwrap_or_default()),
        Err(Errno::AGAIN | Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

impl Watch {
    /// Reads from these, which do not block, within `limits`.
    pub(crate) fn new(stdout: OwnedFd, stderr: OwnedFd, report: OwnedFd, limits: &Limits) -> Self {
        Self {
            stdout: Captured::new(stdout, limits.output_bytes),
            stderr: Captured::new(stderr, limits.output_bytes),
            frames: Frames::new(limits.result_bytes),
            report: Some(report),
            peak_bytes: 0,
        }
    }

    /// Reads until the child has ended, which makes `ended` readable, or must be ended.
    ///
    /// # Errors
    /// If the system fails.
    pub(crate) fn run(
        &mut self,
        ended: &OwnedFd,
        guests: &Guests<'_>,
        bounds: Bounds<'_>,
    ) -> io::Result<End> {
        let Bounds {
            deadline,
            inherited,
            memory_bytes,
            work,
        } = bounds;
        let files_before = files(work);
        let mut buffer = vec![0; CHUNK];
        let mut next_tick = Instant::now() + TICK;
        loop {
            let now = Instant::now();
            if now >= deadline {
                return Ok(End::Timeout);
            }
            if now >= next_tick && stands(Wall::Survey) {
                let survey = guests.survey(inherited, MAX_PROCESSES)?;
                self.peak_bytes = self.peak_bytes.max(survey.memory_bytes);
                if survey.memory_bytes > memory_bytes {
                    return Ok(End::OutOfMemory);
                }
                if survey.processes > MAX_PROCESSES {
                    return Ok(End::TooManyProcesses);
                }
                // The file system's count costs nothing, but may be others' as well.
                if files(work).saturating_sub(files_before) > MAX_FILES
                    && work
                        .parent()
                        .is_some_and(|scratch| holds_more_than(scratch, MAX_FILES))
                {
                    return Ok(End::TooManyFiles);
                }
                next_tick = Instant::now() + TICK;
            }
            let has_ended = self.wait(Some(ended), deadline.min(next_tick))?;
            self.read(&mut buffer)?;
            if self.stdout.truncated || self.stderr.truncated {
                return Ok(End::OutputLimit);
            }
            let is_over = if stands(Wall::End) {
                has_ended
            } else {
                self.descriptors().next().is_none()
            };
            if is_over {
                return Ok(End::Ended);
            }
        }
    }

    /// Reads what is left. Nobody writes any more.
    ///
    /// # Errors
    /// If the system fails.
    pub(crate) fn drain(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK];
        // A pipe holds little: this bounds what can be left in three of them many times over.
        for _ in 0..1_024 {
            self.wait(None, Instant::now())?;
            self.read(&mut buffer)?;
            if self.descriptors().next().is_none() {
                break;
            }
        }
        self.frames.finish();
        Ok(())
    }

    fn descriptors(&self) -> impl Iterator<Item = &OwnedFd> {
        let streams = [
            &self.stdout.descriptor,
            &self.stderr.descriptor,
            &self.report,
        ];
        streams.into_iter().flatten()
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.stdout.read(buffer)?;
        self.stderr.read(buffer)?;
        let Self { report, frames, .. } = self;
        read(report, buffer, |chunk| frames.take(chunk))
    }

    /// Waits until there is something to read or the child has ended; says whether it has.
    fn wait(&self, ended: Option<&OwnedFd>, until: Instant) -> io::Result<bool> {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut polled: Vec<PollFd<'_>> = ended
            .into_iter()
            .chain(self.descriptors())
            .map(|descriptor| PollFd::from_borrowed_fd(descriptor.as_fd(), PollFlags::IN))
            .collect();
        match poll(&mut polled, Some(&timeout)) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let first = polled
            .first()
            .is_some_and(|first| !first.revents().is_empty());
        Ok(ended.is_some() && first)
    }
}
