//! The files a guest left: what is new or changed in the work directory.

use std::collections::HashMap;
use std::fmt::Write as _;

use bytes::Bytes;
use sandgate_core::{Artifact, TaskFile, check_relative_path};
use sha2::{Digest as _, Sha256};

use crate::host::{Files, Kind, NodeId};

/// Takes the artifacts out of `files`, sorted by path, and says whether any had to stay behind:
/// for a name that is not safe outside, or because all together are more than `limit` bytes
/// (files may have several names).
pub(crate) fn collect(mut files: Files, inputs: &[TaskFile], limit: u64) -> (Vec<Artifact>, bool) {
    let inputs: HashMap<&str, &Bytes> = inputs
        .iter()
        .map(|input| (input.path.as_str(), &input.content))
        .collect();
    let (found, mut truncated) = names(&files);
    let mut artifacts = Vec::new();
    let mut left = limit;
    for (path, id) in found {
        let Some(content) = files.tree.take_content(id) else {
            continue;
        };
        let content = content.into_bytes();
        if inputs
            .get(path.as_str())
            .is_some_and(|input| same(input, &content))
        {
            continue;
        }
        match left.checked_sub(content.len() as u64) {
            Some(rest) => left = rest,
            None => {
                truncated = true;
                continue;
            }
        }
        artifacts.push(Artifact {
            sha256: sha256_hex(&content),
            media_type: media_type(&path, &content),
            path,
            content,
        });
    }
    (artifacts, truncated)
}

/// The safe paths of all files below the work directory, sorted, and whether there are others.
fn names(files: &Files) -> (Vec<(String, NodeId)>, bool) {
    let mut found = Vec::new();
    let mut truncated = false;
    let mut open = vec![(String::new(), files.tree.work())];
    while let Some((path, id)) = open.pop() {
        let Ok(directory) = files.tree.directory(id) else {
            continue;
        };
        for (_, name, node) in directory.entries_after(0) {
            let path = match path.as_str() {
                "" => name.to_owned(),
                above => format!("{above}/{name}"),
            };
            let is_safe = check_relative_path(&path).is_ok();
            match files.tree.node(node).map(|node| &node.kind) {
                Ok(Kind::File(_)) if is_safe => found.push((path, node)),
                Ok(Kind::Directory(_)) if is_safe => open.push((path, node)),
                Ok(Kind::File(_)) => truncated = true,
                // What is below has no safe path either.
                Ok(Kind::Directory(below)) => {
                    truncated |= below.entries_after(0).next().is_some();
                }
                Ok(Kind::Symlink(_) | Kind::Null) | Err(_) => {}
            }
        }
    }
    found.sort();
    (found, truncated)
}

/// Whether a file is as it came. One that was never written to is the very same memory.
fn same(input: &Bytes, content: &Bytes) -> bool {
    (input.as_ptr() == content.as_ptr() && input.len() == content.len()) || input == content
}

/// The SHA-256 of `content`, in lower-case hex.
pub(crate) fn sha256_hex(content: &[u8]) -> String {
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
pub(crate) fn media_type(path: &str, content: &[u8]) -> String {
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
