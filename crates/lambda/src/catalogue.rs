//! What the function has to offer, as it last said itself.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use sandgate_core::{BackendKind, ErrorKind, ExecutorError, Runtime};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

/// Most languages that a runner may describe.
const MAX_RUNTIMES: usize = 64;

/// The function's runtimes, once they are known.
#[derive(Debug)]
pub(crate) struct Catalogue {
    known: RwLock<Known>,
    file: Option<PathBuf>,
    target: String,
    /// Notified when the function should be asked, or asked again.
    pub(crate) outdated: Notify,
    question: watch::Sender<Question>,
}

/// How the first question for it stands.
#[derive(Clone, Debug)]
enum Question {
    /// Nobody has wanted to know.
    Unasked,
    /// The answer is on its way.
    Asked,
    /// There was none. The function is asked again at `again`.
    Failed { message: String, again: Instant },
    /// Something is known, and stays known.
    Answered,
}

impl Question {
    fn is_open(&self) -> bool {
        match self {
            Self::Unasked | Self::Asked => true,
            Self::Failed { .. } | Self::Answered => false,
        }
    }
}

#[derive(Debug)]
struct Known {
    runtimes: Arc<[Arc<Runtime>]>,
    /// The version that said so.
    version: Option<String>,
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    target: String,
    version: Option<String>,
    runtimes: Vec<Runtime>,
}

impl Catalogue {
    /// Begins with what `file` holds of `target`, and with nothing where that is of no use.
    pub(crate) fn open(target: String, file: Option<PathBuf>) -> Self {
        let kept = file.as_deref().and_then(|file| match read(file) {
            Ok(kept) => kept.filter(|kept| kept.target == target),
            Err(error) => {
                let path = file.display();
                tracing::warn!(%error, %path, "the kept catalogue is not used");
                None
            }
        });
        let known = match kept {
            Some(kept) => Known {
                runtimes: tidy(kept.runtimes),
                version: kept.version,
            },
            None => Known {
                runtimes: Arc::new([]),
                version: None,
            },
        };
        let question = if known.runtimes.is_empty() {
            Question::Unasked
        } else {
            Question::Answered
        };
        Self {
            known: RwLock::new(known),
            file,
            target,
            outdated: Notify::new(),
            question: watch::Sender::new(question),
        }
    }

    pub(crate) fn runtimes(&self) -> Arc<[Arc<Runtime>]> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&known.runtimes)
    }

    /// Takes what `version` of the function has just described. Waits for the disk.
    pub(crate) fn replace(&self, runtimes: Vec<Runtime>, version: Option<String>) {
        let runtimes = tidy(runtimes);
        let same = {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            let same = known.version == version && known.runtimes == runtimes;
            // The same slice until something changes: who has it may compare pointers.
            if known.runtimes != runtimes {
                known.runtimes = Arc::clone(&runtimes);
            }
            known.version.clone_from(&version);
            same
        };
        self.question.send_replace(Question::Answered);
        let (Some(file), false) = (&self.file, same) else {
            return;
        };
        let kept = Kept {
            target: self.target.clone(),
            version,
            runtimes: runtimes.iter().map(|runtime| (**runtime).clone()).collect(),
        };
        if let Err(error) = write(file, &kept) {
            let path = file.display();
            tracing::warn!(%error, %path, "the catalogue is not kept for the next start");
        }
    }

    /// The function is being asked.
    pub(crate) fn asked(&self) {
        self.change(|_| Some(Question::Asked));
    }

    /// The function did not say what it has, and is asked again at `again`.
    pub(crate) fn failed(&self, message: &str, again: Instant) {
        self.change(|_| {
            let message = message.to_owned();
            Some(Question::Failed { message, again })
        });
    }

    /// Changes how the question stands, unless it is answered. Says whether anything changed.
    fn change(&self, change: impl FnOnce(&Question) -> Option<Question>) -> bool {
        self.question.send_if_modified(|question| {
            let changed = match question {
                Question::Answered => None,
                Question::Unasked | Question::Asked | Question::Failed { .. } => change(question),
            };
            let Some(changed) = changed else {
                return false;
            };
            *question = changed;
            true
        })
    }

    /// Ends when it is known what the function has, or the question for it has failed. The first to
    /// call it has the question asked, where it was not asked at the start.
    pub(crate) async fn described(&self) -> Result<(), ExecutorError> {
        let first = self.change(|question| match question {
            Question::Unasked => Some(Question::Asked),
            Question::Asked | Question::Failed { .. } | Question::Answered => None,
        });
        if first {
            self.outdated.notify_one();
        }
        let mut question = self.question.subscribe();
        let settled = question.wait_for(|question| !question.is_open()).await;
        let unavailable = |message| ExecutorError::new(ErrorKind::Unavailable, message);
        match settled.as_deref() {
            Ok(Question::Failed { message, again }) => {
                let wait = again.saturating_duration_since(Instant::now());
                Err(unavailable(message.clone()).retry_after(wait))
            }
            Ok(Question::Unasked | Question::Asked | Question::Answered) => Ok(()),
            // The sender is in `self`.
            Err(_) => Err(unavailable("nobody asks any more".to_owned())),
        }
    }

    /// An invocation was answered by `version`: another than described the catalogue means that
    /// something was deployed.
    pub(crate) fn answered_by(&self, version: Option<&str>) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if !known.runtimes.is_empty() && known.version.as_deref() != version {
            self.outdated.notify_one();
        }
    }
}

/// One entry for each language, in the order that lookups expect, whatever the image wrote.
fn tidy(mut runtimes: Vec<Runtime>) -> Arc<[Arc<Runtime>]> {
    runtimes.sort_by_key(|runtime| runtime.language);
    runtimes.dedup_by_key(|runtime| runtime.language);
    runtimes.truncate(MAX_RUNTIMES);
    let tidied = runtimes.into_iter().map(|mut runtime| {
        runtime.backend = BackendKind::Lambda;
        runtime
            .modules
            .sort_by(|one, other| one.name.cmp(&other.name));
        runtime
            .packages
            .sort_by(|one, other| one.name.cmp(&other.name));
        Arc::new(runtime)
    });
    tidied.collect()
}

fn read(file: &Path) -> io::Result<Option<Kept>> {
    match std::fs::read(file) {
        Ok(json) => Ok(Some(serde_json::from_slice(&json)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// In one step: a process that is killed leaves the old file or the new one.
fn write(file: &Path, kept: &Kept) -> io::Result<()> {
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(format!(".{}", std::process::id()));
    std::fs::write(&temporary, serde_json::to_vec(kept)?)?;
    std::fs::rename(&temporary, file)
}

#[cfg(test)]
mod tests {
    use sandgate_core::{Language, ModuleInfo};

    use super::*;

    fn runtime(language: Language, modules: &[&str]) -> Runtime {
        let module = |name: &&str| ModuleInfo {
            name: (*name).to_owned(),
            package: None,
        };
        Runtime {
            backend: BackendKind::Wasm,
            language,
            implementation: "I".to_owned(),
            version: "1".to_owned(),
            digest: "d".to_owned(),
            modules: modules.iter().map(module).collect(),
            packages: Vec::new(),
        }
    }

    #[test]
    fn what_was_described_is_there_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let file = Some(dir.path().join("catalogue.json"));
        let first = Catalogue::open("f:1".to_owned(), file.clone());
        assert!(first.runtimes().is_empty());
        let described = vec![
            runtime(Language::R, &["ggplot2"]),
            runtime(Language::Python, &["pandas", "numpy"]),
            runtime(Language::Python, &[]),
        ];
        first.replace(described, Some("1".to_owned()));
        let known = first.runtimes();
        assert_eq!(known.len(), 2);
        assert!(known.iter().all(|r| r.backend == BackendKind::Lambda));
        assert!(known[0].has_module("numpy") && known[0].has_module("pandas"));

        let next = Catalogue::open("f:1".to_owned(), file.clone());
        assert_eq!(next.runtimes(), known);
        let other = Catalogue::open("f:2".to_owned(), file);
        assert!(other.runtimes().is_empty(), "of another function");
    }

    #[test]
    fn the_same_again_changes_nothing() {
        let catalogue = Catalogue::open("f:1".to_owned(), None);
        catalogue.replace(vec![runtime(Language::R, &[])], None);
        let known = catalogue.runtimes();
        catalogue.replace(vec![runtime(Language::R, &[])], Some("2".to_owned()));
        assert!(Arc::ptr_eq(&known, &catalogue.runtimes()));
    }

    #[test]
    fn a_file_that_is_none_is_ignored() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("catalogue.json");
        std::fs::write(&file, "{").unwrap();
        let catalogue = Catalogue::open("f:1".to_owned(), Some(file.clone()));
        assert!(catalogue.runtimes().is_empty());
        catalogue.replace(vec![runtime(Language::R, &[])], None);
        let next = Catalogue::open("f:1".to_owned(), Some(file));
        assert_eq!(next.runtimes().len(), 1);
    }

    #[tokio::test]
    async fn another_version_outdates_it() {
        let catalogue = Catalogue::open("f:live".to_owned(), None);
        let outdated = async |catalogue: &Catalogue| {
            let wait = std::time::Duration::from_millis(1);
            tokio::time::timeout(wait, catalogue.outdated.notified())
                .await
                .is_ok()
        };
        catalogue.answered_by(Some("2"));
        assert!(!outdated(&catalogue).await, "nothing is known yet");
        catalogue.replace(vec![runtime(Language::R, &[])], Some("2".to_owned()));
        catalogue.answered_by(Some("2"));
        assert!(!outdated(&catalogue).await);
        catalogue.answered_by(Some("3"));
        assert!(outdated(&catalogue).await);
    }
}
