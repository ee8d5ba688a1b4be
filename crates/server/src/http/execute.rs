//! `POST /v1/execute`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, header};
use sandgate::{CancellationToken, ExecuteOptions, ExecuteRequest, Execution, Router};
use tokio::time::Instant;

use super::App;
use super::body::{self, HeldBody};
use super::problem::Problem;
use super::stream::{self, PendingOutput};

/// What the client wants to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Json,
    Events,
}

pub(super) async fn execute(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response<Body>, Problem> {
    let wanted = wanted(&headers)?;
    body::require_json(&headers)?;
    let HeldBody { bytes, room } = app.bodies.read(&headers, body).await?;
    let request = body::parse(&bytes)?;
    drop(bytes);
    let patience = app.patience(&request);
    match wanted {
        Wanted::Json => {
            let options = ExecuteOptions::default();
            let execution = run(&app.router, request, options, patience).await;
            drop(room);
            super::json(&execution?)
        }
        Wanted::Events => {
            let (pending, cancel) = (Arc::<PendingOutput>::default(), CancellationToken::new());
            let options = ExecuteOptions::default()
                .sink(Arc::clone(&pending) as _)
                .cancel(cancel.clone());
            let router = app.router.clone();
            let execute = async move {
                let _room = room;
                run(&router, request, options, patience).await
            };
            stream::respond(pending, cancel, execute).await
        }
    }
}

/// Executes, gives up when that takes too long, and leaves a line in the log.
async fn run(
    router: &Router,
    request: ExecuteRequest,
    options: ExecuteOptions,
    patience: Duration,
) -> Result<Execution, Problem> {
    let started = Instant::now();
    let language = request.language;
    let execute = router.execute_with(request, options);
    let execution = match tokio::time::timeout(patience, execute).await {
        Ok(Ok(execution)) => execution,
        Ok(Err(error)) => {
            tracing::info!(%language, refused = %error, "not executed");
            return Err(error.into());
        }
        Err(_) => {
            tracing::warn!(%language, "no place in time");
            return Err(Problem::overloaded(
                "there was no place for the execution in time",
                Duration::from_secs(1),
            ));
        }
    };
    tracing::info!(
        id = %execution.id,
        status = execution.status.as_str(),
        %language,
        backend = execution.route.backend.as_str(),
        cache = ?execution.cache.status,
        ms = started.elapsed().as_secs_f64() * 1e3,
        "executed"
    );
    Ok(execution)
}

fn wanted(headers: &HeaderMap) -> Result<Wanted, Problem> {
    let mut listed = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|entry| entry.split(';').next())
        .map(|entry| entry.trim().to_ascii_lowercase())
        .peekable();
    if listed.peek().is_none() {
        return Ok(Wanted::Json);
    }
    listed
        .find_map(|entry| match entry.as_str() {
            "text/event-stream" => Some(Wanted::Events),
            "application/json" | "application/*" | "*/*" => Some(Wanted::Json),
            _ => None,
        })
        .ok_or_else(Problem::not_acceptable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn the_first_type_that_there_is_wins() {
        let ask = |accept: &'static str| {
            let headers =
                HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            wanted(&headers).ok()
        };
        assert_eq!(ask("*/*"), Some(Wanted::Json));
        assert_eq!(ask("text/event-stream"), Some(Wanted::Events));
        assert_eq!(ask("text/html, Application/JSON;q=0.9"), Some(Wanted::Json));
        assert_eq!(ask("text/html"), None);
        assert_eq!(wanted(&HeaderMap::new()).ok(), Some(Wanted::Json));
    }
}
