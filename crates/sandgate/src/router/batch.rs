//! One snippet, many inputs.

use std::sync::Arc;
use std::time::Instant;

use sandgate_core::{DiscardOutput, ExecuteRequest, Execution};
use tokio::task::JoinSet;

use super::{ExecuteOptions, Router};
use crate::Error;

/// So many inputs of one batch run at once, as far as the backend has places: enough to keep one
/// busy, and not so many that a batch fills its queue.
const AT_ONCE: usize = 16;

/// A batch's executions hold at most so many bytes of output and results together. Each alone is
/// within its own limits, but there can be many.
const MOST_BYTES: usize = 64 << 20;

impl Router {
    /// Executes `request` once for each of its [`inputs`](ExecuteRequest::inputs), side by side,
    /// and answers in their order. Every execution has its own id, and its outputs are kept like
    /// any other's. Output is not written to the options' sink, where it would mix.
    ///
    /// An input that sandgate failed to execute has its error in its place. So has one whose
    /// execution does not fit any more: all together hold 64 MiB of output and results at most. It
    /// is kept like the others, and the error names its id. Dropping the future
    /// cancels whatever still runs, and so does the options' `cancel`.
    ///
    /// # Errors
    /// When the request breaks rules, or not a single input was executed: then it is the first
    /// one's error.
    pub async fn execute_batch(
        &self,
        request: ExecuteRequest,
        mut options: ExecuteOptions,
    ) -> Result<Vec<Result<Execution, Error>>, Error> {
        self.inner.rules.check_batch(&request)?;
        options.sink = Arc::new(DiscardOutput);
        let count = request.inputs.as_ref().map_or(0, Vec::len);
        let request = Arc::new(request);
        let mut done: Vec<Option<Result<Execution, Error>>> = Vec::new();
        done.resize_with(count, || None);
        let mut running = JoinSet::new();
        let mut waiting = 0..count;
        let mut held = 0;
        // What one input has waited for no other has to wait for.
        let (started, patience) = (Instant::now(), options.patience);
        loop {
            while running.len() < AT_ONCE
                && let Some(at) = waiting.next()
            {
                let (router, request) = (self.clone(), Arc::clone(&request));
                let mut options = options.clone();
                options.patience = patience.saturating_sub(started.elapsed());
                running.spawn(async move {
                    // Only now, so that the code is not there once for each input that waits.
                    let Some(single) = request.with_input(at) else {
                        return (at, Err(Error::Internal("an input is missing".to_owned())));
                    };
                    (at, router.execute_with(single, options).await)
                });
            }
            match running.join_next().await {
                None => break,
                Some(Ok((at, executed))) => {
                    done[at] = Some(executed.and_then(|execution| fit(execution, &mut held)))
                }
                // Its place stays empty.
                Some(Err(error)) => tracing::error!(%error, "an input's task ended"),
            }
        }
        let ended = || Error::Internal("the execution's task ended".to_owned());
        let mut done: Vec<_> = done
            .into_iter()
            .map(|executed| executed.unwrap_or_else(|| Err(ended())))
            .collect();
        if done.iter().all(Result::is_err) && !done.is_empty() {
            done.swap_remove(0)?;
        }
        Ok(done)
    }
}

/// Takes `execution` into the answer, of which `held` bytes are used, if there is room for it.
fn fit(execution: Execution, held: &mut usize) -> Result<Execution, Error> {
    let results = execution.results.iter().flatten();
    let results: usize = results.map(|(kind, text)| kind.len() + text.len()).sum();
    let bytes = execution.stdout.len() + execution.stderr.len() + results;
    if bytes > MOST_BYTES - *held {
        return Err(Error::LeftOut {
            id: execution.id,
            most: MOST_BYTES,
        });
    }
    *held += bytes;
    Ok(execution)
}
