//! One snippet, many inputs.

use std::sync::Arc;

use sandgate_core::{DiscardOutput, ExecuteRequest, Execution};
use tokio::task::JoinSet;

use super::{ExecuteOptions, Router};
use crate::Error;

/// So many inputs of one batch run at once, as far as the backend has places: enough to keep one
/// busy, and not so many that a batch fills its queue.
const AT_ONCE: usize = 16;

impl Router {
    /// Executes `request` once for each of its [`inputs`](ExecuteRequest::inputs), side by side,
    /// and answers in their order. Every execution has its own id, and its outputs are kept like
    /// any other's. Output is not written to the options' sink, where it would mix.
    ///
    /// An input that sandgate failed to execute has its error in its place. Dropping the future
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
        loop {
            while running.len() < AT_ONCE
                && let Some(at) = waiting.next()
            {
                let (router, request) = (self.clone(), Arc::clone(&request));
                let options = options.clone();
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
                Some(Ok((at, executed))) => done[at] = Some(executed),
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
