//! A function: how many of its environments run, and which are kept for the next invocation.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use uuid::Uuid;

use super::environment::{Environment, Host};
use super::invocation::{Fault, Invocation};
use super::log::{Report, Tail};
use super::slots::{Slot, Slots, Throttled};
use crate::config::FunctionConfig;
use crate::process::Process;

/// How long the processes of a function may take to be gone once they are killed.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// An invocation as it comes from a caller.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// What the caller knows it by.
    pub(crate) id: String,
    pub(crate) payload: Bytes,
    pub(crate) tenant: Option<String>,
    pub(crate) client_context: Option<String>,
    pub(crate) trace_id: Option<String>,
}

/// What a caller gets.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) id: String,
    pub(crate) result: Result<Bytes, Fault>,
    pub(crate) log: Vec<u8>,
}

/// A function and its environments.
#[derive(Debug)]
pub(crate) struct FunctionState {
    pub(crate) config: FunctionConfig,
    pub(crate) arn: String,
    host: Arc<Host>,
    slots: Arc<Slots>,
    pool: Mutex<Pool>,
}

#[derive(Debug, Default)]
struct Pool {
    /// The longest unused first.
    idle: Vec<Parked>,
    /// Every process that may still run.
    processes: Vec<Weak<Process>>,
    serial: u64,
    closed: bool,
}

#[derive(Debug)]
struct Parked {
    serial: u64,
    environment: Environment,
    expiry: AbortHandle,
}

impl FunctionState {
    pub(crate) fn new(config: FunctionConfig, host: Arc<Host>, slots: Arc<Slots>) -> Self {
        Self {
            arn: arn(&host.region, &config.name),
            config,
            host,
            slots,
            pool: Mutex::default(),
        }
    }

    /// Takes part in the function's concurrency, or says why not.
    pub(crate) fn admit(&self) -> Result<Slot, Throttled> {
        self.slots.take()
    }

    /// Runs an admitted invocation, whether or not the caller still waits for it.
    pub(crate) fn run(self: &Arc<Self>, slot: Slot, request: Request) -> oneshot::Receiver<Answer> {
        let (caller, receiver) = oneshot::channel();
        let function = Arc::clone(self);
        tokio::spawn(async move { function.execute(slot, request, caller).await });
        receiver
    }

    async fn execute(
        self: Arc<Self>,
        slot: Slot,
        request: Request,
        caller: oneshot::Sender<Answer>,
    ) {
        let id = request.id.clone();
        let mut tail = Tail::default();
        let begun = Instant::now();
        let (started, mut init) = match self.idle(request.tenant.as_deref()) {
            Some(environment) => {
                environment.thaw();
                (Ok(environment), None)
            }
            None => {
                let limit = self.config.init_timeout;
                let started = self.start(&request, limit, &mut tail).await;
                (started, Some(begun.elapsed()))
            }
        };

        let clock = Instant::now();
        let limit = self.config.timeout;
        let started = match started {
            Err(fault) if !fault.is_ours() => {
                tail.line(&init_report(init.take().unwrap_or_default(), &fault));
                self.start(&request, limit, &mut tail).await
            }
            other => other,
        };
        let start_line = format!("START RequestId: {id} Version: {}", self.config.version);
        let report = |result: &Result<Bytes, Fault>, used_bytes| {
            let fault = result.as_ref().err();
            Report {
                id: &id,
                duration: clock.elapsed(),
                init,
                memory_mb: self.config.memory_mb,
                used_bytes,
                fault: fault.filter(|fault| fault.is_fatal()).map(Fault::kind),
            }
        };
        let (result, tail) = match started {
            Err(fault) => {
                tail.line(&start_line);
                let result = Err(fault);
                finish_log(&mut |line| tail.line(line), &report(&result, 0), &result);
                (result, tail)
            }
            Ok(mut environment) => {
                environment.log().line(&start_line);
                let invocation = Arc::new(self.invocation(&id, request, limit - clock.elapsed()));
                let handled = environment.handle(&invocation, clock + limit, limit).await;
                let report = report(&handled.result, environment.settle().await);
                let log = environment.log();
                finish_log(&mut |line| log.line(line), &report, &handled.result);
                let tail = log.take_tail();
                if handled.usable {
                    self.park(environment);
                }
                (handled.result, tail)
            }
        };
        // The caller's next invocation must find this one's place and environment.
        drop(slot);
        let log = tail.bytes();
        // A caller that went away needs no answer.
        let _ = caller.send(Answer { id, result, log });
    }

    async fn start(
        &self,
        request: &Request,
        limit: Duration,
        tail: &mut Tail,
    ) -> Result<Environment, Fault> {
        let tenant = request.tenant.clone();
        Environment::start(&self.host, self, tenant, limit, tail).await
    }

    fn invocation(&self, id: &str, request: Request, remaining: Duration) -> Invocation {
        let deadline = SystemTime::now() + remaining;
        let since = deadline.duration_since(UNIX_EPOCH).unwrap_or_default();
        Invocation {
            id: id.to_owned(),
            payload: request.payload,
            deadline_ms: since.as_millis(),
            arn: format!("{}:{}", self.arn, self.config.version),
            trace_id: request.trace_id.unwrap_or_else(new_trace_id),
            tenant: request.tenant,
            client_context: request.client_context,
        }
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        // Every change is one step, so a panic cannot leave it half done.
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The environment that was used last by this tenant. If there is none, one of another makes
    /// room where there are as many as may run.
    fn idle(&self, tenant: Option<&str>) -> Option<Environment> {
        // Dropped outside of the lock: ending an environment looks through all processes.
        let mut gone = Vec::new();
        let mut pool = self.pool();
        while let Some(index) = pool
            .idle
            .iter()
            .rposition(|parked| parked.environment.tenant.as_deref() == tenant)
        {
            let found = pool.idle.remove(index);
            found.expiry.abort();
            if found.environment.is_alive() {
                return Some(found.environment);
            }
            gone.push(found);
        }
        if !pool.idle.is_empty() && pool.idle.len() >= self.slots.limit() {
            gone.push(pool.idle.remove(0));
        }
        drop(pool);
        None
    }

    fn park(self: &Arc<Self>, environment: Environment) {
        let mut pool = self.pool();
        if pool.closed {
            return;
        }
        pool.serial += 1;
        let serial = pool.serial;
        let function = Arc::downgrade(self);
        let after = self.config.idle_expiry;
        let expiry = tokio::spawn(async move {
            tokio::time::sleep(after).await;
            if let Some(function) = function.upgrade() {
                function.expire(serial);
            }
        });
        pool.idle.push(Parked {
            serial,
            environment,
            expiry: expiry.abort_handle(),
        });
    }

    fn expire(&self, serial: u64) {
        let mut pool = self.pool();
        let index = pool.idle.iter().position(|parked| parked.serial == serial);
        let expired = index.map(|index| pool.idle.remove(index));
        drop(pool);
        if expired.is_some() {
            tracing::debug!(function = self.config.name, "an idle environment expired");
        }
    }

    /// Lets [`close`](Self::close) know of a process.
    pub(crate) fn register(&self, process: &Arc<Process>) {
        let mut pool = self.pool();
        pool.processes.retain(|process| process.strong_count() > 0);
        pool.processes.push(Arc::downgrade(process));
        if pool.closed {
            process.kill();
        }
    }

    /// How many environments exist, those that are frozen included.
    pub(crate) fn environments(&self) -> usize {
        let pool = self.pool();
        let alive = |process: &&Weak<Process>| process.upgrade().is_some_and(|p| p.is_alive());
        pool.processes.iter().filter(alive).count()
    }

    /// Ends every environment. Invocations under way fail.
    pub(crate) fn close(&self) -> Vec<Arc<Process>> {
        let mut pool = self.pool();
        pool.closed = true;
        let processes: Vec<Arc<Process>> =
            pool.processes.iter().filter_map(Weak::upgrade).collect();
        let idle = std::mem::take(&mut pool.idle);
        drop(pool);
        for process in &processes {
            process.kill();
        }
        for parked in &idle {
            parked.expiry.abort();
        }
        processes
    }
}

/// The name of a function among all, in an account that does not exist.
pub(crate) fn arn(region: &str, name: &str) -> String {
    format!("arn:aws:lambda:{region}:000000000000:function:{name}")
}

/// Waits until killed processes are gone.
pub(crate) async fn await_end(processes: Vec<Arc<Process>>) {
    let all = async {
        for process in processes {
            process.exited().await;
        }
    };
    if tokio::time::timeout(KILL_GRACE, all).await.is_err() {
        tracing::warn!("killed environments are still there");
    }
}

fn finish_log(line: &mut dyn FnMut(&str), report: &Report<'_>, result: &Result<Bytes, Fault>) {
    if let Err(fault) = result
        && let Some(text) = fault.log_line(report.id)
    {
        line(&text);
    }
    line(&format!("END RequestId: {}", report.id));
    line(&report.line());
}

/// What Lambda logs when a first start failed and a second is tried.
fn init_report(duration: Duration, fault: &Fault) -> String {
    let status = match fault.kind() {
        "Sandbox.Timedout" => "timeout".to_owned(),
        kind => format!("error\tError Type: {kind}"),
    };
    format!(
        "INIT_REPORT Init Duration: {:.2} ms\tPhase: init\tStatus: {status}",
        duration.as_secs_f64() * 1000.0
    )
}

fn new_trace_id() -> String {
    let id = Uuid::now_v7().simple().to_string();
    let parent = Uuid::new_v4().simple().to_string();
    format!(
        "Root=1-{}-{};Parent={};Sampled=0",
        &id[..8],
        &id[8..],
        &parent[..16]
    )
}
