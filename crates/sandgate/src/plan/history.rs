//! What the same code did before.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use sandgate_core::{Language, Status};

/// So many codes are remembered.
const CODES: u64 = 10_000;
/// So long. Afterwards the code is tried where it would run as if it were new: its input, or what
/// a backend has, may have changed.
const TIME_TO_LIVE: Duration = Duration::from_secs(3_600);

/// Names a snippet: its language and its code, within the scope that may know of it. What one
/// tenant's code did is never told to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CodeKey {
    language: Language,
    code: [u8; 32],
    scope: Arc<str>,
}

impl CodeKey {
    pub(crate) fn new(language: Language, code: &str, scope: &Arc<str>) -> Self {
        Self {
            language,
            code: *blake3::hash(code.as_bytes()).as_bytes(),
            scope: Arc::clone(scope),
        }
    }

    /// The hash of the code.
    pub(crate) fn hash(&self) -> &[u8; 32] {
        &self.code
    }
}

/// Why the sandbox was the wrong place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It ran out of time, fuel or memory.
    RanOut(Status),
    /// A module was missing that another backend has.
    Missing(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RanOut(Status::Timeout) => f.write_str("ran out of time"),
            Self::RanOut(Status::FuelExhausted) => f.write_str("ran out of fuel"),
            Self::RanOut(Status::OutOfMemory) => f.write_str("ran out of memory"),
            Self::RanOut(other) => write!(f, "ended as {}", other.as_str()),
            Self::Missing(module) => write!(f, "lacked the module {module}"),
        }
    }
}

/// What is remembered of one snippet.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Past {
    /// What went wrong in the sandbox.
    pub(crate) trouble: Option<Trouble>,
    /// What it took on Lambda, in milliseconds.
    pub(crate) lambda_ms: Option<f64>,
}

/// What each code did last time: bounded, and forgotten after a while.
#[derive(Debug)]
pub(crate) struct History {
    past: Cache<CodeKey, Arc<Past>>,
}

impl Default for History {
    fn default() -> Self {
        let past = Cache::builder()
            .max_capacity(CODES)
            .time_to_live(TIME_TO_LIVE)
            .build();
        Self { past }
    }
}

impl History {
    pub(crate) fn of(&self, code: &CodeKey) -> Option<Arc<Past>> {
        self.past.get(code)
    }

    /// The sandbox was the wrong place for it.
    pub(crate) fn failed_in_sandbox(&self, code: &CodeKey, trouble: Trouble) {
        self.change(code, |past| past.trouble = Some(trouble));
    }

    /// It came to its end in the sandbox: whatever was, is over.
    pub(crate) fn ran_in_sandbox(&self, code: &CodeKey) {
        // Nearly always there is nothing to forget, and looking costs less than changing.
        if self.of(code).is_some_and(|past| past.trouble.is_some()) {
            self.change(code, |past| past.trouble = None);
        }
    }

    /// It took `ms` milliseconds on Lambda.
    pub(crate) fn ran_on_lambda(&self, code: &CodeKey, ms: f64) {
        self.change(code, |past| past.lambda_ms = Some(ms));
    }

    fn change(&self, code: &CodeKey, change: impl FnOnce(&mut Past)) {
        // Two changes at once: one is lost, and made again next time.
        let mut past = self.of(code).as_deref().cloned().unwrap_or_default();
        change(&mut past);
        self.past.insert(code.clone(), Arc::new(past));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_remembered_within_its_scope() {
        let history = History::default();
        let (mine, yours) = (Arc::from("mine"), Arc::from("yours"));
        let code = CodeKey::new(Language::Python, "1", &mine);
        assert_eq!(history.of(&code), None);
        history.failed_in_sandbox(&code, Trouble::RanOut(Status::FuelExhausted));
        history.ran_on_lambda(&code, 7.0);
        let past = history.of(&code).unwrap();
        assert_eq!(past.lambda_ms, Some(7.0));
        assert_eq!(
            past.trouble.as_ref().unwrap().to_string(),
            "ran out of fuel"
        );
        for other in [
            CodeKey::new(Language::Python, "1", &yours),
            CodeKey::new(Language::R, "1", &mine),
            CodeKey::new(Language::Python, "2", &mine),
        ] {
            assert_eq!(history.of(&other), None);
        }
        history.ran_in_sandbox(&code);
        assert_eq!(history.of(&code).unwrap().trouble, None);
    }

    #[test]
    fn the_number_of_codes_is_bounded() {
        let history = History::default();
        let scope: Arc<str> = Arc::from("");
        for n in 0..2 * CODES {
            let code = CodeKey::new(Language::Python, &n.to_string(), &scope);
            history.ran_on_lambda(&code, 1.0);
        }
        history.past.run_pending_tasks();
        assert!(history.past.entry_count() <= CODES);
    }
}
