//! Files that guests left. A guest chose the name, the bytes and so the media type of each: a
//! browser must never run one as a page of this service.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sandgate::{Download, StoredFile};

use super::problem::Problem;

/// How long a URL of the store's is good for: enough to follow a redirect.
const URL_VALIDITY: Duration = Duration::from_secs(300);

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
    let (content_type, disposition) = presentation(&file.media_type, path);
    set(header::CONTENT_TYPE, &content_type);
    set(header::CONTENT_DISPOSITION, &disposition);
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

/// How a store is to serve a file whose name ends `path`: like [`respond`] does, as far as it can.
pub(crate) fn download(media_type: &str, path: &str) -> Download {
    let (content_type, content_disposition) = presentation(media_type, path);
    Download {
        validity: URL_VALIDITY,
        content_type,
        content_disposition,
    }
}

/// Answers with a redirect to `url`.
pub(crate) fn redirect(url: &str) -> Result<Response<Body>, Problem> {
    let location = HeaderValue::from_str(url).map_err(|_| Problem::internal())?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, location);
    // The URL is a right to read for whoever has it, and ends soon.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `Content-Type` and `Content-Disposition` of a file whose name ends `path`.
fn presentation(media_type: &str, path: &str) -> (String, String) {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let shown = SHOWN.contains(&essence);
    let content_type = if shown && essence.starts_with("text/") {
        format!("{essence}; charset=utf-8")
    } else if is_media_type(essence) {
        essence.to_owned()
    } else {
        "application/octet-stream".to_owned()
    };
    let name = path.rsplit('/').next().unwrap_or(path);
    let disposition = if shown { "inline" } else { "attachment" };
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    (
        content_type,
        format!("{disposition}; filename*=UTF-8''{name}"),
    )
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
