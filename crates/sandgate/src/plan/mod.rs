//! Where a request runs, and why there.
//!
//! The code is analysed ([`crate::analysis`]), the [`Facts`] about request and backends are put
//! together, and the first of the [`rules`] that answers decides. What the code did before is one
//! of the facts: the router writes it to the [`History`].

mod backends;
mod facts;
mod hints;
mod history;
mod rules;
#[cfg(test)]
mod tests;
mod words;

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use sandgate_core::{BackendKind, Language, Task};
use serde::Serialize;

pub(crate) use backends::{Backend, Backends, IndexedRuntime, PREFERENCE};
use facts::Need;
pub(crate) use facts::{Facts, Wanted};
pub(crate) use history::{CodeKey, History, Trouble};
use rules::Ruling;
pub(crate) use words::{name, unknown};

use crate::Error;
use crate::analysis::{self, Analysis, Place, SourceFile};

/// What would happen to a request, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Where it would run.
    pub backend: BackendKind,
    /// On which runtime of that backend, as in `python-3.13.5`.
    pub runtime: String,
    /// The name of the rule that decided.
    pub rule: &'static str,
    /// Why there, in one sentence.
    pub reason: String,
    /// What the code imports, and who has it.
    pub imports: Vec<PlannedImport>,
    /// The other backends, and why not there, in the order they were looked at.
    pub alternatives: Vec<Alternative>,
    /// What it would cost there, in US dollars: with the time that the same code took last time,
    /// else with one second.
    pub estimated_cost_usd: f64,
    /// What would help the snippet.
    pub hints: Vec<String>,
}

/// An import that was found in the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedImport {
    /// The module as it is written.
    pub module: String,
    /// The package it comes from, where that is known and not the language itself.
    pub package: Option<String>,
    /// Where it stands in the code, and so whether it is needed.
    pub place: Place,
    /// Its line, counted from 1.
    pub line: u32,
    /// The backends that have it.
    #[serde(rename = "in")]
    pub backends: Vec<BackendKind>,
}

/// A backend a request does not run on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alternative {
    /// The backend.
    pub backend: BackendKind,
    /// Whether it could run the request as well.
    pub possible: bool,
    /// Why not there, or what it lacks.
    pub reason: String,
}

/// Where a request runs first.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) backend: BackendKind,
    /// Whether the other backend would not do as well, should this one be down.
    pub(crate) only: bool,
    pub(crate) reason: String,
    pub(crate) hints: Vec<String>,
}

/// A request to be planned.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) wanted: Wanted,
    /// As it was sent.
    pub(crate) task: Task,
    pub(crate) code: CodeKey,
    pub(crate) analysis: Arc<Analysis>,
}

/// Analyses code and decides.
#[derive(Debug)]
pub(crate) struct Planner {
    pub(crate) backends: Backends,
    pub(crate) history: History,
    /// By language, and hash of the code and what it may import of the request's files.
    analyses: Cache<(Language, [u8; 32]), Arc<Analysis>>,
}

/// Analyses are kept for about so many bytes of code.
const ANALYSED_BYTES: u64 = 16 << 20;
/// What an analysis takes beside what the code puts into it.
const ANALYSIS_OVERHEAD: usize = 1 << 10;

/// Code with more bytes is analysed on a thread where that may take its time.
const QUICK_BYTES: usize = 16 << 10;

/// How long an execution is taken to last of which nothing is known.
const UNKNOWN_TIME: Duration = Duration::from_secs(1);

impl Planner {
    pub(crate) fn new(backends: Backends) -> Self {
        let analyses = Cache::builder()
            .max_capacity(ANALYSED_BYTES)
            .weigher(|_, analysis: &Arc<Analysis>| weight(analysis))
            .build();
        Self {
            backends,
            history: History::default(),
            analyses,
        }
    }

    /// Makes a job of `task` for `scope`, of whose request `wanted` was taken.
    pub(crate) fn job(&self, wanted: Wanted, task: Task, scope: &Arc<str>) -> Job {
        let code = CodeKey::new(task.language, &task.code, scope);
        Job {
            analysis: self.analyse(&task, &code),
            wanted,
            task,
            code,
        }
    }

    /// What `task`'s code says about itself.
    fn analyse(&self, task: &Task, code: &CodeKey) -> Arc<Analysis> {
        let key = (task.language, analysis_hash(task, code));
        if let Some(known) = self.analyses.get(&key) {
            return known;
        }
        let files: Vec<_> = task.files.iter().map(source_file).collect();
        let analysis = analysis::analyse(task.language, &task.code, &files);
        let analysis = Arc::new(analysis);
        self.analyses.insert(key, Arc::clone(&analysis));
        analysis
    }

    /// Whether analysing and deciding are quick enough for a thread that others wait for.
    pub(crate) fn is_quick(task: &Task) -> bool {
        let sources = task.files.iter().filter(|file| is_source(&file.path));
        let bytes: usize = sources.map(|file| file.content.len()).sum();
        task.code.len() + bytes <= QUICK_BYTES
    }

    /// Where `job` runs first. Fails with [`Error::NotYet`] where that should be asked again, as of
    /// then having `waited`, when every backend has said what it has.
    pub(crate) fn decide(&self, job: &Job, waited: bool) -> Result<Decision, Error> {
        let facts = self.facts(job);
        let (_, ruling) = rules::decide(&facts, waited);
        let (backend, only, reason) = accepted(ruling)?;
        Ok(Decision {
            backend,
            only,
            reason,
            hints: hints::hints(&facts, backend),
        })
    }

    /// The same decision, with everything it was made of.
    pub(crate) fn plan(&self, job: &Job, waited: bool) -> Result<Plan, Error> {
        let facts = self.facts(job);
        let (rule, ruling) = rules::decide(&facts, waited);
        let (backend, _, reason) = accepted(ruling)?;
        let others = PREFERENCE.into_iter().filter(|kind| *kind != backend);
        let imports = facts.imports.iter().map(|found| PlannedImport {
            module: found.import.module.clone(),
            package: facts.package_of(found),
            place: found.import.place,
            line: found.import.line,
            backends: found.on.kinds(),
        });
        Ok(Plan {
            backend,
            runtime: facts
                .side(backend)
                .map_or_else(String::new, |side| side.runtime.name.clone()),
            rule,
            reason,
            imports: imports.collect(),
            alternatives: others.map(|kind| alternative(&facts, kind)).collect(),
            estimated_cost_usd: self.estimate(&facts, backend),
            hints: hints::hints(&facts, backend),
        })
    }

    fn facts<'a>(&self, job: &'a Job) -> Facts<'a> {
        let past = self.history.of(&job.code);
        Facts::new(&job.wanted, &job.analysis, &self.backends, past)
    }

    fn estimate(&self, facts: &Facts<'_>, kind: BackendKind) -> f64 {
        let known = facts.past.as_ref().and_then(|past| past.lambda_ms);
        let time = known.map_or(UNKNOWN_TIME, |ms| Duration::from_secs_f64(ms / 1e3));
        let backend = self.backends.get(kind);
        backend.map_or(0.0, |backend| backend.executor.cost_usd(time))
    }
}

fn accepted(ruling: Ruling) -> Result<(BackendKind, bool, String), Error> {
    match ruling {
        Ruling::Run {
            backend,
            only,
            reason,
        } => Ok((backend, only, reason)),
        Ruling::Refuse(reason) => Err(Error::NoBackend { reason }),
        Ruling::Wait { reason, .. } => Err(Error::NotYet {
            reason,
            cause: None,
        }),
    }
}

fn alternative(facts: &Facts<'_>, kind: BackendKind) -> Alternative {
    let why_not = rules::why_not(facts, kind);
    let missing = || {
        let imports = facts.imports.iter();
        words::roots(imports.filter(|found| found.need != Need::No && !found.on.has(kind)))
    };
    let (possible, reason) = match why_not {
        Some(reason) => (false, reason),
        None => match missing().as_slice() {
            [] => (true, format!("{} has all that it needs, too", name(kind))),
            some => (false, format!("{} lacks {}", name(kind), words::list(some))),
        },
    };
    Alternative {
        backend: kind,
        possible,
        reason,
    }
}

fn weight(analysis: &Analysis) -> u32 {
    let imports = analysis.imports.iter().map(|import| {
        let names: usize = import.names.iter().map(|name| name.len() + 24).sum();
        import.module.len() + import.root.len() + names + 96
    });
    let declared = analysis.declared.iter();
    let declared = declared.map(|declared| declared.package.len() + 32);
    let magics = analysis.magics.iter().map(|magic| magic.text.len() + 32);
    let local = analysis.local.iter().map(|path| path.len() + 24);
    let files = analysis.runnable_files.iter();
    let files = files.map(|file| file.path.len() + file.code.len() + 48);
    let parts = imports.chain(declared).chain(magics).chain(local);
    let bytes: usize = parts.chain(files).sum();
    let runnable = analysis.runnable.as_ref().map_or(0, String::len);
    u32::try_from(ANALYSIS_OVERHEAD + bytes + runnable).unwrap_or(u32::MAX)
}

/// Whether code may import this file, so that what it imports itself counts.
fn is_source(path: &str) -> bool {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension);
    extension.is_some_and(|extension| {
        ["py", "js", "mjs", "cjs", "ts", "mts", "cts", "R", "r"].contains(&extension)
    })
}

fn source_file(file: &sandgate_core::TaskFile) -> SourceFile<'_> {
    SourceFile {
        path: &file.path,
        content: &file.content,
    }
}

/// Names an analysis: by the code, the names of the files beside it, and the sources among them.
fn analysis_hash(task: &Task, code: &CodeKey) -> [u8; 32] {
    let own = *code.hash();
    if task.files.is_empty() {
        return own;
    }
    let mut hash = blake3::Hasher::new();
    hash.update(&own);
    for file in &task.files {
        let content: &[u8] = if is_source(&file.path) {
            &file.content
        } else {
            &[]
        };
        for part in [file.path.as_bytes(), content] {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    *hash.finalize().as_bytes()
}
