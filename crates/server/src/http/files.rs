//! Files that guests left. A guest chose the name, the bytes and so the media type of each: a
//! browser must never run one as a page of this service.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sandgate::StoredFile;

/// Types that browsers show without running anything in them.
const SHOWN: [&str; 8] = [
    "application/json",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/csv",
    "text/markdown",
    "text/plain",
];

/// Answers with `file`, whose name ends `path`.
pub(crate) fn respond(file: StoredFile, path: &str, request: &HeaderMap) -> Response<Body> {
    let etag = format!("\"{}\"", file.sha256);
    let known = request
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|tags| {
            tags.split(',')
                .any(|tag| [&etag, "*"].contains(&tag.trim()))
        });
    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::ETAG, &etag);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; sandbox",
    );
    set(header::CACHE_CONTROL, "private, no-cache");
    let essence = file.media_type.split(';').next().unwrap_or_default().trim();
    let shown = SHOWN.contains(&essence);
    if shown && essence.starts_with("text/") {
        set(header::CONTENT_TYPE, &format!("{essence}; charset=utf-8"));
    } else if is_media_type(essence) {
        set(header::CONTENT_TYPE, essence);
    } else {
        set(header::CONTENT_TYPE, "application/octet-stream");
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    let disposition = if shown { "inline" } else { "attachment" };
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    set(
        header::CONTENT_DISPOSITION,
        &format!("{disposition}; filename*=UTF-8''{name}"),
    );
    let (status, body) = if known {
        (StatusCode::NOT_MODIFIED, Body::empty())
    } else {
        set(header::CONTENT_LENGTH, &file.content.len().to_string());
        (StatusCode::OK, Body::from(file.content))
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Whether `text` is `type/subtype`, well-formed.
fn is_media_type(text: &str) -> bool {
    let token = |part: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
        !part.is_empty() && part.bytes().all(allowed)
    };
    text.split_once('/')
        .is_some_and(|(kind, sub)| token(kind) && token(sub))
}
