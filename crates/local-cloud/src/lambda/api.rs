//! The Invoke API towards callers.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::error::Error;
use super::events::queue;
use super::function::{self, Answer, FunctionState};
use super::invocation::Fault;
use super::runtime_api::{Unread, announced, read};
use super::signature;
use crate::config::Credentials;
use crate::serve::Stop;

/// Largest payload of a call that waits, in bytes.
const MAX_REQUEST: usize = 6 * 1024 * 1024;

/// Largest payload of an `Event`, in bytes.
const MAX_EVENT: usize = 1024 * 1024;

/// The service.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) functions: HashMap<String, Arc<FunctionState>>,
    pub(crate) credentials: Credentials,
    pub(crate) region: String,
    /// Places for `Event` invocations that wait or run.
    pub(crate) events: Arc<Semaphore>,
    pub(crate) stop: Stop,
}

impl Api {
    pub(crate) fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/2015-03-31/functions/{name}/invocations", post(invoke))
            .route("/2015-03-31/functions/{name}", get(get_function))
            .route(
                "/2015-03-31/functions/{name}/configuration",
                get(get_configuration),
            )
            .fallback(|| async {
                let message = "this local service knows Invoke, GetFunction and \
                               GetFunctionConfiguration only";
                Error::new(StatusCode::NOT_FOUND, "UnknownOperationException", message)
            })
            .with_state(self)
    }

    /// The function and the version that a name and a qualifier mean.
    fn find(&self, name: &str, qualifier: Option<&str>) -> Result<&Arc<FunctionState>, Error> {
        let (name, suffix) = parse_name(name);
        let function = self.functions.get(name).ok_or_else(|| {
            let text = format!(
                "Function not found: {}",
                super::function::arn(&self.region, name)
            );
            Error::new(StatusCode::NOT_FOUND, "ResourceNotFoundException", text)
        })?;
        let config = &function.config;
        let known = |qualifier: &str| {
            qualifier == "$LATEST"
                || qualifier == config.version
                || config.aliases.iter().any(|alias| alias == qualifier)
        };
        match qualifier.or(suffix) {
            Some(qualifier) if !known(qualifier) => {
                let text = format!("Function not found: {}:{qualifier}", function.arn);
                Err(Error::new(
                    StatusCode::NOT_FOUND,
                    "ResourceNotFoundException",
                    text,
                ))
            }
            Some(_) | None => Ok(function),
        }
    }

    /// Reads a request whose sender may call.
    async fn authorised(&self, request: Request) -> Result<(HeaderMap, Bytes), Error> {
        let (parts, body) = request.into_parts();
        let too_large = || {
            let text = format!(
                "Request must be smaller than {MAX_REQUEST} bytes for the InvokeFunction operation"
            );
            Error::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestTooLargeException",
                text,
            )
        };
        if announced(&parts.headers).is_some_and(|length| length > 4 * MAX_REQUEST) {
            return Err(too_large());
        }
        let body =
            read(body, MAX_REQUEST, 4 * MAX_REQUEST)
                .await
                .map_err(|unread| match unread {
                    Unread::TooLarge => too_large(),
                    Unread::BrokenOff => Error::new(
                        StatusCode::BAD_REQUEST,
                        "InvalidRequestContentException",
                        "the body broke off",
                    ),
                })?;
        signature::check(&parts, &body, &self.credentials)
            .map_err(|refusal| Error::new(StatusCode::FORBIDDEN, refusal.code, refusal.message))?;
        Ok((parts.headers, body))
    }
}

#[derive(Debug, Deserialize)]
struct Qualified {
    #[serde(rename = "Qualifier")]
    qualifier: Option<String>,
}

async fn invoke(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    Query(query): Query<Qualified>,
    request: Request,
) -> Result<Response, Error> {
    let (headers, payload) = api.authorised(request).await?;
    let function = api.find(&name, query.qualifier.as_deref())?;
    let request = function_request(function, &headers, payload)?;
    match text(&headers, "x-amz-invocation-type").unwrap_or("RequestResponse") {
        "RequestResponse" => {
            let slot = function.admit().map_err(Error::throttled)?;
            let answer = function.run(slot, request).await;
            let answer = answer.map_err(|_| Error::service("the invocation ended unfinished"))?;
            let tail = text(&headers, "x-amz-log-type") == Some("Tail");
            respond(&function.config.version, answer, tail)
        }
        "Event" => {
            if request.payload.len() > MAX_EVENT {
                let text = format!(
                    "{} byte payload is too large for the Event invocation type (limit {MAX_EVENT} bytes)",
                    request.payload.len()
                );
                return Err(Error::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "RequestTooLargeException",
                    text,
                ));
            }
            let headers = request_id(&request.id);
            queue(&api, Arc::clone(function), request)?;
            Ok((StatusCode::ACCEPTED, headers).into_response())
        }
        "DryRun" => Ok(StatusCode::NO_CONTENT.into_response()),
        other => Err(Error::parameter(format!(
            "{other} is no invocation type; use RequestResponse, Event or DryRun"
        ))),
    }
}

/// What the function gets, if the caller has said all that is needed.
fn function_request(
    function: &FunctionState,
    headers: &HeaderMap,
    payload: Bytes,
) -> Result<function::Request, Error> {
    let payload = if payload.is_empty() {
        Bytes::from_static(b"{}")
    } else {
        payload
    };
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&payload) {
        let text = format!("Could not parse request body into json: {error}");
        return Err(Error::new(
            StatusCode::BAD_REQUEST,
            "InvalidRequestContentException",
            text,
        ));
    }
    let tenant = text(headers, "x-amz-tenant-id").map(str::to_owned);
    match (&tenant, function.config.tenant_isolation) {
        (None, true) => {
            return Err(Error::parameter(
                "Add a valid tenant ID in your request. The function uses tenant isolation",
            ));
        }
        (Some(_), false) => {
            return Err(Error::parameter(
                "Remove the tenant ID from your request. The function does not use tenant isolation",
            ));
        }
        (Some(tenant), true) if !is_tenant_id(tenant) => {
            return Err(Error::parameter(
                "a tenant ID has 1 to 256 letters, digits, spaces or characters of . _ : / = + - @",
            ));
        }
        (Some(_), true) | (None, false) => {}
    }
    let client_context = match text(headers, "x-amz-client-context") {
        None => None,
        Some(context) => Some(
            BASE64
                .decode(context)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| {
                    let text = "Client context must be a valid Base64-encoded JSON object.";
                    let code = "InvalidRequestContentException";
                    Error::new(StatusCode::BAD_REQUEST, code, text)
                })?,
        ),
    };
    Ok(function::Request {
        id: Uuid::new_v4().to_string(),
        payload,
        tenant,
        client_context,
        trace_id: text(headers, "x-amzn-trace-id").map(str::to_owned),
    })
}

fn is_tenant_id(tenant: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/=+-@ ".contains(&byte);
    (1..=256).contains(&tenant.len()) && tenant.bytes().all(allowed)
}

fn respond(version: &str, answer: Answer, tail: bool) -> Result<Response, Error> {
    let mut headers = request_id(&answer.id);
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set(header::CONTENT_TYPE.as_str(), "application/json");
    set("x-amz-executed-version", version);
    if tail {
        set("x-amz-log-result", &BASE64.encode(&answer.log));
    }
    let body = match answer.result {
        Ok(body) => body,
        Err(Fault::Unavailable(reason)) => return Err(Error::service(&reason)),
        Err(fault) => {
            set("x-amz-function-error", "Unhandled");
            fault.document(&answer.id)
        }
    };
    Ok((headers, Body::from(body)).into_response())
}

/// The header that names an invocation.
pub(super) fn request_id(id: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("x-amzn-requestid"), id);
    }
    headers
}

async fn get_configuration(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    Query(query): Query<Qualified>,
    request: Request,
) -> Result<axum::Json<Value>, Error> {
    api.authorised(request).await?;
    let function = api.find(&name, query.qualifier.as_deref())?;
    Ok(axum::Json(configuration(function)))
}

async fn get_function(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    Query(query): Query<Qualified>,
    request: Request,
) -> Result<axum::Json<Value>, Error> {
    api.authorised(request).await?;
    let function = api.find(&name, query.qualifier.as_deref())?;
    let mut document = json!({
        "Configuration": configuration(function),
        "Code": {"RepositoryType": "ECR"},
    });
    if let Some(reserved) = function.config.reserved_concurrency {
        document["Concurrency"] = json!({"ReservedConcurrentExecutions": reserved});
    }
    Ok(axum::Json(document))
}

fn configuration(function: &FunctionState) -> Value {
    let config = &function.config;
    let mut document = json!({
        "FunctionName": config.name,
        "FunctionArn": format!("{}:{}", function.arn, config.version),
        "Version": config.version,
        "PackageType": "Image",
        "MemorySize": config.memory_mb,
        // In whole seconds.
        "Timeout": config.timeout.as_secs().max(1),
        "EphemeralStorage": {"Size": config.ephemeral_storage_mb},
        "Environment": {"Variables": config.environment},
        "State": "Active",
        "LastUpdateStatus": "Successful",
    });
    if config.tenant_isolation {
        document["TenancyConfig"] = json!({"TenantIsolationMode": "PER_TENANT"});
    }
    document
}

/// A name, a partial or whole ARN, each perhaps with a qualifier: the name and the qualifier.
fn parse_name(text: &str) -> (&str, Option<&str>) {
    let rest = match text.split_once(":function:") {
        Some((_, rest)) => rest,
        None => text,
    };
    match rest.split_once(':') {
        Some((name, qualifier)) => (name, Some(qualifier)),
        None => (rest, None),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_in_four_forms() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:run";
        assert_eq!(parse_name("run"), ("run", None));
        assert_eq!(parse_name("run:live"), ("run", Some("live")));
        assert_eq!(parse_name("123456789012:function:run"), ("run", None));
        assert_eq!(parse_name(arn), ("run", None));
        assert_eq!(parse_name(&format!("{arn}:7")), ("run", Some("7")));
    }

    #[test]
    fn tenants_are_named_with_plain_characters() {
        assert!(is_tenant_id("team-1/a.b:c"));
        assert!(!is_tenant_id(""));
        assert!(!is_tenant_id("a\tb"));
        assert!(!is_tenant_id(&"x".repeat(257)));
    }
}
