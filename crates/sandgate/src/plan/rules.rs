//! The rules by which a backend is chosen, in the order they are asked. The first that answers
//! decides.
//!
//! A rule looks at the [`Facts`] and at nothing else, so that the same facts always give the same
//! plan. A plan may be wrong: what the code does is known only once it has run. So the rules are
//! made for cheap mistakes. What may well be needed is looked for where it is, and what is only
//! tried is left out, because nothing would tell that it was missed.

use sandgate_core::{BackendChoice, BackendKind};

use super::facts::{Facts, Need};
use super::words::{self, list, name};
use crate::analysis::Skipped;

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// It runs here.
    Run {
        backend: BackendKind,
        /// Whether another backend would not do as well, should this one be down.
        only: bool,
        reason: String,
    },
    /// Nothing can run it.
    Refuse(String),
    /// Nothing that is known can run it, but not everything is known yet.
    Wait(String),
}

impl Ruling {
    fn only(backend: BackendKind, reason: String) -> Option<Self> {
        Some(Self::Run {
            backend,
            only: true,
            reason,
        })
    }

    fn rather(backend: BackendKind, reason: String) -> Option<Self> {
        Some(Self::Run {
            backend,
            only: false,
            reason,
        })
    }
}

/// A rule, and the name it goes by.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) decide: fn(&Facts<'_>) -> Option<Ruling>,
}

/// Every rule but the last, which always answers: [`otherwise_sandbox`].
pub(crate) const RULES: [Rule; 9] = [
    Rule {
        name: "asked_for",
        decide: asked_for,
    },
    Rule {
        name: "no_backend",
        decide: no_backend,
    },
    Rule {
        name: "language",
        decide: language,
    },
    Rule {
        name: "packages",
        decide: packages,
    },
    Rule {
        name: "imports",
        decide: imports,
    },
    Rule {
        name: "likely_imports",
        decide: likely_imports,
    },
    Rule {
        name: "limits",
        decide: limits,
    },
    Rule {
        name: "last_time",
        decide: last_time,
    },
    Rule {
        name: "capabilities",
        decide: capabilities,
    },
];

/// The first rule that answers, and its answer.
pub(crate) fn decide(facts: &Facts<'_>) -> (&'static str, Ruling) {
    RULES
        .iter()
        .find_map(|rule| Some((rule.name, (rule.decide)(facts)?)))
        .unwrap_or_else(|| ("otherwise_sandbox", otherwise_sandbox(facts)))
}

/// The request names a backend: it runs there or nowhere.
fn asked_for(facts: &Facts<'_>) -> Option<Ruling> {
    let kind = match facts.choice {
        BackendChoice::Auto => return None,
        BackendChoice::Wasm => BackendKind::Wasm,
        BackendChoice::Lambda => BackendKind::Lambda,
    };
    match why_not(facts, kind) {
        None => Ruling::only(kind, format!("the request asks for {}", name(kind))),
        Some(reason) => {
            let reason = format!("the request asks for {}: {reason}", name(kind));
            Some(if facts.is_unknown(kind) {
                Ruling::Wait(reason)
            } else {
                Ruling::Refuse(reason)
            })
        }
    }
}

/// No backend has the language and all packages that the request names.
fn no_backend(facts: &Facts<'_>) -> Option<Ruling> {
    let reasons: Option<Vec<String>> = super::PREFERENCE
        .into_iter()
        .map(|kind| why_not(facts, kind))
        .collect();
    let reason = reasons?.join("; ");
    let unknown = super::PREFERENCE
        .into_iter()
        .any(|kind| facts.is_unknown(kind));
    Some(if unknown {
        Ruling::Wait(reason)
    } else {
        Ruling::Refuse(reason)
    })
}

/// Why a backend cannot be asked to run it at all.
pub(crate) fn why_not(facts: &Facts<'_>, kind: BackendKind) -> Option<String> {
    if let Some(reason) = facts.lacks_language(kind) {
        return Some(reason);
    }
    let lacking = facts.named.missing_on(kind);
    (!lacking.is_empty()).then(|| {
        format!(
            "the {} runtime of {} lacks the {}",
            facts.language,
            name(kind),
            words::packages(&lacking)
        )
    })
}

/// Lambda has the language, and the sandbox has not.
fn language(facts: &Facts<'_>) -> Option<Ruling> {
    facts.lambda()?;
    if facts.sandbox().is_some() {
        return None;
    }
    let reason = format!("only {} has {}", name(BackendKind::Lambda), facts.language);
    Ruling::only(BackendKind::Lambda, reason)
}

/// Packages that are declared, by the request or in the code (`!pip install`), decide where one
/// backend has all of them and the other has not.
fn packages(facts: &Facts<'_>) -> Option<Ruling> {
    facts.both()?;
    let lacking = |kind| {
        let mut lacking = facts.named.missing_on(kind);
        lacking.extend(facts.installed.missing_on(kind));
        lacking
    };
    let (in_sandbox, on_lambda) = (lacking(BackendKind::Wasm), lacking(BackendKind::Lambda));
    match (in_sandbox.is_empty(), on_lambda.is_empty()) {
        (false, true) => Ruling::only(
            BackendKind::Lambda,
            format!(
                "it declares the {}, which only {} has",
                words::packages(&in_sandbox),
                name(BackendKind::Lambda)
            ),
        ),
        // What the request names itself is not negotiable.
        (true, false) if !facts.named.missing_on(BackendKind::Lambda).is_empty() => Ruling::only(
            BackendKind::Wasm,
            format!(
                "it declares the {}, which only {} has",
                words::packages(&on_lambda),
                name(BackendKind::Wasm)
            ),
        ),
        (true, _) | (false, false) => None,
    }
}

/// It imports, whatever happens, what the sandbox lacks and the image has.
fn imports(facts: &Facts<'_>) -> Option<Ruling> {
    let modules = only_on_lambda(facts, Need::Always)?;
    let place = name(BackendKind::Lambda);
    Ruling::only(
        BackendKind::Lambda,
        format!("it imports {modules}, which only {place} has"),
    )
}

/// It imports in a function or under a condition what the sandbox lacks and the image has. It may
/// not get there; but if it does and handles the error, nobody would notice.
fn likely_imports(facts: &Facts<'_>) -> Option<Ruling> {
    let modules = only_on_lambda(facts, Need::Likely)?;
    let place = name(BackendKind::Lambda);
    Ruling::only(
        BackendKind::Lambda,
        format!("it imports {modules} on its way, which only {place} has"),
    )
}

fn only_on_lambda(facts: &Facts<'_>, need: Need) -> Option<String> {
    facts.both()?;
    let modules = words::roots(
        facts
            .imports
            .iter()
            .filter(|found| found.need == need && found.on.is_only(BackendKind::Lambda)),
    );
    (!modules.is_empty()).then(|| list(&modules))
}

/// It asks for more than the sandbox grants.
fn limits(facts: &Facts<'_>) -> Option<Ruling> {
    let (sandbox, lambda) = facts.both()?;
    let beyond = facts.asked_beyond(&sandbox.maximum);
    let (limit, asked, granted) = *beyond.first()?;
    if !facts.asked_beyond(&lambda.maximum).is_empty() {
        return None;
    }
    Ruling::rather(
        BackendKind::Lambda,
        format!(
            "it asks for {limit} {asked}, and {} grants {granted}",
            name(BackendKind::Wasm)
        ),
    )
}

/// The same code did not get on in the sandbox before.
fn last_time(facts: &Facts<'_>) -> Option<Ruling> {
    facts.both()?;
    let trouble = facts.past.as_ref()?.trouble.as_ref()?;
    Ruling::only(
        BackendKind::Lambda,
        format!(
            "the same code {trouble} in {} last time",
            name(BackendKind::Wasm)
        ),
    )
}

/// It uses what no wasm guest has, and a process has.
fn capabilities(facts: &Facts<'_>) -> Option<Ruling> {
    facts.both()?;
    let hints = facts.hints;
    let needed: Vec<&str> = [
        (hints.threads, "threads"),
        (hints.multiprocessing, "processes"),
        (hints.subprocess, "other programs"),
    ]
    .into_iter()
    .filter_map(|(used, what)| used.then_some(what))
    .collect();
    if needed.is_empty() {
        return None;
    }
    Ruling::rather(
        BackendKind::Lambda,
        format!(
            "it uses {}, which {} cannot give it",
            list(&needed),
            name(BackendKind::Wasm)
        ),
    )
}

/// Nothing speaks against the sandbox. What nobody has fails there as the language fails.
pub(crate) fn otherwise_sandbox(facts: &Facts<'_>) -> Ruling {
    let place = name(BackendKind::Wasm);
    let modules = |there: bool| {
        words::roots(facts.imports.iter().filter(|found| {
            matches!(found.need, Need::Always | Need::Likely)
                && found.on.has(BackendKind::Wasm) == there
        }))
    };
    let (missing, there) = (modules(false), modules(true));
    let reason = if let Some(skipped) = facts.skipped {
        let why = match skipped {
            Skipped::TooLarge => "has too many bytes",
            Skipped::TooDeep => "is nested too deeply",
            Skipped::TooSlow => "takes too long",
        };
        format!("the code {why} to be analysed, so {place} is tried first")
    } else if !missing.is_empty() {
        format!(
            "no backend has {}: where that is needed it fails in {place} as it would anywhere",
            list(&missing)
        )
    } else if !there.is_empty() {
        format!("every import ({}) is in {place}", list(&there))
    } else if !facts.named.is_empty() {
        format!("every package it names is in {place}")
    } else {
        format!("it needs nothing that {place} lacks")
    };
    Ruling::Run {
        backend: BackendKind::Wasm,
        only: false,
        reason,
    }
}
