//! Our own failures, as RFC 9457 problem documents.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sandgate::{Error, ErrorKind, FieldError};
use serde::{Serialize, Serializer};

/// A problem document on its way to a client.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
}

impl Problem {
    fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            kind,
            title,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// The body is not JSON, or not a request.
    pub(crate) fn malformed(detail: impl Into<String>, errors: Vec<FieldError>) -> Self {
        let mut problem = Self::new(
            StatusCode::BAD_REQUEST,
            "malformed-request",
            "The request cannot be read",
            detail,
        );
        problem.errors = errors;
        problem
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "The method is not allowed here",
            "see the `allow` header for the methods this resource has",
        )
    }

    pub(crate) fn not_acceptable() -> Self {
        Self::new(
            StatusCode::NOT_ACCEPTABLE,
            "not-acceptable",
            "No such representation",
            "the answer is application/json or text/event-stream, accept one of them",
        )
    }

    pub(crate) fn no_events_of_a_batch() -> Self {
        Self::new(
            StatusCode::NOT_ACCEPTABLE,
            "not-acceptable",
            "No such representation",
            "a batch is answered with application/json only: accept it, or leave out `inputs`",
        )
    }

    pub(crate) fn timed_out_reading() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "request-timeout",
            "The request took too long to arrive",
            "the body did not arrive in time",
        )
    }

    pub(crate) fn too_large(most: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            "The body is too large",
            format!("the body may have at most {most} bytes"),
        )
    }

    pub(crate) fn not_json() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "The body is not JSON",
            "send the body with `content-type: application/json`",
        )
    }

    /// Nothing is wrong with the request; there is no room for it.
    pub(crate) fn overloaded(detail: impl Into<String>, retry_after: Duration) -> Self {
        let mut problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "overloaded",
            "Too much to do",
            detail,
        );
        problem.retry_after = Some(retry_after);
        problem
    }

    pub(crate) fn unavailable(detail: impl Into<String>, retry_after: Duration) -> Self {
        let mut problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "Not available at the moment",
            detail,
        );
        problem.retry_after = Some(retry_after);
        problem
    }

    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "A defect of ours",
            "the service failed; its log says more under this request id",
        )
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let retry_after = error.retry_after().unwrap_or(Duration::from_secs(1));
        if let Error::Invalid(invalid) = error {
            let mut problem = Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid-request",
                "The request breaks rules",
                match invalid.errors.len() {
                    1 => "one field is not as it must be".to_owned(),
                    many => format!("{many} fields are not as they must be"),
                },
            );
            problem.errors = invalid.errors;
            return problem;
        }
        match error.kind() {
            ErrorKind::Unsupported => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "no-backend",
                "No backend can run this",
                error.to_string(),
            ),
            ErrorKind::Rejected => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "rejected",
                "The request cannot be executed as it is",
                error.to_string(),
            ),
            ErrorKind::Overloaded => Self::overloaded(error.to_string(), retry_after),
            // Causes may name paths and addresses: they are for the log.
            ErrorKind::Unavailable => {
                log(&error);
                // This one is in our own words, and the caller's.
                if matches!(error, Error::NotYet { .. }) {
                    Self::unavailable(error.to_string(), retry_after)
                } else {
                    Self::unavailable("try again later", retry_after)
                }
            }
            ErrorKind::Internal => {
                log(&error);
                Self::internal()
            }
        }
    }
}

fn log(error: &Error) {
    let mut causes = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        causes.push_str(": ");
        causes.push_str(&error.to_string());
        cause = error.source();
    }
    tracing::error!("{error}{causes}");
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Document {
            kind: format!("urn:sandgate:problem:{}", self.kind),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            errors: &self.errors,
        }
        .serialize(serializer)
    }
}

impl Problem {
    /// The document itself.
    pub(crate) fn to_json(&self) -> String {
        // Strings and numbers always become JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = self.to_json();
        let content_type = (header::CONTENT_TYPE, "application/problem+json");
        let mut response = (self.status, [content_type], body).into_response();
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            let value = HeaderValue::from(seconds.max(1));
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response
    }
}
