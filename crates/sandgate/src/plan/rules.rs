//! The rules by which a backend is chosen, in the order they are asked. The first that answers
//! decides.
//!
//! A rule looks at the [`Facts`] and at nothing else, so that the same facts always give the same
//! plan. A plan may be wrong: what the code does is known only once it has run. So the rules are
//! made for cheap mistakes. What may well be needed is looked for where it is, and what is only
//! tried is left out, because nothing would tell that it was missed.

use sandgate_core::{BackendChoice, BackendKind, Limits};

use super::facts::{Facts, Need, Side};
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
    /// Where it runs depends on what is not known yet.
    Wait {
        /// Whether the sandbox would not do, should it stay unknown.
        only: bool,
        reason: String,
    },
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

    const fn wait(reason: String) -> Self {
        Self::Wait { only: true, reason }
    }
}

/// A rule, and the name it goes by.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) decide: fn(&Facts<'_>) -> Option<Ruling>,
}

/// Every rule but the last, which always answers: [`otherwise_sandbox`].
pub(crate) const RULES: [Rule; 10] = [
    Rule {
        name: "asked_for",
        decide: asked_for,
    },
    Rule {
        name: "no_backend",
        decide: no_backend,
    },
    Rule {
        name: "undescribed",
        decide: undescribed,
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

/// The first rule that answers, and its answer. Who has waited already does so again only where
/// nothing else would do.
pub(crate) fn decide(facts: &Facts<'_>, waited: bool) -> (&'static str, Ruling) {
    let otherwise = || ("otherwise_sandbox", otherwise_sandbox(facts));
    let decided = RULES
        .iter()
        .find_map(|rule| Some((rule.name, (rule.decide)(facts)?)));
    match decided {
        Some((_, Ruling::Wait { only: false, .. })) if waited => otherwise(),
        Some(decided) => decided,
        None => otherwise(),
    }
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
                Ruling::wait(reason)
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
        Ruling::wait(reason)
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

/// The sandbox lacks something, and what Lambda has is not known yet.
fn undescribed(facts: &Facts<'_>) -> Option<Ruling> {
    let on_lambda = facts.unknown(BackendKind::Lambda)?;
    let sandbox = facts.sandbox()?;
    let unknown = words::unknown(BackendKind::Lambda);
    let modules = words::roots(facts.imports.iter().filter(|found| {
        matches!(found.need, Need::Always | Need::Likely) && !found.on.has(BackendKind::Wasm)
    }));
    let packages = facts.installed.missing_on(BackendKind::Wasm);
    let lacking = if !modules.is_empty() {
        list(&modules)
    } else if !packages.is_empty() {
        format!("the {}", words::packages(&packages))
    } else {
        let preferred = beyond(facts, sandbox, on_lambda).or_else(|| needs_process(facts))?;
        return Some(Ruling::Wait {
            only: false,
            reason: format!("{preferred}; {unknown}"),
        });
    };
    let place = name(BackendKind::Wasm);
    Some(Ruling::wait(format!("{place} lacks {lacking}; {unknown}")))
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
    Ruling::rather(
        BackendKind::Lambda,
        beyond(facts, sandbox, &lambda.maximum)?,
    )
}

/// What it asks for that the sandbox does not grant, and that is within `on_lambda`.
fn beyond(facts: &Facts<'_>, sandbox: &Side, on_lambda: &Limits) -> Option<String> {
    let beyond = facts.asked_beyond(&sandbox.maximum);
    let (limit, asked, granted) = *beyond.first()?;
    facts.asked_beyond(on_lambda).is_empty().then(|| {
        format!(
            "it asks for {limit} {asked}, and {} grants {granted}",
            name(BackendKind::Wasm)
        )
    })
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
    Ruling::rather(BackendKind::Lambda, needs_process(facts)?)
}

fn needs_process(facts: &Facts<'_>) -> Option<String> {
    let hints = facts.hints;
    let needed: Vec<&str> = [
        (hints.threads, "threads"),
        (hints.multiprocessing, "processes"),
        (hints.subprocess, "other programs"),
    ]
    .into_iter()
    .filter_map(|(used, what)| used.then_some(what))
    .collect();
    (!needed.is_empty()).then(|| {
        format!(
            "it uses {}, which {} cannot give it",
            list(&needed),
            name(BackendKind::Wasm)
        )
    })
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
