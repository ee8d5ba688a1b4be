//! The Runtime API towards the process of one environment.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;

use super::invocation::Invocation;

/// Largest answer of a function, in bytes: 6 MiB and a little, as Lambda has it.
pub(crate) const MAX_RESPONSE: usize = 6 * 1024 * 1024 + 100;

/// What a process sends beyond the limit is read up to here and thrown away, so that it gets to
/// hear the refusal rather than a closed connection.
const MAX_DISCARDED: usize = 256 * 1024 * 1024;

/// What stands in an id's place while the environment starts.
const STARTING: &str = "";

/// What the process did.
#[derive(Debug)]
pub(crate) enum Event {
    /// It asks for the next event: it is ready, or done with the one before.
    Next,
    /// It answered.
    Response(Bytes),
    /// It tried to answer with more than the limit.
    TooLarge,
    /// The handler failed.
    Error(Bytes),
    /// It cannot start.
    InitError(Bytes),
}

/// The driver's end.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) events: mpsc::Receiver<Event>,
    jobs: mpsc::Sender<Arc<Invocation>>,
    api: Arc<Api>,
}

impl Channel {
    /// Hands an invocation to the process when it next asks.
    pub(crate) fn offer(&self, invocation: Arc<Invocation>) {
        *self.api.current() = Some(invocation.id.clone());
        // There is room: an environment is driven through one invocation at a time, and one whose
        // process does not take its invocation is ended.
        if self.jobs.try_send(invocation).is_err() {
            tracing::warn!("an environment was given an invocation before it took the last");
        }
    }
}

#[derive(Debug)]
struct Api {
    events: mpsc::Sender<Event>,
    jobs: tokio::sync::Mutex<mpsc::Receiver<Arc<Invocation>>>,
    /// The invocation that waits for its answer, or [`STARTING`].
    current: Mutex<Option<String>>,
}

impl Api {
    fn current(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the answer's place. Only one answer counts.
    fn answers(&self, id: &str) -> bool {
        let mut current = self.current();
        if current.as_deref() == Some(id) {
            *current = None;
            true
        } else {
            false
        }
    }

    async fn tell(&self, event: Event) {
        // Nobody listens any more: the environment is being ended.
        let _ = self.events.send(event).await;
    }
}

/// The service for one environment, and the end from which it is driven.
pub(crate) fn runtime_api() -> (Router, Channel) {
    let (events, received) = mpsc::channel(8);
    let (jobs, offered) = mpsc::channel(1);
    let api = Arc::new(Api {
        events,
        jobs: tokio::sync::Mutex::new(offered),
        current: Mutex::new(Some(STARTING.to_owned())),
    });
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route(
            "/2018-06-01/runtime/invocation/{id}/response",
            post(response),
        )
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .with_state(Arc::clone(&api));
    let channel = Channel {
        events: received,
        jobs,
        api,
    };
    (router, channel)
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    // Whoever waits here already goes on waiting; this one is next in line.
    let mut jobs = api.jobs.lock().await;
    api.tell(Event::Next).await;
    match jobs.recv().await {
        Some(invocation) => (headers(&invocation), invocation.payload.clone()).into_response(),
        None => StatusCode::GONE.into_response(),
    }
}

fn headers(invocation: &Invocation) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    // Without a content type, AWS's own client for Python crashes.
    set("content-type", "application/json");
    set("lambda-runtime-aws-request-id", &invocation.id);
    set(
        "lambda-runtime-deadline-ms",
        &invocation.deadline_ms.to_string(),
    );
    set("lambda-runtime-invoked-function-arn", &invocation.arn);
    set("lambda-runtime-trace-id", &invocation.trace_id);
    if let Some(tenant) = &invocation.tenant {
        set("lambda-runtime-aws-tenant-id", tenant);
    }
    if let Some(context) = &invocation.client_context {
        set("lambda-runtime-client-context", context);
    }
    headers
}

async fn response(State(api): State<Arc<Api>>, Path(id): Path<String>, body: Body) -> Response {
    // Before the body: whoever has no invocation to answer does not make us hold one.
    if !api.answers(&id) {
        return unknown_id();
    }
    match read(body, MAX_RESPONSE, MAX_DISCARDED).await {
        Ok(body) => {
            api.tell(Event::Response(body)).await;
            accepted()
        }
        Err(Unread::TooLarge) => {
            api.tell(Event::TooLarge).await;
            let text = "the response is larger than Lambda passes on";
            refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", text)
        }
        Err(Unread::BrokenOff) => broken_off(),
    }
}

async fn error(State(api): State<Arc<Api>>, Path(id): Path<String>, body: Body) -> Response {
    if !api.answers(&id) {
        return unknown_id();
    }
    report(&api, body, Event::Error).await
}

async fn init_error(State(api): State<Arc<Api>>, body: Body) -> Response {
    // Only once, and only before the first event.
    if !api.answers(STARTING) {
        let text = "the environment has started already";
        return refused(StatusCode::FORBIDDEN, "InvalidStateTransition", text);
    }
    report(&api, body, Event::InitError).await
}

async fn report(api: &Api, body: Body, event: fn(Bytes) -> Event) -> Response {
    match read(body, MAX_RESPONSE, MAX_DISCARDED).await {
        Ok(body) => api.tell(event(body)).await,
        Err(Unread::TooLarge) => api.tell(Event::TooLarge).await,
        Err(Unread::BrokenOff) => return broken_off(),
    }
    accepted()
}

/// Nothing is told: a process that breaks off ends, or runs into its deadline.
fn broken_off() -> Response {
    refused(
        StatusCode::BAD_REQUEST,
        "InvalidRequest",
        "the body broke off",
    )
}

fn accepted() -> Response {
    let body = axum::Json(json!({"status": "OK"}));
    (StatusCode::ACCEPTED, body).into_response()
}

fn unknown_id() -> Response {
    let text = "no invocation of this id waits for an answer";
    refused(StatusCode::BAD_REQUEST, "InvalidRequestID", text)
}

fn refused(status: StatusCode, kind: &str, message: &str) -> Response {
    let body = axum::Json(json!({"errorMessage": message, "errorType": kind}));
    (status, body).into_response()
}

/// Why a body is not there.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It is larger than the limit.
    TooLarge,
    /// The sender stopped in the middle.
    BrokenOff,
}

/// Reads a body of at most `limit` bytes. A larger one is read on to `discard` bytes and dropped.
pub(crate) async fn read(mut body: Body, limit: usize, discard: usize) -> Result<Bytes, Unread> {
    let mut kept = Vec::new();
    let mut length = 0;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_| Unread::BrokenOff)?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length += data.len();
        if length <= limit {
            kept.extend_from_slice(&data);
        } else if length > discard {
            break;
        } else {
            kept = Vec::new();
        }
    }
    if length > limit {
        return Err(Unread::TooLarge);
    }
    Ok(kept.into())
}

/// The announced length of a request's body.
pub(crate) fn announced(headers: &HeaderMap) -> Option<usize> {
    let value = headers.get(header::CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
}
