//! Invocations of the type `Event`: nobody waits for them, so they are tried again here.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::api::Api;
use super::error::Error;
use super::function::{self, Answer, FunctionState};
use super::invocation::Fault;

/// How long an `Event` waits for a place at most.
const MAX_EVENT_AGE: Duration = Duration::from_secs(6 * 60 * 60);

/// The pauses between two tries to find a place for an `Event`: the first, and the longest.
const EVENT_PAUSE: Duration = Duration::from_millis(50);
const MAX_EVENT_PAUSE: Duration = Duration::from_secs(5);

/// Runs an `Event` as soon as there is a place, and again as often as is configured where the
/// function fails. All attempts have the same id.
pub(super) fn queue(
    api: &Arc<Api>,
    function: Arc<FunctionState>,
    request: function::Request,
) -> Result<(), Error> {
    let place = Arc::clone(&api.events)
        .try_acquire_owned()
        .map_err(|_| Error::too_many("CallerRateLimitExceeded"))?;
    let stop = api.stop.clone();
    let run = async move {
        let _place = place;
        let name = &function.config.name;
        let too_old = Instant::now() + MAX_EVENT_AGE;
        let mut pause = EVENT_PAUSE;
        let mut retries = function.config.event_retries.iter();
        loop {
            let wait = match attempt(&function, &request).await {
                Attempt::Over => return,
                Attempt::Failed(fault) => {
                    let Some(wait) = retries.next() else {
                        tracing::warn!(name, ?fault, "an event failed and is given up");
                        return;
                    };
                    tracing::warn!(name, ?fault, ?wait, "an event failed and is tried again");
                    *wait
                }
                Attempt::NotRun => {
                    let wait = pause;
                    pause = (pause * 2).min(MAX_EVENT_PAUSE);
                    wait
                }
            };
            if Instant::now() + wait > too_old {
                tracing::warn!(name, "an event got too old");
                return;
            }
            sleep(wait).await;
        }
    };
    tokio::spawn(async move {
        tokio::select! {
            () = run => {}
            () = stop.stopped() => {}
        }
    });
    Ok(())
}

/// What came of trying to run an `Event`.
enum Attempt {
    /// The function ran, or nobody wants it to any more.
    Over,
    /// The function failed.
    Failed(Fault),
    /// There was no place for it, or this machine could make none.
    NotRun,
}

async fn attempt(function: &Arc<FunctionState>, request: &function::Request) -> Attempt {
    let Ok(slot) = function.admit() else {
        return Attempt::NotRun;
    };
    match function.run(slot, request.clone()).await {
        Ok(Answer { result: Ok(_), .. }) | Err(_) => Attempt::Over,
        Ok(Answer {
            result: Err(fault), ..
        }) if fault.is_ours() => Attempt::NotRun,
        Ok(Answer {
            result: Err(fault), ..
        }) => Attempt::Failed(fault),
    }
}
