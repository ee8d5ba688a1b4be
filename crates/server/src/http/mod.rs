//! The HTTP service, as a value: nothing here listens on a port.

mod body;
mod execute;
mod files;
mod metrics;
mod problem;
mod request_id;
mod stream;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Response, header};
use axum::middleware;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use bytes::Bytes;
use sandgate::{ExecuteOptions, ExecuteRequest, Router, Runtime, Uuid};
use serde::Serialize;
use serde_json::json;
use tower_http::catch_panic::CatchPanicLayer;

use crate::config::HttpConfig;
use body::BodyRoom;
use metrics::Metrics;
use problem::Problem;

/// What artifacts' URLs begin with.
pub const EXECUTIONS: &str = "/v1/executions";

/// What every request needs.
#[derive(Debug)]
struct App {
    router: Router,
    bodies: BodyRoom,
    config: HttpConfig,
    default_timeout: Duration,
    runtimes: Mutex<Runtimes>,
    metrics: Metrics,
}

impl App {
    /// How long a request may take in all: its own time limit, once for each input, and what it
    /// may wait.
    fn patience(&self, request: &ExecuteRequest) -> Duration {
        let own = request.limits.timeout_ms.map(Duration::from_millis);
        let own = own.unwrap_or(self.default_timeout);
        let inputs = request.inputs.as_ref().map_or(1, Vec::len);
        own.saturating_mul(u32::try_from(inputs).unwrap_or(u32::MAX))
            .saturating_add(self.config.queue_timeout)
    }

    /// Waiting for a backend to say what it has is waiting like any other.
    fn options(&self) -> ExecuteOptions {
        ExecuteOptions::default().patience(self.config.queue_timeout)
    }

    /// What `GET /v1/runtimes` answers.
    fn runtimes(&self) -> Result<Bytes, Problem> {
        let runtimes = self.router.runtimes();
        let mut known = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known.of.len() == runtimes.len()
            && known
                .of
                .iter()
                .zip(&runtimes)
                .all(|(a, b)| Arc::ptr_eq(a, b));
        if !same || known.body.is_empty() {
            known.body = to_json(&json!({ "runtimes": runtimes }))?;
            known.of = runtimes;
        }
        Ok(known.body.clone())
    }
}

/// The runtimes as JSON, which is long and seldom changes.
#[derive(Debug, Default)]
struct Runtimes {
    of: Vec<Arc<Runtime>>,
    body: Bytes,
}

/// The service over `router`. `default_timeout` is the time limit of requests that do not say.
pub fn app(router: Router, config: HttpConfig, default_timeout: Duration) -> axum::Router {
    let app = Arc::new(App {
        bodies: BodyRoom::new(config),
        config,
        default_timeout,
        runtimes: Mutex::default(),
        metrics: Metrics::new(),
        router,
    });
    axum::Router::new()
        .route("/", get(pointer))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/v1/execute", post(execute::execute))
        .route("/v1/plan", post(execute::plan))
        .route("/v1/executions/{id}", get(execution))
        .route("/v1/executions/{id}/files/{*path}", get(file))
        .route("/v1/runtimes", get(runtimes_of))
        .fallback(|| async { Problem::not_found("there is no such path, see GET /") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(CatchPanicLayer::custom(after_a_panic))
        .layer(middleware::from_fn(request_id::layer))
        .with_state(app)
}

fn after_a_panic(_: Box<dyn std::any::Any + Send>) -> Response<Body> {
    tracing::error!("a request's handler panicked");
    Problem::internal().into_response()
}

fn json(value: &impl Serialize) -> Result<Response<Body>, Problem> {
    to_json(value).map(json_bytes)
}

fn to_json(value: &impl Serialize) -> Result<Bytes, Problem> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| {
        tracing::error!(%error, "an answer does not become JSON");
        Problem::internal()
    })
}

fn json_bytes(body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

async fn pointer() -> Result<Response<Body>, Problem> {
    json(&json!({
        "service": "sandgate",
        "version": env!("CARGO_PKG_VERSION"),
        "execute": "POST /v1/execute",
        "plan": "POST /v1/plan",
        "executions": "GET /v1/executions/{id}",
        "files": "GET /v1/executions/{id}/files/{path}",
        "runtimes": "GET /v1/runtimes",
        "metrics": "GET /metrics",
    }))
}

async fn healthz() -> Result<Response<Body>, Problem> {
    json(&json!({ "status": "ok" }))
}

async fn readyz(State(app): State<Arc<App>>) -> Result<Response<Body>, Problem> {
    match app.router.ready() {
        Ok(()) => json(&json!({ "status": "ready" })),
        Err(why) => Err(Problem::unavailable(
            why.to_string(),
            Duration::from_secs(1),
        )),
    }
}

async fn metrics(State(app): State<Arc<App>>) -> Result<Response<Body>, Problem> {
    app.metrics.respond(&app.router)
}

async fn runtimes_of(State(app): State<Arc<App>>) -> Result<Response<Body>, Problem> {
    app.runtimes().map(json_bytes)
}

async fn execution(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response<Body>, Problem> {
    let found = app.router.execution(parse_id(&id)?).await?;
    json(&found.ok_or_else(no_such_execution)?)
}

async fn file(
    State(app): State<Arc<App>>,
    Path((id, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    let id = parse_id(&id)?;
    if app.config.redirect_files {
        let download = |media_type: &str| files::download(media_type, &path);
        if let Some(url) = app.router.file_url(id, &path, &download).await? {
            return files::redirect(&url);
        }
    }
    let found = app.router.file(id, &path).await?;
    let file = found.ok_or_else(|| {
        Problem::not_found("there is no such execution, or it left no file of this name")
    })?;
    Ok(files::respond(file, &path, &headers))
}

/// What is not an id cannot be the id of anything.
fn parse_id(id: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(id).map_err(|_| no_such_execution())
}

fn no_such_execution() -> Problem {
    Problem::not_found("there is no execution with this id")
}
