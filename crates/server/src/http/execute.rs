//! `POST /v1/execute`, `POST /v1/plan`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, header};
use sandgate::{CancellationToken, ErrorKind, ExecuteOptions, ExecuteRequest, Execution, Language};
use serde::Serialize;
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
    if request.inputs.is_some() {
        return match wanted {
            Wanted::Json => batch(&app, request, patience).await,
            Wanted::Events => Err(Problem::no_events_of_a_batch()),
        };
    }
    match wanted {
        Wanted::Json => {
            let execution = run(&app, request, app.options(), patience).await;
            drop(room);
            super::json(&execution?)
        }
        Wanted::Events => {
            let (pending, cancel) = (Arc::<PendingOutput>::default(), CancellationToken::new());
            let options = app
                .options()
                .sink(Arc::clone(&pending) as _)
                .cancel(cancel.clone());
            let execute = async move {
                let _room = room;
                run(&app, request, options, patience).await
            };
            stream::respond(pending, cancel, execute).await
        }
    }
}

/// What would happen to a request, without executing it.
pub(super) async fn plan(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response<Body>, Problem> {
    body::require_json(&headers)?;
    let HeldBody { bytes, room: _room } = app.bodies.read(&headers, body).await?;
    let request = body::parse(&bytes)?;
    super::json(&app.router.plan_with(request, app.options()).await?)
}

/// A batch's answer: an entry for each input, in their order.
#[derive(Serialize)]
struct Batch {
    executions: Vec<Executed>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Executed {
    Done(Box<Execution>),
    Failed { problem: Problem },
}

/// Executes a batch. Failures of ours that concern single inputs are problem documents in their
/// places.
async fn batch(
    app: &App,
    request: ExecuteRequest,
    patience: Duration,
) -> Result<Response<Body>, Problem> {
    let (started, language) = (Instant::now(), request.language);
    let _under_way = app.metrics.under_way();
    let execute = app.router.execute_batch(request, app.options());
    let executed = match tokio::time::timeout(patience, execute).await {
        Ok(Ok(executed)) => executed,
        Ok(Err(error)) => return Err(refused(app, language, error)),
        Err(_) => return Err(no_place(app, language)),
    };
    let took = started.elapsed();
    tracing::info!(
        inputs = executed.len(),
        failed = executed.iter().filter(|one| one.is_err()).count(),
        %language,
        ms = took.as_secs_f64() * 1e3,
        "executed a batch"
    );
    let executions = executed.into_iter().map(|executed| match executed {
        Ok(execution) => {
            app.metrics.executed(language, &execution, took);
            Executed::Done(Box::new(execution))
        }
        Err(error) => Executed::Failed {
            problem: refused(app, language, error),
        },
    });
    super::json(&Batch {
        executions: executions.collect(),
    })
}

fn refused(app: &App, language: Language, error: sandgate::Error) -> Problem {
    tracing::info!(%language, refused = %error, "not executed");
    app.metrics.refused(error.kind());
    error.into()
}

fn no_place(app: &App, language: Language) -> Problem {
    tracing::warn!(%language, "no place in time");
    app.metrics.refused(ErrorKind::Overloaded);
    Problem::overloaded(
        "there was no place for the execution in time",
        Duration::from_secs(1),
    )
}

/// Executes, gives up when that takes too long, and leaves a line in the log.
async fn run(
    app: &App,
    request: ExecuteRequest,
    options: ExecuteOptions,
    patience: Duration,
) -> Result<Execution, Problem> {
    let (started, language) = (Instant::now(), request.language);
    let _under_way = app.metrics.under_way();
    let execute = app.router.execute_with(request, options);
    let execution = match tokio::time::timeout(patience, execute).await {
        Ok(Ok(execution)) => execution,
        Ok(Err(error)) => return Err(refused(app, language, error)),
        Err(_) => return Err(no_place(app, language)),
    };
    let took = started.elapsed();
    app.metrics.executed(language, &execution, took);
    tracing::info!(
        id = %execution.id,
        status = execution.status.as_str(),
        %language,
        backend = execution.route.backend.as_str(),
        hops = execution.route.hops.len(),
        cache = ?execution.cache.status,
        ms = took.as_secs_f64() * 1e3,
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
