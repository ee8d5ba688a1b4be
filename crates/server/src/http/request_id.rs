//! Request ids: the client's own if it is sane, a new one otherwise, always in the answer.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Response};
use axum::middleware::Next;
use sandgate::Uuid;
use tracing::Instrument as _;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const MAX_LENGTH: usize = 64;

pub(super) async fn layer(request: Request, next: Next) -> Response<Body> {
    let id = match request.headers().get(HEADER) {
        Some(given) if is_sane(given) => given.clone(),
        Some(_) | None => new(),
    };
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default());
    let mut response = next.run(request).instrument(span).await;
    response.headers_mut().insert(HEADER, id);
    response
}

/// Ids end up in logs: only characters that mean nothing there.
fn is_sane(id: &HeaderValue) -> bool {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
    (1..=MAX_LENGTH).contains(&id.len()) && id.as_bytes().iter().all(plain)
}

fn new() -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    let id = Uuid::now_v7().simple().encode_lower(&mut text);
    HeaderValue::from_str(id).unwrap_or_else(|_| HeaderValue::from_static("none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_ids_are_taken_over() {
        for (id, sane) in [
            ("abc-1_2.3", true),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            (&"a".repeat(65), false),
        ] {
            assert_eq!(is_sane(&HeaderValue::from_str(id).unwrap()), sane, "{id}");
        }
    }
}
