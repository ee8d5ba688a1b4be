//! Drives a guest: slice by slice, with a look outside between two.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use sandgate_core::OutputStream;

use crate::control::Control;
use crate::host::memory::OutOfBounds;
use crate::host::stdio::{Output, StdioBlock};
use crate::host::{Shared, lock};

/// How a guest's call ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// It returned this exit code.
    Returned(u32),
    /// It had no room for its request.
    NoRoom,
    /// It trapped, or a host call ended it.
    Failed(wasmtime::Error),
    /// The deadline passed.
    Timeout,
    /// The caller had enough.
    Cancelled,
    /// It printed more than is kept.
    OutputLimit,
    /// Its stdio block makes no sense.
    Lying(OutOfBounds),
}

/// What is watched while a guest runs.
pub(super) struct Watch<'a> {
    pub(super) shared: Arc<Mutex<Shared>>,
    /// None if it is too far away to name.
    pub(super) deadline: Option<Instant>,
    pub(super) output: &'a mut dyn FnMut(OutputStream, &[u8]),
    pub(super) control: &'a dyn Control,
}

impl Watch<'_> {
    /// Passes on what is printed.
    pub(super) fn pass_on(&mut self) {
        lock(&self.shared).output.pass_on(self.output);
    }

    fn is_late(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// What, if anything, ends the guest now.
    fn verdict(&self) -> Option<Ending> {
        if lock(&self.shared).output.over_limit() {
            Some(Ending::OutputLimit)
        } else if self.control.cancelled() {
            Some(Ending::Cancelled)
        } else if self.is_late() {
            Some(Ending::Timeout)
        } else {
            None
        }
    }

    /// Sleeps, where that is what the guest does.
    fn sleep(&self) {
        let until = lock(&self.shared).sleep.take();
        if let Some(until) = until {
            let until = self.deadline.map_or(until, |deadline| until.min(deadline));
            self.control.wait(until);
        }
    }
}

/// The snapshot's part of a guest's memory, seen from outside of its store.
pub(super) struct Window {
    base: Option<*mut u8>,
    len: usize,
    block: StdioBlock,
}

impl Window {
    /// The first `len` bytes from `base`, where the memory of a live instance is.
    pub(super) fn new(base: Option<*mut u8>, len: u64, block: StdioBlock) -> Self {
        Self {
            base,
            len: usize::try_from(len).unwrap_or(0),
            block,
        }
    }

    /// Takes what is new in the stdio block.
    ///
    /// Only to be called while the guest is suspended and its instance lives.
    fn drain(&self, output: &mut Output) -> Result<(), OutOfBounds> {
        let Some(base) = self.base else {
            return Ok(());
        };
        #[expect(
            unsafe_code,
            reason = "the suspended call borrows the store, which has no other way in"
        )]
        // SAFETY: `base` is the instance's memory, which has at least its initial `len` bytes for
        // as long as the instance lives: memories never shrink and, by the engine's settings,
        // never move. Nobody else uses it now: the guest runs on this very thread, is suspended,
        // and no host function holds on to a piece of its memory while it is.
        let memory = unsafe { std::slice::from_raw_parts(base, self.len) };
        output.drain(self.block, memory)
    }
}

/// Polls a future that has nothing to wait for.
pub(super) fn to_end<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// Polls the guest's `call` to its end, or drops it when something else ends it.
pub(super) fn drive(
    call: impl Future<Output = wasmtime::Result<u32>>,
    window: &Window,
    watch: &mut Watch<'_>,
) -> Ending {
    let mut call = pin!(call);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        let polled = call.as_mut().poll(&mut context);
        // A block that points beyond the snapshot is the guest's own doing. What it printed is
        // then not seen before the end.
        let drained = window.drain(&mut lock(&watch.shared).output);
        match polled {
            Poll::Ready(Ok(code)) => {
                return match drained {
                    Ok(()) => Ending::Returned(code),
                    Err(lie) => Ending::Lying(lie),
                };
            }
            Poll::Ready(Err(error)) => return Ending::Failed(error),
            Poll::Pending => {}
        }
        watch.pass_on();
        if let Some(ending) = watch.verdict() {
            return ending;
        }
        watch.sleep();
    }
}
