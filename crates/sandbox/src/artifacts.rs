//! The files a guest left: what is new or changed in the work directory.

use std::collections::HashMap;

use bytes::Bytes;
use sandgate_core::{TaskFile, check_relative_path};

use crate::host::{Files, Kind, NodeId};

/// Takes the artifacts out of `files`, sorted by path, and says whether any had to stay behind:
/// for a name that is not safe outside, or because all together are more than `limit` bytes
/// (files may have several names).
pub(crate) fn collect(mut files: Files, inputs: &[TaskFile], limit: u64) -> (Vec<TaskFile>, bool) {
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
        artifacts.push(TaskFile { path, content });
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
