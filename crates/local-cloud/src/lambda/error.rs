//! The errors of the Invoke API.

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;

use super::api::request_id;
use super::slots::Throttled;

/// An error of the service, in the form that SDKs read.
#[derive(Debug)]
pub(super) struct Error {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// The `ThrottleReason`.
    reason: Option<&'static str>,
}

impl Error {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            reason: None,
        }
    }

    pub(super) fn parameter(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "InvalidParameterValueException",
            message,
        )
    }

    pub(super) fn service(message: &str) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "ServiceException",
            message,
        )
    }

    pub(super) fn throttled(throttled: Throttled) -> Self {
        Self::too_many(throttled.reason)
    }

    pub(super) fn too_many(reason: &'static str) -> Self {
        let mut error = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequestsException",
            "Rate Exceeded.",
        );
        error.reason = Some(reason);
        error
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let kind = if self.status.is_server_error() {
            "Service"
        } else {
            "User"
        };
        // Some of the SDK's errors read `message`, some `Message`.
        let mut document = json!({"Type": kind, "message": self.message, "Message": self.message});
        if let Some(reason) = self.reason {
            document["Reason"] = json!(reason);
        }
        let mut headers = request_id(&Uuid::new_v4().to_string());
        headers.insert(
            HeaderName::from_static("x-amzn-errortype"),
            HeaderValue::from_static(self.code),
        );
        (self.status, headers, axum::Json(document)).into_response()
    }
}
