//! The HTTP service, as a value: nothing here listens on a port.

mod body;
mod execute;
mod files;
mod problem;
mod request_id;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Response, header};
use axum::middleware;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use bytes::Bytes;
use sandgate::{ExecuteRequest, Router, Uuid};
use serde::Serialize;
use serde_json::json;
use tower_http::catch_panic::CatchPanicLayer;

use crate::config::HttpConfig;
use body::BodyRoom;
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
    /// Does not change while the service runs, and is long.
    runtimes: Bytes,
}

impl App {
    /// How long a request may take in all: its own time limit, and what it may wait.
    fn patience(&self, request: &ExecuteRequest) -> Duration {
        let own = request.limits.timeout_ms.map(Duration::from_millis);
        let own = own.unwrap_or(self.default_timeout);
        own.saturating_add(self.config.queue_timeout)
    }
}

/// The service over `router`. `default_timeout` is the time limit of requests that do not say.
pub fn app(router: Router, config: HttpConfig, default_timeout: Duration) -> axum::Router {
    let runtimes: Vec<_> = router.runtimes().collect();
    let runtimes = serde_json::to_vec(&json!({ "runtimes": runtimes })).unwrap_or_default();
    let app = Arc::new(App {
        bodies: BodyRoom::new(config),
        config,
        default_timeout,
        runtimes: runtimes.into(),
        router,
    });
    axum::Router::new()
        .route("/", get(pointer))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/v1/execute", post(execute::execute))
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
    match serde_json::to_vec(value) {
        Ok(body) => Ok(json_bytes(body.into())),
        Err(error) => {
            tracing::error!(%error, "an answer does not become JSON");
            Err(Problem::internal())
        }
    }
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
        "executions": "GET /v1/executions/{id}",
        "files": "GET /v1/executions/{id}/files/{path}",
        "runtimes": "GET /v1/runtimes",
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

async fn runtimes_of(State(app): State<Arc<App>>) -> Response<Body> {
    json_bytes(app.runtimes.clone())
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
    let found = app.router.file(parse_id(&id)?, &path).await?;
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
