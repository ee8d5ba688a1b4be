//! What a guest reports besides text: results and its uncaught error.

use serde::Deserialize;

use crate::{GuestError, MimeBundle};

/// How many results an execution may report.
const MAX_RESULTS: usize = 1_024;
/// How many representations one result may have.
const MAX_TYPES: usize = 64;
/// The longest MIME type.
const MAX_TYPE_BYTES: usize = 255;

/// The largest error report that is read at all. Guests cut theirs well below.
const MAX_ERROR_REPORT: usize = 8 << 20;
const MAX_KIND: usize = 256;
const MAX_MESSAGE: usize = 16 << 10;
const MAX_TRACEBACK: usize = 64 << 10;

/// The error as a guest writes it. Unlike [`GuestError`]'s own form, `line` may be anything that
/// is not a line.
#[derive(Deserialize)]
struct RawError {
    #[serde(rename = "type")]
    kind: String,
    message: String,
    #[serde(default)]
    traceback: String,
    #[serde(default)]
    line: Option<i64>,
    #[serde(default)]
    out_of_memory: Option<bool>,
}

/// What a guest reported. Everything in it is the guest's and checked as it comes.
#[derive(Debug)]
pub struct GuestReport {
    /// The results that fit, in order.
    pub results: Vec<MimeBundle>,
    /// Whether results were dropped.
    pub truncated: bool,
    /// The uncaught error.
    pub error: Option<GuestError>,
    /// Whether that is the very error that the interpreter raised when it was refused memory.
    /// `None` from a guest that cannot tell it from one of the same name.
    pub out_of_memory: Option<bool>,
    left: u64,
}

impl GuestReport {
    /// Keeps results of at most `limit` bytes together.
    pub fn new(limit: u64) -> Self {
        Self {
            results: Vec::new(),
            truncated: false,
            error: None,
            out_of_memory: None,
            left: limit,
        }
    }

    /// Takes a result: a JSON object of strings. One that does not fit, or is something else, is
    /// dropped and counts as truncated.
    pub fn result(&mut self, json: &[u8]) {
        match self.parse_result(json) {
            Some((bundle, size)) => {
                self.left -= size;
                self.results.push(bundle);
            }
            None => self.truncated = true,
        }
    }

    fn parse_result(&self, json: &[u8]) -> Option<(MimeBundle, u64)> {
        // JSON may write a byte as six (`\u0000`): what is longer cannot fit.
        if self.results.len() >= MAX_RESULTS || json.len() as u64 > self.left.saturating_mul(6) {
            return None;
        }
        let bundle: MimeBundle = serde_json::from_slice(json).ok()?;
        let shaped = bundle.len() <= MAX_TYPES
            && bundle
                .keys()
                .all(|kind| !kind.is_empty() && kind.len() <= MAX_TYPE_BYTES);
        let size: u64 = bundle
            .iter()
            .map(|(kind, text)| (kind.len() + text.len()) as u64)
            .sum();
        (shaped && !bundle.is_empty() && size <= self.left).then_some((bundle, size))
    }

    /// Takes the uncaught error. The last one counts.
    pub fn error(&mut self, json: &[u8]) {
        let (error, out_of_memory) = parse_error(json);
        self.error = Some(error);
        self.out_of_memory = out_of_memory;
    }
}

fn parse_error(json: &[u8]) -> (GuestError, Option<bool>) {
    let raw = if json.len() > MAX_ERROR_REPORT {
        Err("it is too large".to_owned())
    } else {
        serde_json::from_slice::<RawError>(json).map_err(|error| error.to_string())
    };
    match raw {
        Ok(raw) => (
            GuestError {
                kind: cut(raw.kind, MAX_KIND),
                message: cut(raw.message, MAX_MESSAGE),
                traceback: cut(raw.traceback, MAX_TRACEBACK),
                line: raw
                    .line
                    .and_then(|line| u32::try_from(line).ok())
                    .filter(|line| *line > 0),
            },
            raw.out_of_memory,
        ),
        Err(reason) => (
            GuestError {
                kind: "Error".to_owned(),
                message: format!("the guest's error report cannot be read: {reason}"),
                traceback: String::new(),
                line: None,
            },
            None,
        ),
    }
}

/// Cuts the middle out of a text over `limit` bytes: how a traceback starts and how it ends is
/// what helps.
fn cut(mut text: String, limit: usize) -> String {
    if text.len() <= limit {
        return text;
    }
    let head = text.floor_char_boundary(limit / 4);
    let tail = text.ceil_char_boundary(text.len() - (limit - limit / 4));
    let dropped = tail - head;
    text.replace_range(head..tail, &format!("\n… {dropped} bytes left out …\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_over_the_limit_are_dropped_whole() {
        let mut report = GuestReport::new(40);
        report.result(br#"{"text/plain": "1234567890"}"#);
        assert!(!report.truncated);
        report.result(br#"{"text/plain": "12345678901"}"#);
        report.result(br#"{"text/plain": "12"}"#);
        assert!(report.truncated);
        assert_eq!(report.results.len(), 2);
    }

    #[test]
    fn what_is_no_bundle_is_dropped() {
        for json in [
            &b"[]"[..],
            b"{}",
            b"{\"a\": 1}",
            b"{\"a\": {\"b\": \"c\"}}",
            b"\xff",
            b"",
            b"{\"\": \"x\"}",
        ] {
            let mut report = GuestReport::new(1_000);
            report.result(json);
            assert!(report.truncated && report.results.is_empty(), "{json:?}");
        }
        let mut report = GuestReport::new(1_000_000);
        report.result("[".repeat(100_000).as_bytes());
        assert!(report.truncated);
        let mut report = GuestReport::new(1_000_000);
        (0..2_000).for_each(|_| report.result(b"{\"a\":\"\"}"));
        assert_eq!(report.results.len(), MAX_RESULTS);
    }

    #[test]
    fn errors_are_cut_in_the_middle() {
        let traceback = format!("first{}last ü", "é".repeat(100_000));
        let json =
            serde_json::json!({"type": "E", "message": "m", "traceback": traceback, "line": 3});
        let (error, _) = parse_error(json.to_string().as_bytes());
        assert!(error.traceback.len() < MAX_TRACEBACK + 100);
        assert!(error.traceback.starts_with("first") && error.traceback.ends_with("last ü"));
        assert_eq!(error.line, Some(3));
    }

    #[test]
    fn unreadable_errors_are_still_errors() {
        for json in [&b"{}"[..], b"null", b"\xff\xfe"] {
            assert_eq!(parse_error(json).0.kind, "Error");
        }
        let (odd, _) = parse_error(br#"{"type": "E", "message": "m", "line": -1}"#);
        assert_eq!((odd.kind.as_str(), odd.line), ("E", None));
    }

    #[test]
    fn the_last_report_says_whether_memory_ran_out() {
        let mut report = GuestReport::new(0);
        for (said, expected) in [
            ("", None),
            (", \"out_of_memory\": true", Some(true)),
            (", \"out_of_memory\": false", Some(false)),
            (", \"out_of_memory\": null", None),
        ] {
            report.error(format!(r#"{{"type": "E", "message": "m"{said}}}"#).as_bytes());
            assert_eq!(report.out_of_memory, expected);
        }
    }
}
