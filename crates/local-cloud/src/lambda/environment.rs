//! An execution environment: one process tree that handles one invocation after another.

use std::io;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::unix::pipe;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::function::FunctionState;
use super::invocation::{Fault, Invocation};
use super::log::{Log, Tail};
use super::runtime_api::{Channel, Event, runtime_api};
use super::variables;
use crate::config::{Isolation, Shim};
use crate::process::{Exit, Handover, HandoverError, Launch, Memory, Process};
use crate::s3::S3Handle;
use crate::serve::{self, Stop};

/// Where the Runtime API is inside an isolated environment.
pub(crate) const RUNTIME_API_PORT: u16 = 9001;

/// How often memory is looked at. What grows faster than this shows overshoots.
const MEMORY_TICK: Duration = Duration::from_millis(50);

/// What all environments have in common.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) region: String,
    pub(crate) isolation: Isolation,
    pub(crate) shim: Shim,
    pub(crate) s3: Option<S3Handle>,
}

/// One environment that has started.
#[derive(Debug)]
pub(crate) struct Environment {
    process: Arc<Process>,
    channel: Channel,
    log: Log,
    memory: Memory,
    next_measurement: Instant,
    memory_limit: u64,
    /// Whose invocations it serves, on a function with tenant isolation.
    pub(crate) tenant: Option<String>,
    servers: Stop,
    /// Closes with this: without isolation, the shim ends everything then.
    handover: Handover,
}

/// What became of an invocation.
#[derive(Debug)]
pub(crate) struct Handled {
    pub(crate) result: Result<Bytes, Fault>,
    /// Whether the environment can serve on.
    pub(crate) usable: bool,
}

/// What ends a wait.
#[derive(Debug)]
enum Happened {
    Event(Event),
    Exited(Exit),
    OutOfMemory,
    TimedOut,
}

impl Environment {
    /// Starts an environment and waits until it asks for its first event. What it wrote goes on in
    /// `tail`, also when it fails.
    pub(crate) async fn start(
        host: &Host,
        function: &FunctionState,
        tenant: Option<String>,
        limit: Duration,
        tail: &mut Tail,
    ) -> Result<Self, Fault> {
        let deadline = Instant::now() + limit;
        let unavailable =
            |error: io::Error| Fault::Unavailable(format!("cannot make an environment: {error}"));
        let (mut environment, opening, router) =
            Self::launch(host, function, tenant, std::mem::take(tail))
                .await
                .map_err(unavailable)?;
        let result = match timeout_at(deadline, environment.sockets(opening)).await {
            Err(_) => Err(Fault::TimedOut(limit)),
            Ok(Err(error)) => Err(environment.failed_launch(&error).await),
            Ok(Ok(sockets)) => match environment.serve(host, sockets, router) {
                Err(error) => Err(unavailable(error)),
                Ok(()) => environment.initialise(deadline, limit).await,
            },
        };
        if let Err(fault) = result {
            *tail = environment.log.take_tail();
            return Err(fault);
        }
        Ok(environment)
    }

    async fn launch(
        host: &Host,
        function: &FunctionState,
        tenant: Option<String>,
        tail: Tail,
    ) -> io::Result<(Self, Opening, axum::Router)> {
        let config = &function.config;
        let (handover, inner) = Handover::new()?;
        let (output, writer) = io::pipe()?;
        let mut ports = Vec::new();
        let mut listening = None;
        let api = if host.isolation.contains() {
            ports.push(RUNTIME_API_PORT);
            ports.extend(host.s3.as_ref().map(S3Handle::port));
            RUNTIME_API_PORT
        } else {
            let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let port = socket.local_addr()?.port();
            listening = Some(socket);
            port
        };
        let variables = variables::of(config, &host.region, api);
        let launch = Launch {
            function: config,
            isolation: host.isolation,
            shim: &host.shim,
            ports: &ports,
            variables: &variables,
        };
        let mut command = launch.command()?;
        command
            .stdin(Stdio::from(inner))
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let process = Process::start(command, host.isolation.contains()).await?;
        let process = Arc::new(process);
        function.register(&process);
        let (router, channel) = runtime_api();
        let environment = Self {
            process,
            channel,
            log: Log::new(pipe::Receiver::from_owned_fd(output.into())?, tail),
            memory: Memory::default(),
            next_measurement: Instant::now(),
            memory_limit: u64::from(config.memory_mb) << 20,
            tenant,
            servers: Stop::new(),
            handover,
        };
        let opening = Opening {
            count: ports.len(),
            listening,
        };
        Ok((environment, opening, router))
    }

    /// The sockets that the Runtime API and S3 are served on.
    async fn sockets(&self, opening: Opening) -> Result<Vec<std::net::TcpListener>, HandoverError> {
        let mut sockets = self.handover.receive(opening.count).await?;
        sockets.extend(opening.listening);
        Ok(sockets)
    }

    /// What to call it when the process did not get as far as its entry point: with what it wrote,
    /// which is what the isolating program complains about.
    async fn failed_launch(&mut self, error: &HandoverError) -> Fault {
        self.process.kill();
        self.process.exited().await;
        let written = self.log.take_tail().bytes();
        let written = String::from_utf8_lossy(&written);
        Fault::Unavailable(format!(
            "cannot make an environment: {error}; it wrote: {}",
            written.trim_end()
        ))
    }

    /// Serves on the sockets that were opened inside: the Runtime API, then S3.
    fn serve(
        &self,
        host: &Host,
        sockets: Vec<std::net::TcpListener>,
        router: axum::Router,
    ) -> io::Result<()> {
        let mut sockets = sockets.into_iter();
        let api = sockets
            .next()
            .ok_or_else(|| io::Error::other("no socket for the Runtime API"))?;
        api.set_nonblocking(true)?;
        let api = tokio::net::TcpListener::from_std(api)?;
        serve::serve(api, router, self.servers.clone());
        if let (Some(s3), Some(socket)) = (&host.s3, sockets.next()) {
            s3.serve_on(socket, self.servers.clone())?;
        }
        Ok(())
    }

    async fn initialise(&mut self, deadline: Instant, limit: Duration) -> Result<(), Fault> {
        loop {
            let fault = match self.wait(deadline).await {
                Happened::Event(Event::Next) => return Ok(()),
                Happened::Event(Event::InitError(document)) => Fault::Reported(document),
                // Nothing was asked, so these answer nothing.
                Happened::Event(Event::Response(_) | Event::TooLarge | Event::Error(_)) => {
                    continue;
                }
                Happened::Exited(exit) => match self.handover.reason() {
                    Some(reason) => Fault::InvalidEntryPoint(reason),
                    None => Fault::Exited(exit),
                },
                Happened::OutOfMemory => Fault::OutOfMemory,
                Happened::TimedOut => Fault::TimedOut(limit),
            };
            self.process.kill();
            return Err(fault);
        }
    }

    /// Lets the process handle an invocation until it asks for the next, or ends, or is ended.
    pub(crate) async fn handle(
        &mut self,
        invocation: &Arc<Invocation>,
        deadline: Instant,
        limit: Duration,
    ) -> Handled {
        self.next_measurement = Instant::now() + MEMORY_TICK;
        self.channel.offer(Arc::clone(invocation));
        let mut answer = None;
        let fault = loop {
            match self.wait(deadline).await {
                Happened::Event(Event::Next) => {
                    // One that comes before the answer was sent before the invocation.
                    if let Some(result) = answer {
                        return Handled {
                            result,
                            usable: true,
                        };
                    }
                }
                Happened::Event(Event::Response(body)) => answer = Some(Ok(body)),
                Happened::Event(Event::TooLarge) => answer = Some(Err(Fault::ResponseTooLarge)),
                Happened::Event(Event::Error(document)) => {
                    answer = Some(Err(Fault::Reported(document)));
                }
                Happened::Event(Event::InitError(document)) => break Fault::Reported(document),
                Happened::Exited(exit) => break Fault::Exited(exit),
                Happened::OutOfMemory => break Fault::OutOfMemory,
                Happened::TimedOut => break Fault::TimedOut(limit),
            }
        };
        self.process.kill();
        Handled {
            // The caller gets an answer that was given before the end.
            result: answer.unwrap_or(Err(fault)),
            usable: false,
        }
    }

    /// Follows the log and the memory until something happens. The clocks come first, so that no
    /// flood of requests or output holds them up.
    async fn wait(&mut self, deadline: Instant) -> Happened {
        loop {
            tokio::select! {
                biased;
                () = sleep_until(deadline) => return Happened::TimedOut,
                () = sleep_until(self.next_measurement) => {
                    self.next_measurement = Instant::now() + MEMORY_TICK;
                    if self.measure().await > self.memory_limit {
                        return Happened::OutOfMemory;
                    }
                }
                Some(event) = self.channel.events.recv() => return Happened::Event(event),
                exit = self.process.exited() => return Happened::Exited(exit),
                () = self.log.follow() => {}
            }
        }
    }

    /// The most memory seen so far, in bytes.
    async fn measure(&mut self) -> u64 {
        let (process, peak) = (Arc::clone(&self.process), self.memory);
        self.note(move || process.memory(peak)).await
    }

    /// Looks through the processes without holding up the runtime.
    async fn note(&mut self, look: impl FnOnce() -> Memory + Send + 'static) -> u64 {
        // A panic in there has been reported; the last figure stays.
        if let Ok(memory) = tokio::task::spawn_blocking(look).await {
            self.memory = memory;
        }
        self.memory.bytes
    }

    /// The log of the environment.
    pub(crate) fn log(&mut self) -> &mut Log {
        &mut self.log
    }

    /// Stops all its processes until [`thaw`](Self::thaw), and tells the most memory seen so far, in
    /// bytes.
    pub(crate) async fn settle(&mut self) -> u64 {
        let (process, peak) = (Arc::clone(&self.process), self.memory);
        self.note(move || process.freeze(peak)).await
    }

    /// Lets its processes go on.
    pub(crate) fn thaw(&self) {
        self.process.thaw();
    }

    /// Whether its process still exists.
    pub(crate) fn is_alive(&self) -> bool {
        self.process.is_alive()
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.process.kill();
        self.servers.stop();
    }
}

/// The sockets of an environment that is being started.
struct Opening {
    count: usize,
    /// Without isolation: the Runtime API's socket, which is outside from the start.
    listening: Option<std::net::TcpListener>,
}
