//! The executor: from a task to an event, and from an answer to an outcome.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sandgate_core::{
    BackendKind, BoxFuture, ErrorKind, ExecutionContext, Executor, ExecutorError, Limits, Outcome,
    OutputSink, OutputStream, Passed, RUNNER_PROTOCOL, RunnerCall, RunnerEvent, RunnerFailureKind,
    RunnerReply, Runtime, Status, Task, Usage,
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;

use crate::answer::{self, Implausible};
use crate::catalogue::Catalogue;
use crate::failure::{Failure, FailureKind};
use crate::fault::Fault;
use crate::function::{Ended, Function, Invocation};
use crate::places::{Full, Places};
use crate::report::Report;
use crate::transfer::{Room, Transfer, hex};
use crate::{LambdaConfig, Prices};

/// JSON of more bytes is made and read on a thread where it keeps nobody waiting.
const WORK_INLINE: usize = 256 << 10;
/// How long describing may take: a cold start, and then a few milliseconds.
const DESCRIBE_DEADLINE: Duration = Duration::from_secs(120);
/// How long after the start the function is asked again what the file says it has.
const DESCRIBE_AGAIN_AFTER: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// URLs are good for this long beyond the invocation's deadline, for clocks that differ.
const URL_SLACK: Duration = Duration::from_secs(60);
/// Tenants of ours begin like this. A caller's that does is replaced by its hash.
const OWN_TENANTS: &str = "sandgate:";
const NO_TENANT: &str = "sandgate:none";

/// Runs tasks on a function of AWS Lambda.
///
/// What it has to offer is asked in the background, at the start and whenever another version
/// answers; until it is known [`runtimes`](Executor::runtimes) is empty, and
/// [`described`](Executor::described) waits for it.
///
/// An execution that is cancelled, or whose future is dropped, ends at once for its caller. The
/// invocation cannot be stopped: it runs on until its task's own time limit, and is billed.
#[derive(Debug)]
pub struct LambdaExecutor {
    inner: Arc<Inner>,
    describer: JoinHandle<()>,
}

#[derive(Debug)]
struct Inner {
    config: LambdaConfig,
    function: Function,
    transfer: Option<Transfer>,
    places: Places,
    catalogue: Catalogue,
}

/// There is no tokio runtime to start in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Lambda executor has to be started within a tokio runtime")]
pub struct NoRuntime;

impl LambdaExecutor {
    /// Starts it. `sdk` says where Lambda is and who asks; its retries and time limits are
    /// replaced. Without `transfer`, tasks and outcomes over
    /// [`inline_bytes`](LambdaConfig::inline_bytes) are refused.
    ///
    /// # Errors
    /// Outside of a tokio runtime.
    pub fn start(
        config: LambdaConfig,
        sdk: aws_sdk_lambda::config::Builder,
        transfer: Option<Transfer>,
    ) -> Result<Self, NoRuntime> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| NoRuntime)?;
        let catalogue = Catalogue::open(config.target.to_string(), config.catalogue.clone());
        if config.describe_at_start {
            catalogue.asked();
        }
        let inner = Arc::new(Inner {
            function: Function::new(&config, sdk),
            transfer,
            places: Places::new(config.concurrency, config.queue),
            catalogue,
            config,
        });
        let describer = runtime.spawn(keep_described(Arc::clone(&inner)));
        Ok(Self { inner, describer })
    }
}

impl Drop for LambdaExecutor {
    fn drop(&mut self) {
        self.describer.abort();
    }
}

impl Executor for LambdaExecutor {
    fn backend(&self) -> BackendKind {
        BackendKind::Lambda
    }

    fn runtimes(&self) -> Arc<[Arc<Runtime>]> {
        self.inner.catalogue.runtimes()
    }

    fn described<'a>(&'a self) -> BoxFuture<'a, Result<(), ExecutorError>> {
        Box::pin(self.inner.catalogue.described())
    }

    fn is_ready(&self) -> bool {
        self.inner.function.down_for().is_none() && !self.runtimes().is_empty()
    }

    fn maximum(&self) -> Limits {
        self.inner.config.maximum()
    }

    fn cost_usd(&self, time: Duration) -> f64 {
        let config = &self.inner.config;
        let report = Report {
            billed_ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
            memory_mb: config.memory_mb.into(),
            ..Report::default()
        };
        report.cost(&config.prices)
    }

    fn execute<'a>(
        &'a self,
        task: Arc<Task>,
        context: ExecutionContext,
    ) -> BoxFuture<'a, Result<Outcome, ExecutorError>> {
        Box::pin(async move {
            let queued = Instant::now();
            let ExecutionContext {
                sink,
                cancel,
                tenant,
                ..
            } = context;
            let mut started = None;
            let work = async {
                // Nobody waits for a place at a function that is down.
                if let Some(after) = self.inner.function.down_for() {
                    let message = format!("function `{}` is down", self.inner.config.target);
                    let failure = Failure::new(FailureKind::Open, message);
                    return Err(failure.after(Some(after)).into_error());
                }
                let _place = self.inner.places.take().await.map_err(|Full| {
                    let message = "as many executions wait for Lambda as may";
                    ExecutorError::new(ErrorKind::Overloaded, message)
                })?;
                started = Some(Instant::now());
                self.inner.run(&task, tenant.as_deref(), &*sink).await
            };
            let outcome = tokio::select! {
                biased;
                () = cancel.cancelled() => Ok(Outcome::empty(Status::Cancelled)),
                outcome = work => outcome,
            };
            let started = started.unwrap_or_else(Instant::now);
            outcome.map(|mut outcome| {
                outcome.usage.queue_ms = milliseconds(started - queued);
                // The runner times the execution itself; nobody else can where it did not answer.
                let (reported, elapsed) = (outcome.usage.wall_ms, milliseconds(started.elapsed()));
                outcome.usage.wall_ms = if reported > 0.0 {
                    reported.min(elapsed)
                } else {
                    elapsed
                };
                outcome
            })
        })
    }
}

impl Inner {
    async fn run(
        &self,
        task: &Arc<Task>,
        tenant: Option<&str>,
        sink: &dyn OutputSink,
    ) -> Result<Outcome, ExecutorError> {
        let deadline = Duration::from_millis(task.limits.timeout_ms) + self.config.margin;
        let mut room = self
            .transfer
            .as_ref()
            .map(|transfer| transfer.room(deadline + URL_SLACK));
        let payload = self.event(task, room.as_mut()).await;
        let invocation = Invocation {
            payload: payload.map_err(Failure::into_error)?,
            tenant: self.tenant(tenant),
            deadline,
            harmless: false,
        };
        let ended = self.function.invoke(&invocation).await;
        let ended = ended.map_err(Failure::into_error)?;
        self.catalogue.answered_by(ended.version.as_deref());
        if ended.recovered {
            self.catalogue.outdated.notify_one();
        }
        let Ended { answer, report, .. } = ended;
        let mut outcome = match answer {
            Ok(json) => self.outcome(json, task, room.as_mut()).await,
            Err(fault) => self.outcome_of(fault),
        }
        .map_err(Failure::into_error)?;
        charge(&mut outcome.usage, &report, &self.config.prices);
        for (stream, bytes) in [
            (OutputStream::Stdout, &outcome.stdout),
            (OutputStream::Stderr, &outcome.stderr),
        ] {
            if !bytes.is_empty() {
                sink.write(stream, bytes);
            }
        }
        Ok(outcome)
    }

    /// The event for `task`, which goes into the bucket if it is too large.
    async fn event(&self, task: &Arc<Task>, room: Option<&mut Room>) -> Result<Vec<u8>, Failure> {
        let inline = self.config.inline();
        let size = raw_size(task);
        let Some(room) = room else {
            let event = execute(Passed::Inline((**task).clone()), None);
            let json = self.json(size, event).await?;
            return if json.len() <= inline {
                Ok(json)
            } else {
                Err(Failure::new(
                    FailureKind::TooLarge,
                    format!(
                        "the task has {} bytes as JSON, Lambda takes {inline}, and no bucket is \
                         configured to pass larger ones through",
                        json.len()
                    ),
                ))
            };
        };
        let slot = room.slot(inline).await?;
        if size <= inline {
            let event = execute(Passed::Inline((**task).clone()), Some(slot.clone()));
            let json = self.json(size, event).await?;
            // Escapes and base64 can make it longer than what it stands for.
            if json.len() <= inline {
                return Ok(json);
            }
        }
        let json = self.json(size, Arc::clone(task)).await?;
        let stored = room.put_task(json).await?;
        self.json(0, execute(Passed::Stored(stored), Some(slot)))
            .await
    }

    async fn json<T>(&self, size: usize, value: T) -> Result<Vec<u8>, Failure>
    where
        T: Serialize + Send + 'static,
    {
        let made = work(size, move || serde_json::to_vec(&value)).await?;
        made.map_err(|error| {
            Failure::new(FailureKind::Defect, "a task does not become JSON").caused_by(error)
        })
    }

    /// What the runner's answer says about `task`.
    async fn outcome(
        &self,
        json: Vec<u8>,
        task: &Arc<Task>,
        room: Option<&mut Room>,
    ) -> Result<Outcome, Failure> {
        let limits = task.limits;
        let passed = match parse::<RunnerReply>(json).await? {
            RunnerReply::Executed(passed) => passed,
            RunnerReply::Failed(failure) => {
                let kind = match failure.kind {
                    RunnerFailureKind::Protocol | RunnerFailureKind::Internal => {
                        FailureKind::Defect
                    }
                    RunnerFailureKind::Unsupported => {
                        // Not what it described.
                        self.catalogue.outdated.notify_one();
                        FailureKind::Unsupported
                    }
                    RunnerFailureKind::Transfer => FailureKind::Lost,
                };
                let message = format!("the runner could not run the task: {}", failure.message);
                return Err(Failure::new(kind, message));
            }
            RunnerReply::Described(_) => {
                return Err(Failure::new(
                    FailureKind::Defect,
                    "the runner described itself when it should run a task",
                ));
            }
        };
        let checked = match (passed, room) {
            (Passed::Inline(outcome), _) => check(outcome, limits).await?,
            (Passed::Stored(stored), Some(room)) => {
                let fetched = room.fetch(&stored, answer::allowed(&limits)).await?;
                check(parse::<Outcome>(fetched.json).await?, limits).await?
            }
            (Passed::Stored(_), None) => {
                return Err(Failure::new(
                    FailureKind::Defect,
                    "the runner stored an outcome, but was given no place to do so",
                ));
            }
        };
        Ok(checked.unwrap_or_else(|implausible| {
            tracing::warn!(error = %implausible, "an execution counts as crashed");
            Outcome::empty(Status::Crashed)
        }))
    }

    /// What came of a task whose environment ended. What it had printed is lost with it.
    fn outcome_of(&self, fault: Fault) -> Result<Outcome, Failure> {
        let target = &self.config.target;
        let status = match fault {
            Fault::TimedOut => Status::Timeout,
            Fault::OutOfMemory => Status::OutOfMemory,
            Fault::Crashed(message) => {
                tracing::warn!(%target, message, "the function's process ended");
                Status::Crashed
            }
            Fault::AnswerTooLarge => {
                let message = format!(
                    "the answer of function `{target}` was larger than Lambda carries, which a \
                     runner of this version does not let happen: deploy the image again"
                );
                return Err(Failure::new(FailureKind::Defect, message));
            }
            Fault::NotStarted(message) => {
                let message = format!("function `{target}` does not start: {message}");
                return Err(Failure::new(FailureKind::Unreached, message));
            }
            Fault::Defect(message) => {
                let message = format!("function `{target}` failed: {message}");
                return Err(Failure::new(FailureKind::Defect, message));
            }
        };
        Ok(Outcome::empty(status))
    }

    /// Asks the function what it has to offer.
    async fn describe(&self) -> Result<(), Failure> {
        let event = RunnerEvent {
            protocol: RUNNER_PROTOCOL,
            call: RunnerCall::Describe,
        };
        let invocation = Invocation {
            payload: self.json(0, event).await?,
            tenant: self.tenant(None),
            deadline: DESCRIBE_DEADLINE,
            harmless: true,
        };
        // Its place is not counted: it is one in a long time, and has to work under load too.
        let ended = self.function.invoke(&invocation).await?;
        let json = match ended.answer {
            Ok(json) => json,
            Err(fault) => {
                let status = self.outcome_of(fault)?.status.as_str();
                let target = &self.config.target;
                let message =
                    format!("function `{target}` ended as `{status}` when asked what it has");
                return Err(Failure::new(FailureKind::Defect, message));
            }
        };
        let runtimes = match parse::<RunnerReply>(json).await? {
            RunnerReply::Described(Passed::Inline(runtimes)) => runtimes,
            RunnerReply::Failed(failure) => {
                let message = format!("the runner could not describe itself: {}", failure.message);
                return Err(Failure::new(FailureKind::Defect, message));
            }
            RunnerReply::Described(Passed::Stored(_)) | RunnerReply::Executed(_) => {
                return Err(Failure::new(
                    FailureKind::Defect,
                    "the runner did not describe itself when it was asked to",
                ));
            }
        };
        if runtimes.is_empty() {
            let message = "the runner says that it has no language at all";
            return Err(Failure::new(FailureKind::Defect, message));
        }
        tracing::info!(
            function = %self.config.target,
            version = ended.version.as_deref().unwrap_or("unknown"),
            runtimes = runtimes.iter().map(Runtime::name).collect::<Vec<_>>().join(", "),
            "Lambda is ready"
        );
        // Writes a file, which is not worth a thread of its own once in a deployment.
        self.catalogue.replace(runtimes, ended.version);
        Ok(())
    }

    /// The tenant to name to Lambda.
    fn tenant(&self, tenant: Option<&str>) -> Option<String> {
        self.config
            .tenant_isolation
            .then(|| tenant.map_or_else(|| NO_TENANT.to_owned(), tenant_id))
    }
}

/// A tenant's name as Lambda takes it: what has other characters, is too long, or looks like one of
/// ours goes by its hash.
fn tenant_id(name: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._:/=+-@ ".contains(c);
    let fits = !name.is_empty() && name.len() <= 256 && name.chars().all(legal);
    if fits && !name.starts_with(OWN_TENANTS) {
        name.to_owned()
    } else {
        format!("{OWN_TENANTS}sha256:{}", hex(&Sha256::digest(name)))
    }
}

/// Asks for the catalogue now or when somebody wants it, after failures, and when it is outdated.
async fn keep_described(inner: Arc<Inner>) {
    if !inner.config.describe_at_start {
        inner.catalogue.outdated.notified().await;
    } else if !inner.catalogue.runtimes().is_empty() {
        // There is no hurry, and a service that starts has other things to do.
        tokio::time::sleep(DESCRIBE_AGAIN_AFTER).await;
    }
    let mut pause = FIRST_PAUSE;
    loop {
        inner.catalogue.asked();
        match inner.describe().await {
            Ok(()) => {
                pause = FIRST_PAUSE;
                inner.catalogue.outdated.notified().await;
            }
            Err(failure) => {
                let error = &failure.message;
                tracing::warn!(%error, retry_s = pause.as_secs(), "Lambda cannot be used yet");
                let asked = failure.retry_after.unwrap_or_default();
                let wait = pause.max(asked).mul_f64(0.5 + fastrand::f64() / 2.0);
                inner.catalogue.failed(error, Instant::now() + wait);
                tokio::time::sleep(wait).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

fn execute(task: Passed<Task>, overflow: Option<sandgate_core::Slot>) -> RunnerEvent {
    RunnerEvent {
        protocol: RUNNER_PROTOCOL,
        call: RunnerCall::Execute { task, overflow },
    }
}

/// At least how many bytes `task` has as JSON.
fn raw_size(task: &Task) -> usize {
    let files: usize = task.files.iter().map(|file| file.content.len()).sum();
    let strings: usize = task.args.iter().map(String::len).sum();
    let env: usize = task.env.iter().map(|(k, v)| k.len() + v.len()).sum();
    task.code.len() + task.stdin.len() + files + strings + env
}

async fn parse<T>(json: Vec<u8>) -> Result<T, Failure>
where
    T: serde::de::DeserializeOwned + Send + 'static,
{
    let parsed = work(json.len(), move || serde_json::from_slice(&json)).await?;
    parsed.map_err(|error: serde_json::Error| {
        let message = format!("the runner's answer is not what one says: {error}");
        Failure::new(FailureKind::Defect, message)
    })
}

async fn check(outcome: Outcome, limits: Limits) -> Result<Result<Outcome, Implausible>, Failure> {
    let bytes = outcome
        .artifacts
        .iter()
        .map(|file| file.content.len())
        .sum();
    work(bytes, move || answer::checked(outcome, &limits)).await
}

/// Does `work` on `size` bytes: here if it is quick, else on a thread that may take its time.
async fn work<T: Send + 'static>(
    size: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    if size <= WORK_INLINE {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Failure::new(
            FailureKind::Defect,
            "the work on an answer was not finished",
        )
        .caused_by(error)
    })
}

/// What Lambda says it took, over what the runner says.
fn charge(usage: &mut Usage, report: &Report, prices: &Prices) {
    usage.fuel = 0;
    usage.billed_ms = report.billed_ms;
    usage.cost_usd = report.cost(prices);
    if usage.peak_memory_bytes == 0 {
        // The whole environment's, in all its life: better than nothing.
        usage.peak_memory_bytes = report.max_memory_mb << 20;
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_cannot_name_one_another_or_none() {
        assert_eq!(tenant_id("team-a"), "team-a");
        let odd = tenant_id("team ü");
        let named_like_it = tenant_id(&odd);
        let nobody = tenant_id(NO_TENANT);
        let all = [&odd, &named_like_it, &nobody, NO_TENANT];
        for (at, one) in all.iter().enumerate() {
            assert!(one.starts_with(OWN_TENANTS) && one.len() <= 256);
            assert!(!all[..at].contains(one), "{one}");
        }
        assert!(tenant_id(&"x".repeat(257)).len() <= 256);
    }
}
