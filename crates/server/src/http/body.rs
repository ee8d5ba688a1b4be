//! From a request's body to an [`ExecuteRequest`].

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use sandgate::{ExecuteRequest, FieldError};
use serde_json::{Map, Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::Problem;
use crate::config::HttpConfig;

/// Room is given out in units of this many bytes.
const UNIT: usize = 1_024;

/// Room for bodies: what all requests together may hold in memory.
#[derive(Clone, Debug)]
pub(crate) struct BodyRoom {
    units: Arc<Semaphore>,
    config: HttpConfig,
}

/// A body, and the room it takes until it is dropped.
#[derive(Debug)]
pub(crate) struct HeldBody {
    pub(crate) bytes: Bytes,
    pub(crate) room: OwnedSemaphorePermit,
}

impl BodyRoom {
    pub(crate) fn new(config: HttpConfig) -> Self {
        let units = (config.pending_body_bytes / UNIT).min(Semaphore::MAX_PERMITS);
        Self {
            units: Arc::new(Semaphore::new(units)),
            config,
        }
    }

    /// Reads a whole body, within the limits on size, time and memory.
    pub(crate) async fn read(&self, headers: &HeaderMap, body: Body) -> Result<HeldBody, Problem> {
        let most = self.config.body_bytes;
        let announced = match headers.get(header::CONTENT_LENGTH) {
            // Without a length, assume the worst.
            None => most,
            Some(length) => length
                .to_str()
                .ok()
                .and_then(|length| length.parse().ok())
                .unwrap_or(usize::MAX),
        };
        if announced > most {
            return Err(Problem::too_large(most));
        }
        let units = u32::try_from(announced.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.units).try_acquire_many_owned(units) else {
            return Err(Problem::overloaded(
                "the requests under way have too many bytes together",
                std::time::Duration::from_secs(1),
            ));
        };
        let read = Limited::new(body, most).collect();
        match tokio::time::timeout(self.config.body_timeout, read).await {
            Ok(Ok(collected)) => Ok(HeldBody {
                bytes: collected.to_bytes(),
                room,
            }),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::too_large(most)),
            Ok(Err(_)) => Err(Problem::malformed("the body ended too early", Vec::new())),
            Err(_) => Err(Problem::timed_out_reading()),
        }
    }
}

/// Refuses anything but JSON. A browser sends JSON to another site only if that site agrees, which
/// this service does not: so a web page cannot post snippets to a service on its reader's machine.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = content_type
        .and_then(|value| value.split(';').next())
        .map(str::trim);
    match essence {
        Some(essence) if essence.eq_ignore_ascii_case("application/json") => Ok(()),
        Some(_) | None => Err(Problem::not_json()),
    }
}

/// Reads a request, or says everything that is wrong with its fields.
pub(crate) fn parse(body: &[u8]) -> Result<ExecuteRequest, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        match serde_json::from_slice::<Value>(body) {
            Ok(Value::Object(fields)) => {
                let errors = diagnose(&fields);
                if errors.is_empty() {
                    // Two times the same field, for one.
                    Problem::malformed(error.to_string(), errors)
                } else {
                    Problem::malformed("some fields cannot be read", errors)
                }
            }
            Ok(_) => Problem::malformed("the body must be a JSON object", Vec::new()),
            Err(error) => Problem::malformed(format!("the body is not JSON: {error}"), Vec::new()),
        }
    })
}

/// Most errors that are told at once.
const MAX_ERRORS: usize = 32;

/// Finds every field that cannot be read, by reading each alone in an otherwise good request. So
/// the request type itself stays the only description of a request.
fn diagnose(fields: &Map<String, Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for required in ["language", "code"] {
        if !fields.contains_key(required) {
            errors.push(FieldError::new(required, "is missing"));
        }
    }
    for (name, value) in fields {
        if errors.len() >= MAX_ERRORS {
            break;
        }
        let Err(whole) = read_alone(name, value.clone()) else {
            continue;
        };
        let before = errors.len();
        // A list or an object may have more than one bad member.
        match value {
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    if let Err(error) = read_alone(name, json!([item])) {
                        let rest = error.field.strip_prefix(&format!("{name}[0]"));
                        let field = format!("{name}[{i}]{}", rest.unwrap_or_default());
                        errors.push(FieldError::new(field, error.message));
                    }
                }
            }
            Value::Object(members) => {
                for (member, value) in members {
                    let alone = Map::from_iter([(member.clone(), value.clone())]);
                    errors.extend(read_alone(name, Value::Object(alone)).err());
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        if errors.len() == before {
            errors.push(whole);
        }
    }
    errors.truncate(MAX_ERRORS);
    errors
}

fn read_alone(name: &str, value: Value) -> Result<(), FieldError> {
    let mut request = Map::from_iter([
        ("language".to_owned(), json!("python")),
        ("code".to_owned(), json!("")),
    ]);
    request.insert(name.to_owned(), value);
    match serde_path_to_error::deserialize::<_, ExecuteRequest>(Value::Object(request)) {
        Ok(_) => Ok(()),
        Err(error) => {
            let path = error.path().to_string();
            let field = if path == "." { name.to_owned() } else { path };
            Err(FieldError::new(field, error.into_inner().to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &Value) -> Vec<String> {
        let errors = diagnose(body.as_object().unwrap());
        errors.into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn every_bad_field_is_named() {
        let body = json!({
            "language": "cobol", "code": 1, "tiemout": 1,
            "limits": {"fuel": "x", "memory": 1, "timeout_ms": 5},
            "files": [{"path": "a", "content": ""}, {"path": "b"}, 7],
            "env": {"A": "1", "B": 2}, "seed": -1, "now": "yesterday", "cache": "sometimes",
        });
        let mut found = fields(&body);
        found.sort();
        assert_eq!(
            found,
            [
                "cache",
                "code",
                "env.B",
                "files[1]",
                "files[2]",
                "language",
                "limits.fuel",
                "limits.memory",
                "now",
                "seed",
                "tiemout"
            ]
        );
    }

    #[test]
    fn missing_fields_are_named() {
        assert_eq!(fields(&json!({})), ["language", "code"]);
    }

    #[test]
    fn a_good_request_has_no_errors() {
        let body = json!({"language": "python", "code": "1", "limits": {"fuel": 1}});
        assert!(fields(&body).is_empty());
        assert!(parse(body.to_string().as_bytes()).is_ok());
    }

    #[test]
    fn the_number_of_errors_is_bounded() {
        let many: Map<_, _> = (0..10_000).map(|n| (n.to_string(), json!(n))).collect();
        assert_eq!(diagnose(&many).len(), MAX_ERRORS);
    }
}
