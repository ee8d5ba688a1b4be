//! The worker process: takes tasks from its parent, one at a time, and runs them.
//!
//! One thread, no runtime, blocking calls. The socket to the parent is descriptor 0; everything a
//! worker needs arrives through it, so that it never opens a file.

use std::cell::{Cell, RefCell};
use std::error::Error as _;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendFlags, SocketType,
};
use sandgate_core::{Limits, OutputStream, Status, Task};

use crate::SandboxError;
use crate::control::Control;
use crate::eager::{MaySleep, Vigil};
use crate::jail::{self, Surroundings, Walls};
use crate::protocol::{
    self, Done, Frame, FrameBuffer, Hello, MAX_GUESTS, MAX_TASK_FRAME, Order, ProtocolError, Ready,
};
use crate::runner::{GuestInfo, LoadedGuest, Runner};

/// How often a running guest's worker looks at its socket, and how long output is held back in the
/// hope of more. Executions shorter than this make one call to read and one to write.
const GLANCE: Duration = Duration::from_millis(1);
/// Output is sent on once there is this much.
const BATCH: usize = 32 << 10;
/// Private memory beyond what tasks and guests account for: the engine, its tables, this program.
const BASE_DATA: u64 = 512 << 20;
/// The exit code of a worker that cannot start: a failure of ours, as in `sysexits.h`.
const EXIT_SOFTWARE: u8 = 70;

/// Runs a worker process until its parent closes the socket.
///
/// To be called first thing by the program that [`WorkerCommand`](crate::WorkerCommand) names: it
/// closes every descriptor the process was started with but the first three. Does not serve people
/// who call it by hand: descriptor 0 must be the socket that the pool started it with.
pub fn worker_main() -> ExitCode {
    exit_code(serve(Walls::ALL))
}

/// Reports how a worker ended to its parent, who reads its descriptor 2.
#[expect(clippy::print_stderr, reason = "the parent logs what is on this pipe")]
pub(crate) fn exit_code(result: Result<(), SandboxError>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    eprintln!("{message}");
    ExitCode::from(EXIT_SOFTWARE)
}

fn serve(walls: Walls) -> Result<(), SandboxError> {
    jail::clear_inheritance(walls)?;
    let link = Link::to_parent()?;
    let (hello, guests) = link.receive_hello()?;
    let around = surroundings(&hello, &guests)?;
    // A guest writes here and there. Where all memory comes in huge pages, putting back what it
    // wrote would mean as much for each.
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "cannot do without huge pages");
    }
    let mut runner = Runner::new(guests, &hello.maximum)?;
    // Whatever is set up on first use is set up now, while it may still be.
    for guest in &hello.guests {
        let task = warm_up(guest, hello.maximum);
        let outcome = runner.run(&task, &mut |_, _| {}, &Unattended).outcome;
        if outcome.status != Status::Ok {
            let reason = outcome.error.map_or_else(
                || outcome.status.as_str().to_owned(),
                |error| format!("{}: {}", error.kind, error.message),
            );
            return Err(SandboxError::Worker(format!(
                "the {} guest fails with nothing to run: {reason}",
                guest.language
            )));
        }
    }
    let missing = jail::raise(walls, &around)?;
    link.announce(&Ready { missing })?;
    while let Some(frame) = link.next_frame()? {
        match Order::decode(&frame).map_err(broken)? {
            Order::Run { id, task } => link.run(&mut runner, id, &task)?,
            // Crossed with the end of the execution it was meant for.
            Order::Cancel { .. } => {}
        }
    }
    Ok(())
}

/// What the walls have to leave room for.
pub(crate) fn surroundings(
    hello: &Hello,
    guests: &[LoadedGuest],
) -> Result<Surroundings, SandboxError> {
    let maximum = &hello.maximum;
    let mut snapshots = 0_u64;
    for guest in guests {
        let length = guest
            .code
            .metadata()
            .map_err(system("look at a guest"))?
            .len();
        snapshots = snapshots.saturating_add(length);
    }
    // Files and results are there up to four times: in the guest's memory, in the host's, in the
    // outcome and in the frame that carries it.
    let held = maximum
        .file_bytes
        .saturating_add(maximum.result_bytes)
        .saturating_add(maximum.output_bytes.saturating_mul(2));
    let data_bytes = (u64::from(maximum.memory_mb) << 20)
        .saturating_add(held.saturating_mul(4))
        .saturating_add(snapshots)
        .saturating_add(BASE_DATA);
    Ok(Surroundings {
        parent: hello.parent,
        data_bytes,
    })
}

fn warm_up(guest: &GuestInfo, limits: Limits) -> Task {
    Task {
        language: guest.language,
        code: String::new(),
        stdin: bytes::Bytes::new(),
        args: Vec::new(),
        env: std::collections::BTreeMap::new(),
        files: Vec::new(),
        limits,
        seed: None,
        now: None,
    }
}

/// The control of a run that nobody waits for.
struct Unattended;

impl Control for Unattended {
    fn cancelled(&self) -> bool {
        false
    }

    fn wait(&self, until: Instant) {
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
    }
}

fn system<E: Into<io::Error>>(action: &'static str) -> impl FnOnce(E) -> SandboxError {
    move |source| SandboxError::System {
        action,
        source: source.into(),
    }
}

fn broken(error: ProtocolError) -> SandboxError {
    SandboxError::Worker(format!("its parent sent {error}"))
}

/// The worker's end of the socket.
pub(crate) struct Link {
    socket: BorrowedFd<'static>,
    arrived: RefCell<Arrivals>,
    leaving: RefCell<Departures>,
    /// The execution under way.
    current: Cell<u64>,
    /// Whether it is to end.
    cancelled: Cell<bool>,
    /// When the socket was last looked at.
    glanced: Cell<Instant>,
    /// The waiting for tasks.
    vigil: RefCell<Vigil>,
}

struct Arrivals {
    frames: FrameBuffer,
    scratch: Box<[u8]>,
}

/// What is on its way to the parent.
#[derive(Default)]
struct Departures {
    /// Whole frames.
    frames: Vec<u8>,
    /// Printed bytes that are not in a frame yet, so that small writes share one.
    printed: Vec<u8>,
    /// Where they were printed.
    stream: Option<OutputStream>,
}

impl Departures {
    fn print(&mut self, stream: OutputStream, bytes: &[u8]) -> Result<(), ProtocolError> {
        if self.stream != Some(stream) {
            self.close()?;
            self.stream = Some(stream);
        }
        self.printed.extend_from_slice(bytes);
        Ok(())
    }

    fn close(&mut self) -> Result<(), ProtocolError> {
        if let Some(stream) = self.stream.take() {
            protocol::encode_output(&mut self.frames, stream, &self.printed)?;
            self.printed.clear();
        }
        Ok(())
    }

    fn len(&self) -> usize {
        self.frames.len() + self.printed.len()
    }
}

impl Link {
    /// The link over descriptor 0.
    pub(crate) fn to_parent() -> Result<Self, SandboxError> {
        let socket = rustix::stdio::stdin();
        match rustix::net::sockopt::socket_type(socket) {
            Ok(kind) if kind == SocketType::STREAM => {}
            Ok(_) | Err(_) => {
                return Err(SandboxError::Worker(
                    "not started by a pool of workers: descriptor 0 must be its socket".to_owned(),
                ));
            }
        }
        Ok(Self {
            socket,
            arrived: RefCell::new(Arrivals {
                frames: FrameBuffer::default(),
                scratch: vec![0; FrameBuffer::READ].into_boxed_slice(),
            }),
            leaving: RefCell::default(),
            current: Cell::new(0),
            cancelled: Cell::new(false),
            glanced: Cell::new(Instant::now()),
            vigil: RefCell::new(Vigil::new()),
        })
    }

    /// Waits for the parent's first message and the guests that come with it.
    pub(crate) fn receive_hello(&self) -> Result<(Hello, Vec<LoadedGuest>), SandboxError> {
        let mut descriptors: Vec<OwnedFd> = Vec::new();
        let mut arrived = self.arrived.borrow_mut();
        let frame = loop {
            if let Some(frame) = arrived.frames.next(MAX_TASK_FRAME).map_err(broken)? {
                break frame;
            }
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_GUESTS))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut bytes = [0; 4096];
            let message = retry(|| {
                rustix::net::recvmsg(
                    self.socket,
                    &mut [io::IoSliceMut::new(&mut bytes)],
                    &mut control,
                    RecvFlags::CMSG_CLOEXEC,
                )
            })
            .map_err(system("receive from its parent"))?;
            if message.bytes == 0 || message.flags.contains(ReturnFlags::CTRUNC) {
                return Err(SandboxError::Worker(
                    "its parent ended before saying what to run".to_owned(),
                ));
            }
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(received) = message {
                    descriptors.extend(received);
                }
            }
            arrived
                .frames
                .space()
                .extend_from_slice(&bytes[..message.bytes]);
        };
        let hello = Hello::decode(&frame).map_err(broken)?;
        if hello.guests.len() != descriptors.len() {
            return Err(SandboxError::Worker(format!(
                "its parent announced {} guests and sent {}",
                hello.guests.len(),
                descriptors.len()
            )));
        }
        let loaded = hello.guests.iter().zip(descriptors);
        let guests = loaded
            .map(|(info, code)| LoadedGuest {
                info: info.clone(),
                code: File::from(code),
            })
            .collect();
        Ok((hello, guests))
    }

    /// Says that the worker is ready.
    pub(crate) fn announce(&self, ready: &Ready) -> Result<(), SandboxError> {
        let mut leaving = self.leaving.borrow_mut();
        ready.encode(&mut leaving.frames).map_err(broken)?;
        self.send(&mut leaving)
    }

    /// Waits for the next frame; none when the parent has closed the socket.
    fn next_frame(&self) -> Result<Option<Frame>, SandboxError> {
        let mut arrived = self.arrived.borrow_mut();
        loop {
            if let Some(frame) = arrived.frames.next(MAX_TASK_FRAME).map_err(broken)? {
                return Ok(Some(frame));
            }
            let received = self.vigil.borrow_mut().wait(|may_sleep| {
                let flags = match may_sleep {
                    MaySleep::Yes => RecvFlags::empty(),
                    MaySleep::No => RecvFlags::DONTWAIT,
                };
                match self.receive(&mut arrived, flags) {
                    Err(rustix::io::Errno::AGAIN) => None,
                    received => Some(received),
                }
            });
            if received.map_err(system("receive from its parent"))? == 0 {
                return Ok(None);
            }
        }
    }

    fn receive(&self, arrived: &mut Arrivals, flags: RecvFlags) -> rustix::io::Result<usize> {
        let Arrivals { frames, scratch } = arrived;
        let (received, _) = retry(|| rustix::net::recv(self.socket, &mut **scratch, flags))?;
        frames.space().extend_from_slice(&scratch[..received]);
        Ok(received)
    }

    fn run(&self, runner: &mut Runner, id: u64, task: &Task) -> Result<(), SandboxError> {
        self.current.set(id);
        self.cancelled.set(false);
        self.glanced.set(Instant::now());
        let ended = runner.run(task, &mut |stream, bytes| self.print(stream, bytes), self);
        let mut leaving = self.leaving.borrow_mut();
        let closed = leaving.close();
        closed
            .and_then(|()| Done::new(id, &ended).encode(&mut leaving.frames))
            .map_err(broken)?;
        self.send(&mut leaving)
    }

    fn print(&self, stream: OutputStream, bytes: &[u8]) {
        let mut leaving = self.leaving.borrow_mut();
        let printed = leaving.print(stream, bytes).map_err(broken);
        let sent = printed.and_then(|()| {
            if leaving.len() >= BATCH {
                self.send(&mut leaving)
            } else {
                Ok(())
            }
        });
        self.or_end(sent);
    }

    /// Sends everything that waits.
    fn send(&self, leaving: &mut Departures) -> Result<(), SandboxError> {
        leaving.close().map_err(broken)?;
        let mut rest = &leaving.frames[..];
        while !rest.is_empty() {
            let sent = retry(|| rustix::net::send(self.socket, rest, SendFlags::NOSIGNAL))
                .map_err(system("send to its parent"))?;
            rest = &rest[sent..];
        }
        leaving.frames.clear();
        // One large outcome must not keep its memory for good.
        leaving.frames.shrink_to(16 * BATCH);
        leaving.printed.shrink_to(16 * BATCH);
        Ok(())
    }

    /// Takes what has arrived while a guest runs: the order to end it, or nothing.
    fn glance(&self) {
        self.glanced.set(Instant::now());
        let mut arrived = self.arrived.borrow_mut();
        match self.receive(&mut arrived, RecvFlags::DONTWAIT) {
            // The parent is gone, and with it everybody who could want an answer.
            Ok(0) => std::process::exit(0),
            Ok(_) => {}
            Err(rustix::io::Errno::AGAIN) => return,
            Err(error) => self.or_end(Err(system("receive from its parent")(error))),
        }
        loop {
            let order = match arrived.frames.next(MAX_TASK_FRAME) {
                Ok(Some(frame)) => Order::decode(&frame),
                Ok(None) => return,
                Err(error) => Err(error),
            };
            match order {
                Ok(Order::Cancel { id }) if id == self.current.get() => self.cancelled.set(true),
                Ok(Order::Cancel { .. }) => {}
                Ok(Order::Run { .. }) => self.or_end(Err(SandboxError::Worker(
                    "its parent sent a second task before the end of the first".to_owned(),
                ))),
                Err(error) => self.or_end(Err(broken(error))),
            }
        }
    }

    /// Ends the process on an error where none can be returned: in the middle of a guest's run.
    fn or_end(&self, result: Result<(), SandboxError>) {
        if result.is_err() {
            let _ = exit_code(result);
            std::process::exit(EXIT_SOFTWARE.into());
        }
    }

    fn flush(&self) {
        let mut leaving = self.leaving.borrow_mut();
        if leaving.len() > 0 {
            self.or_end(self.send(&mut leaving));
        }
    }
}

impl Control for Link {
    fn cancelled(&self) -> bool {
        if !self.cancelled.get() && self.glanced.get().elapsed() >= GLANCE {
            self.flush();
            self.glance();
        }
        self.cancelled.get()
    }

    fn wait(&self, until: Instant) {
        self.flush();
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut sockets = [PollFd::from_borrowed_fd(self.socket, PollFlags::IN)];
        // Interrupted or failed, the runner looks at the time itself.
        if let Ok(1) = rustix::event::poll(&mut sockets, Some(&timeout)) {
            self.glance();
        }
    }
}

/// Calls again what a signal interrupted.
fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            result => return result,
        }
    }
}
