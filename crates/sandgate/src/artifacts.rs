//! A last look at the files an executor hands back.

use std::collections::BTreeSet;

use sandgate_core::{Outcome, check_relative_path};

/// Drops artifacts that no directory or bucket could hold under their name, or that would take
/// one another's place, and says so in `truncated`.
///
/// Executors check this themselves. But a worker that a guest has taken over may say anything, and
/// an object that cannot be stored would hold up everybody's delivery.
pub(crate) fn refuse_unsafe(outcome: &mut Outcome) {
    if outcome.artifacts.is_empty() {
        return;
    }
    let mut files = BTreeSet::new();
    let mut folders = BTreeSet::new();
    let before = outcome.artifacts.len();
    outcome.artifacts.retain(|artifact| {
        let path = &artifact.path;
        let parents = || path.match_indices('/').map(|(at, _)| &path[..at]);
        let fits = check_relative_path(path).is_ok()
            && !files.contains(path)
            && !folders.contains(path)
            && !parents().any(|parent| files.contains(parent));
        if fits {
            files.insert(path.clone());
            folders.extend(parents().map(str::to_owned));
        }
        fits
    });
    let dropped = before - outcome.artifacts.len();
    if dropped > 0 {
        tracing::warn!(dropped, "an executor handed back files with unsafe names");
        outcome.truncated.artifacts = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::artifact;
    use sandgate_core::Status;

    #[test]
    fn unsafe_names_and_clashes_are_dropped() {
        let mut outcome = Outcome::empty(Status::Ok);
        outcome.artifacts = ["a/b", "../x", "/y", "a", "c", "c/d", "c", "a/e", "", "z\0"]
            .into_iter()
            .map(|path| artifact(path, "content"))
            .collect();
        refuse_unsafe(&mut outcome);
        let left: Vec<_> = outcome.artifacts.iter().map(|a| a.path.as_str()).collect();
        assert_eq!(left, ["a/b", "c", "a/e"]);
        assert!(outcome.truncated.artifacts);
    }
}
