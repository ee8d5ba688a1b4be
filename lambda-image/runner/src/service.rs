//! Serving invocations.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lambda_runtime::{Context, LambdaEvent, service_fn};
use sandgate_core::{
    Outcome, Passed, RUNNER_PROTOCOL, RunnerCall, RunnerEvent, RunnerFailure, RunnerFailureKind,
    RunnerReply, Slot, Task,
};
use serde_json::Value;

use crate::catalogue;
use crate::execute::Runner;
use crate::harden::harden;
use crate::layout::Layout;
use crate::transfer::Transfer;

/// How long the start may wait for the interpreters: Lambda gives it 10 s.
const INIT_PATIENCE: Duration = Duration::from_secs(9);

/// What is left of an invocation's time for ending the guest, collecting and answering.
const MARGIN: Duration = Duration::from_millis(500);

struct Service {
    layout: Layout,
    runner: Mutex<Runner>,
    transfer: Transfer,
}

/// Serves invocations until the process is ended.
///
/// # Errors
/// If it cannot start, or the Runtime API fails.
pub(crate) fn serve(layout: Layout) -> io::Result<()> {
    harden().map_err(|error| io::Error::other(format!("cannot secure itself: {error}")))?;
    let mut runner = Runner::start(&layout)?;
    runner.warm_up(Instant::now() + INIT_PATIENCE);
    let service = Arc::new(Service {
        layout,
        runner: Mutex::new(runner),
        transfer: Transfer::new(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let handler = service_fn(move |event: LambdaEvent<Value>| {
            let service = Arc::clone(&service);
            async move {
                // One invocation at a time, and nothing else to do meanwhile.
                let reply = tokio::task::spawn_blocking(move || {
                    service.answer(event.payload, &event.context)
                });
                Ok::<_, lambda_runtime::Error>(reply.await?)
            }
        });
        lambda_runtime::run(handler).await.map_err(io::Error::other)
    })
}

impl Service {
    fn answer(&self, event: Value, context: &Context) -> RunnerReply {
        match self.try_answer(event, context) {
            Ok(reply) => reply,
            Err(failure) => RunnerReply::Failed(failure),
        }
    }

    fn try_answer(&self, event: Value, context: &Context) -> Result<RunnerReply, RunnerFailure> {
        match read(event)? {
            RunnerCall::Describe => catalogue::read(&self.layout)
                .map(|runtimes| RunnerReply::Described(Passed::Inline(runtimes))),
            RunnerCall::Execute { task, overflow } => self
                .execute(task, overflow.as_ref(), deadline(context))
                .map(RunnerReply::Executed),
        }
    }

    fn execute(
        &self,
        task: Passed<Task>,
        overflow: Option<&Slot>,
        deadline: Instant,
    ) -> Result<Passed<Outcome>, RunnerFailure> {
        let task = self.transfer.fetch(task)?;
        let mut runner = self.runner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = &runner.spoiled {
            // Lambda starts another one after this.
            tracing::error!("ending: {reason}");
            std::process::exit(1);
        }
        let outcome = runner.execute(&task, deadline)?;
        drop(runner);
        self.transfer.pass(outcome, overflow)
    }
}

/// When the guest must have ended.
fn deadline(context: &Context) -> Instant {
    let end = UNIX_EPOCH + Duration::from_millis(context.deadline);
    let left = end.duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now() + left.saturating_sub(MARGIN)
}

fn read(event: Value) -> Result<RunnerCall, RunnerFailure> {
    let failure = |message| RunnerFailure {
        kind: RunnerFailureKind::Protocol,
        message,
    };
    // Before the rest, which another version may write differently.
    let protocol = event.get("protocol").and_then(Value::as_u64);
    if protocol != Some(RUNNER_PROTOCOL.into()) {
        let given = protocol.map_or_else(|| "none".to_owned(), |version| version.to_string());
        return Err(failure(format!(
            "the event's protocol is {given}, this image speaks {RUNNER_PROTOCOL}"
        )));
    }
    serde_json::from_value::<RunnerEvent>(event)
        .map(|event| event.call)
        .map_err(|error| failure(format!("the event cannot be read: {error}")))
}
