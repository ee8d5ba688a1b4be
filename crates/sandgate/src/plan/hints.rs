//! What would help a snippet that lacks something: part of the plan, and of the answer.

use sandgate_core::{BackendChoice, BackendKind};

use super::PREFERENCE;
use super::facts::{Facts, Need, Side};
use super::words::{list, name, roots};
use crate::names::Provider;

/// So many hints are given: they are for a person, or a model, to read.
const MOST: usize = 8;

/// The hints for code that runs on `backend`.
pub(crate) fn hints(facts: &Facts<'_>, backend: BackendKind) -> Vec<String> {
    let mut hints = Vec::new();
    elsewhere(facts, backend, &mut hints);
    nowhere(facts, &mut hints);
    installs(facts, backend, &mut hints);
    if let Some(side) = facts.side(backend) {
        for (limit, asked, granted) in facts.asked_beyond(&side.maximum) {
            hints.push(format!(
                "{} grants {limit} {granted} at most, not {asked}",
                name(backend)
            ));
        }
    }
    if facts.hints.sockets {
        hints.push("it seems to use the network, which no backend gives it".to_owned());
    }
    hints.truncate(MOST);
    hints
}

const fn other(backend: BackendKind) -> BackendKind {
    match backend {
        BackendKind::Wasm => BackendKind::Lambda,
        BackendKind::Lambda => BackendKind::Wasm,
    }
}

/// What the other backend has.
fn elsewhere(facts: &Facts<'_>, backend: BackendKind, hints: &mut Vec<String>) {
    let other = other(backend);
    let missed = |need: &dyn Fn(Need) -> bool| {
        roots(
            facts
                .imports
                .iter()
                .filter(|found| need(found.need) && found.on.is_only(other)),
        )
    };
    let needed = missed(&|need| need != Need::No);
    if !needed.is_empty() {
        let advice = match facts.choice {
            BackendChoice::Auto => "",
            BackendChoice::Wasm | BackendChoice::Lambda => {
                ": with `backend: \"auto\"` it would run there"
            }
        };
        hints.push(format!("{} has {}{advice}", name(other), list(&needed)));
    }
    let tried = missed(&|need| need == Need::No);
    if !tried.is_empty() && other == BackendKind::Lambda {
        hints.push(format!(
            "{} has {}, which the code does without: ask for it with `packages` or `backend: \
             \"lambda\"`",
            name(other),
            list(&tried)
        ));
    }
}

/// What no backend has, and which name may have been meant.
fn nowhere(facts: &Facts<'_>, hints: &mut Vec<String>) {
    let missing = roots(
        facts
            .imports
            .iter()
            .filter(|found| found.need != Need::No && found.on.kinds().is_empty()),
    );
    let unknown = PREFERENCE.into_iter().any(|kind| facts.is_unknown(kind));
    if missing.is_empty() || unknown {
        return;
    }
    hints.push(format!(
        "no backend has {}; GET /v1/runtimes lists what there is",
        list(&missing)
    ));
    for root in missing.iter().take(MOST) {
        if let Some(meant) = meant(facts, root) {
            hints.push(format!("instead of {root}, {meant} may be meant"));
        }
    }
}

/// The module that may be meant by `root`, which nobody has: the one of the package of that name,
/// or one that differs in a single letter.
fn meant<'a>(facts: &'a Facts<'_>, root: &str) -> Option<&'a str> {
    let sides = || PREFERENCE.into_iter().filter_map(|kind| facts.side(kind));
    let modules = |side: &'a Side| {
        let modules = side.runtime.runtime.modules.iter();
        modules.filter(|module| !module.name.contains('.'))
    };
    let of_package = sides().find_map(|side| {
        let Some(Provider::Package(package)) = side.runtime.index.package(root) else {
            return None;
        };
        modules(side).find(|module| module.package.as_deref() == Some(package.name.as_str()))
    });
    let similar = || {
        sides().find_map(|side| {
            modules(side)
                .find(|module| module.package.is_some() && differ_by_one(root, &module.name))
        })
    };
    Some(&of_package.or_else(similar)?.name)
}

/// Whether one letter is missing, added, changed, or changed place with the next.
fn differ_by_one(one: &str, two: &str) -> bool {
    let (one, two) = (one.as_bytes(), two.as_bytes());
    if one.len().abs_diff(two.len()) > 1 || one.len().min(two.len()) < 3 {
        return false;
    }
    let same = one.iter().zip(two).take_while(|(a, b)| a == b).count();
    let (one, two) = (&one[same..], &two[same..]);
    match (one, two) {
        ([], [_]) | ([_], []) => true,
        ([a, b, one @ ..], [c, d, two @ ..]) if (a, b) == (d, c) && a != b => one == two,
        ([_, left @ ..], [_, right @ ..]) => left == right || left == two || one == right,
        _ => false,
    }
}

/// Packages that the code would install.
fn installs(facts: &Facts<'_>, backend: BackendKind, hints: &mut Vec<String>) {
    let missing = facts.installed.missing_on(backend);
    if !missing.is_empty() {
        hints.push(format!(
            "nothing is installed when code runs, and {} lacks {}",
            name(backend),
            list(&missing)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::differ_by_one;

    #[test]
    fn one_letter_is_found_whatever_happened_to_it() {
        for typo in ["panda", "pandsa", "pandas2", "pendas", "ppandas", "andas"] {
            assert!(differ_by_one(typo, "pandas"), "{typo}");
            assert!(differ_by_one("pandas", typo), "{typo}");
        }
        for other in ["pandas", "pndsa", "numpy", "pan", "", "pandaspy", "adnaps"] {
            assert!(!differ_by_one(other, "pandas"), "{other}");
        }
        assert!(!differ_by_one("os", "as"), "short names are all alike");
    }
}
