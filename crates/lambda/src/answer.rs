//! From a runner's answer to an outcome.
//!
//! The runner keeps snippets to their limits. But one that a snippet has taken over may answer
//! anything, so an outcome is checked like a stranger's: what no runner could have made of the task
//! is refused.

use sandgate_core::{Artifact, GuestError, Limits, Observed, Outcome, Status, check_relative_path};
/// Most results, types in one, and bytes of each text of an error.
const MAX_RESULTS: usize = 16_384;
const MAX_TYPES: usize = 32;
const MAX_ERROR_TEXT: usize = 256 << 10;
/// What a byte may take in JSON: a control character becomes six.
const ESCAPED: u64 = 6;
/// Room for names, numbers and punctuation: of all, and of each file.
const SLACK: u64 = 4 << 20;
const FILE_SLACK: u64 = 8 << 10;

/// Something in an outcome that no runner could have made of the task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the runner's answer is implausible: {0}")]
pub(crate) struct Implausible(&'static str);

/// The most bytes of JSON that an outcome may have for a task under `limits`.
pub(crate) fn allowed(limits: &Limits) -> u64 {
    let texts = limits
        .output_bytes
        .saturating_mul(2)
        .saturating_add(limits.result_bytes)
        .saturating_add(limits.file_bytes);
    texts
        .saturating_mul(ESCAPED)
        .saturating_add(u64::from(limits.files) * FILE_SLACK)
        .saturating_add(SLACK)
}

/// Checks `outcome` against what was granted. Digests and media types are worked out anew.
pub(crate) fn checked(mut outcome: Outcome, limits: &Limits) -> Result<Outcome, Implausible> {
    let refuse = |what| Err(Implausible(what));
    match outcome.status {
        Status::Ok if outcome.exit_code != Some(0) => {
            return refuse("a success without exit code 0");
        }
        Status::Cancelled => return refuse("an execution cancelled that nobody cancelled"),
        Status::FuelExhausted => return refuse("fuel used up, which Lambda does not meter"),
        Status::Ok
        | Status::Error
        | Status::Timeout
        | Status::OutOfMemory
        | Status::OutputLimit
        | Status::Crashed => {}
    }
    if [&outcome.stdout, &outcome.stderr]
        .iter()
        .any(|stream| !within(stream.len(), limits.output_bytes))
    {
        return refuse("more bytes of output than were granted");
    }
    let bundles = &outcome.results;
    let texts = bundles.iter().flatten();
    let result_bytes: usize = texts.map(|(name, value)| name.len() + value.len()).sum();
    if !within(result_bytes, limits.result_bytes)
        || bundles.len() > MAX_RESULTS
        || bundles.iter().any(|bundle| bundle.len() > MAX_TYPES)
    {
        return refuse("more results than were granted");
    }
    let file_bytes: usize = outcome
        .artifacts
        .iter()
        .map(|file| file.content.len())
        .sum();
    if !within(file_bytes, limits.file_bytes)
        || !within(outcome.artifacts.len(), limits.files.into())
    {
        return refuse("more files than were granted");
    }
    outcome
        .artifacts
        .sort_by(|one, other| one.path.cmp(&other.path));
    let twice = outcome
        .artifacts
        .windows(2)
        .any(|two| two[0].path == two[1].path);
    let safe = |file: &Artifact| check_relative_path(&file.path).is_ok();
    if twice || !outcome.artifacts.iter().all(safe) {
        return refuse("a file under a path that none can have");
    }
    for artifact in &mut outcome.artifacts {
        let path = std::mem::take(&mut artifact.path);
        *artifact = Artifact::new(path, std::mem::take(&mut artifact.content));
    }
    if let Some(GuestError {
        kind,
        message,
        traceback,
        line: _,
    }) = &mut outcome.error
    {
        for text in [kind, message, traceback] {
            text.truncate(text.floor_char_boundary(MAX_ERROR_TEXT));
        }
    }
    // Nothing watches clock and entropy there.
    outcome.observed = Observed {
        clock: true,
        entropy: true,
    };
    outcome.usage.peak_memory_bytes = outcome
        .usage
        .peak_memory_bytes
        .min(u64::from(limits.memory_mb) << 20);
    Ok(outcome)
}

fn within(count: usize, limit: u64) -> bool {
    u64::try_from(count).is_ok_and(|count| count <= limit)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn limits() -> Limits {
        Limits {
            output_bytes: 10,
            result_bytes: 20,
            file_bytes: 30,
            files: 2,
            memory_mb: 1,
            ..Limits::DEFAULT
        }
    }

    fn artifact(path: &str, bytes: usize) -> Artifact {
        Artifact {
            path: path.to_owned(),
            content: vec![0; bytes].into(),
            sha256: "of the runner".to_owned(),
            media_type: "text/plain\r\nx: y".to_owned(),
        }
    }

    fn plausible() -> Outcome {
        let mut outcome = Outcome::empty(Status::Ok);
        outcome.exit_code = Some(0);
        outcome.stdout = vec![b'x'; 10].into();
        outcome.results = vec![BTreeMap::from([("text/plain".to_owned(), "1".to_owned())])];
        outcome.artifacts = vec![artifact("b", 10), artifact("a/b", 20)];
        outcome.usage.peak_memory_bytes = u64::MAX;
        outcome
    }

    #[test]
    fn a_plausible_outcome_is_put_right() {
        let outcome = checked(plausible(), &limits()).unwrap();
        let paths: Vec<_> = outcome.artifacts.iter().map(|a| a.path.as_str()).collect();
        assert_eq!(paths, ["a/b", "b"]);
        let file = &outcome.artifacts[0];
        assert_eq!(*file, Artifact::new("a/b".to_owned(), vec![0; 20].into()));
        assert_eq!(outcome.usage.peak_memory_bytes, 1 << 20);
        assert!(!outcome.is_reproducible());
    }

    #[test]
    fn what_no_runner_could_have_made_is_refused() {
        let changes: [fn(&mut Outcome); 12] = [
            |o| o.exit_code = None,
            |o| o.status = Status::Cancelled,
            |o| o.status = Status::FuelExhausted,
            |o| o.stdout = vec![0; 11].into(),
            |o| o.stderr = vec![0; 11].into(),
            |o| o.results[0].extend([("text/html".to_owned(), "x".repeat(20))]),
            |o| o.results = vec![BTreeMap::new(); MAX_RESULTS + 1],
            |o| o.artifacts.push(artifact("c", 0)),
            |o| o.artifacts[0].content = vec![0; 11].into(),
            |o| o.artifacts[0].path = "../b".to_owned(),
            |o| o.artifacts[0].path = "a/b".to_owned(),
            |o| o.artifacts[0].path = "/etc/passwd".to_owned(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut outcome = plausible();
            change(&mut outcome);
            assert!(checked(outcome, &limits()).is_err(), "change {number}");
        }
    }

    #[test]
    fn whatever_is_within_limits_may_be_stored() {
        let mut outcome = plausible();
        outcome.stdout = vec![1; 10].into();
        outcome.stderr = vec![0xff; 10].into();
        let long = "ü".repeat(MAX_ERROR_TEXT);
        outcome.error = Some(GuestError {
            kind: long.clone(),
            message: long.clone(),
            traceback: long,
            line: None,
        });
        let outcome = checked(outcome, &limits()).unwrap();
        let json = serde_json::to_vec(&outcome).unwrap();
        assert!(json.len() as u64 <= allowed(&limits()));
        assert!(outcome.error.unwrap().message.len() <= MAX_ERROR_TEXT);
    }
}
