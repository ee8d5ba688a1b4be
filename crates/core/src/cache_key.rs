//! When are two requests the same work?

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Task;

/// BLAKE3 over everything that can change what an execution gives: the tenant's scope, the exact
/// runtime, and the whole task with its limits. Fields are length-prefixed, so different tasks
/// never give the same bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CacheKey([u8; 32]);

/// Changing what goes in, or the order, needs a new version here: keys outlive a process.
const VERSION: &[u8] = b"sandgate cache key v1";

impl CacheKey {
    /// The key of `task` on the runtime with `runtime_digest`, within `scope` (a tenant's name, or
    /// empty).
    pub fn of(task: &Task, runtime_digest: &str, scope: &str) -> Self {
        let mut hash = Canonical(blake3::Hasher::new());
        hash.bytes(VERSION);
        hash.bytes(scope.as_bytes());
        hash.bytes(runtime_digest.as_bytes());
        let Task {
            language,
            code,
            stdin,
            args,
            env,
            files,
            limits,
            seed,
            now,
        } = task;
        hash.bytes(language.as_str().as_bytes());
        hash.bytes(code.as_bytes());
        hash.bytes(stdin);
        hash.number(args.len() as u64);
        for arg in args {
            hash.bytes(arg.as_bytes());
        }
        hash.number(env.len() as u64);
        for (name, value) in env {
            hash.bytes(name.as_bytes());
            hash.bytes(value.as_bytes());
        }
        let mut files: Vec<_> = files.iter().collect();
        files.sort_unstable_by_key(|file| &file.path);
        hash.number(files.len() as u64);
        for file in files {
            hash.bytes(file.path.as_bytes());
            hash.bytes(&file.content);
        }
        let crate::Limits {
            timeout_ms,
            fuel,
            memory_mb,
            output_bytes,
            result_bytes,
            file_bytes,
            files,
        } = *limits;
        for limit in [
            timeout_ms,
            fuel,
            memory_mb.into(),
            output_bytes,
            result_bytes,
            file_bytes,
            files.into(),
        ] {
            hash.number(limit);
        }
        hash.optional(seed.map(u64::to_le_bytes).as_ref().map(|b| b.as_slice()));
        hash.optional(
            now.map(|t| t.as_nanosecond().to_le_bytes())
                .as_ref()
                .map(|b| b.as_slice()),
        );
        Self(*hash.0.finalize().as_bytes())
    }

    /// The key in lower-case hex.
    pub fn to_hex(self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    /// The key's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CacheKey({})", self.to_hex())
    }
}

struct Canonical(blake3::Hasher);

impl Canonical {
    fn number(&mut self, value: u64) {
        self.0.update(&value.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    fn optional(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => self.number(0),
            Some(bytes) => {
                self.number(1);
                self.bytes(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ExecuteRequest, InputFile, RequestRules};
    use bytes::Bytes;

    fn task(change: impl FnOnce(&mut ExecuteRequest)) -> Task {
        let mut request = ExecuteRequest::python("print(1)");
        change(&mut request);
        RequestRules::default().task(request).unwrap()
    }

    #[test]
    fn golden_values() {
        // A release that changes one of these must change VERSION with it: keys are names of
        // objects in the cache's second tier.
        let file = InputFile {
            path: "a/b".into(),
            content: Bytes::from_static(b"\xff"),
        };
        let limits = crate::RequestedLimits {
            timeout_ms: Some(1),
            fuel: Some(2),
            memory_mb: Some(3),
            output_bytes: Some(4),
            result_bytes: Some(5),
            file_bytes: Some(6),
            files: Some(7),
        };
        for (task, golden) in [
            (
                task(|_| ()),
                "abf856512c0972cc78f85b6146e42e4443dd9f842578daf812bf8d91017da928",
            ),
            (
                task(|r| {
                    r.language = crate::Language::JavaScript;
                    r.stdin = "in".into();
                    r.args = vec!["a".into(), "b".into()];
                    r.env = [("A".to_owned(), "1".to_owned())].into();
                    r.files = vec![file];
                }),
                "3a10377ec3e46f0b37770b12660df322b77be147d11617be50bed78b68611b88",
            ),
            (
                task(|r| r.limits = limits),
                "849ee07af051146080f299dba5665d99cddef5040dcd63b496feb2a99fa05607",
            ),
            (
                task(|r| {
                    r.seed = Some(7);
                    r.now = Some("2026-01-31T12:00:00.000000001Z".parse().unwrap());
                }),
                "1542a3b5ff6addd7b615f744567d0b0ccee4e7ce50ee92d45f31d32bf1b97ac6",
            ),
        ] {
            assert_eq!(CacheKey::of(&task, "digest", "tenant").to_hex(), golden);
        }
    }

    #[test]
    fn every_field_changes_the_key() {
        let file = |path: &str, content: &'static str| InputFile {
            path: path.into(),
            content: Bytes::from_static(content.as_bytes()),
        };
        let base = CacheKey::of(&task(|_| ()), "d", "");
        let mut keys = vec![
            base,
            CacheKey::of(&task(|_| ()), "d", "t"),
            CacheKey::of(&task(|_| ()), "e", ""),
        ];
        let changed: Vec<Task> = vec![
            task(|r| r.language = crate::Language::JavaScript),
            task(|r| r.code.push(' ')),
            task(|r| r.stdin = "1".into()),
            task(|r| r.args = vec!["ab".into()]),
            task(|r| r.args = vec!["a".into(), "b".into()]),
            task(|r| r.env = [("a".to_owned(), "b".to_owned())].into()),
            task(|r| r.env = [("ab".to_owned(), String::new())].into()),
            task(|r| r.files = vec![file("a", "b")]),
            task(|r| r.files = vec![file("ab", "")]),
            task(|r| r.limits.fuel = Some(7)),
            task(|r| r.limits.timeout_ms = Some(7)),
            task(|r| r.limits.memory_mb = Some(7)),
            task(|r| r.limits.output_bytes = Some(7)),
            task(|r| r.seed = Some(0)),
            task(|r| r.seed = Some(1)),
            task(|r| r.now = Some(jiff::Timestamp::UNIX_EPOCH)),
        ];
        keys.extend(changed.iter().map(|task| CacheKey::of(task, "d", "")));
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn order_of_files_does_not_matter() {
        let file = |path: &str| InputFile {
            path: path.into(),
            content: Bytes::new(),
        };
        let one = task(|r| r.files = vec![file("a"), file("b")]);
        let two = task(|r| r.files = vec![file("b"), file("a")]);
        assert_eq!(CacheKey::of(&one, "d", ""), CacheKey::of(&two, "d", ""));
    }
}
