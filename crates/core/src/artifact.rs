//! What is known of a file by its name and content.

use std::fmt::Write as _;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::Artifact;

impl Artifact {
    /// The file at `path`, with its digest and media type.
    pub fn new(path: String, content: Bytes) -> Self {
        Self {
            sha256: sha256_hex(&content),
            media_type: media_type(&path, &content),
            path,
            content,
        }
    }
}

/// The SHA-256 of `content`, in lower-case hex.
fn sha256_hex(content: &[u8]) -> String {
    Sha256::digest(content)
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// How a file with a known format starts.
const MAGIC: [(&[u8], &str); 7] = [
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"<svg", "image/svg+xml"),
    (b"<!DOCTYPE html", "text/html"),
    (b"<html", "text/html"),
];

/// The media type by the name; where that says nothing, by how the content starts.
fn media_type(path: &str, content: &[u8]) -> String {
    if let Some(guess) = mime_guess::from_path(path).first_raw() {
        return guess.to_owned();
    }
    let magic = MAGIC.iter().find(|(start, _)| content.starts_with(start));
    let start = content.get(..content.len().min(4_096)).unwrap_or_default();
    let guess = match magic {
        Some((_, kind)) => kind,
        None if !start.is_empty() && is_text(start) => "text/plain",
        None => "application/octet-stream",
    };
    guess.to_owned()
}

fn is_text(start: &[u8]) -> bool {
    let valid = match std::str::from_utf8(start) {
        Ok(_) => true,
        // A character may be cut at the end of what is looked at.
        Err(error) => error.error_len().is_none() && error.valid_up_to() > 0,
    };
    valid && !start.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_by_name_then_by_content() {
        for (path, content, expected) in [
            ("a.csv", &b"1,2"[..], "text/csv"),
            ("plot.png", b"", "image/png"),
            ("plot", b"\x89PNG\r\n\x1a\n....", "image/png"),
            ("notes", "ü".as_bytes(), "text/plain"),
            ("blob", b"\0\x01", "application/octet-stream"),
            ("empty", b"", "application/octet-stream"),
        ] {
            assert_eq!(media_type(path, content), expected, "{path}");
        }
    }

    #[test]
    fn digests_are_lower_case_hex() {
        assert_eq!(
            sha256_hex(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
