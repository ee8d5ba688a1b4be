//! What is measured: every snippet on every path and every peer, and what came of it.

use std::borrow::Cow;

use sandgate::{ExecuteRequest, Language};

use super::super::corpus::Snippet;
use super::super::measured::{Measured, Parts, Path, Throughput};
use super::super::peers::Running;
use super::super::stats::{Summary, median};
use super::Effort;
use super::run::Sample;

/// What is run: a snippet, or a program without a statement, which shows what starting takes.
pub(super) struct Work<'a> {
    pub(super) name: &'a str,
    pub(super) request: Cow<'a, ExecuteRequest>,
    pub(super) printed: Printed,
}

/// What a snippet prints, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Printed {
    Unknown,
    Always(String),
    /// Something else each time.
    Varies,
}

impl Printed {
    /// Takes note of what another run printed.
    pub(super) fn saw(&mut self, text: String) {
        *self = match self {
            Self::Unknown => Self::Always(text),
            Self::Always(known) if *known == text => return,
            Self::Always(_) | Self::Varies => Self::Varies,
        };
    }

    /// What somebody else has to print for the same snippet.
    pub(super) fn wanted(&self) -> Option<&str> {
        match self {
            Self::Always(text) => Some(text),
            Self::Unknown | Self::Varies => None,
        }
    }
}

/// Who runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Path(Path),
    Peer(usize),
}

/// What is known of a subject's time besides its own samples, in milliseconds.
pub(super) struct Known {
    pub(super) plan: f64,
    pub(super) start: f64,
    pub(super) warm: f64,
}

/// Work on a way, under measurement.
pub(super) struct Subject {
    pub(super) work: usize,
    pub(super) way: Way,
    pub(super) rounds: u32,
    pub(super) samples: Vec<Sample>,
    pub(super) throughput: Vec<Throughput>,
    pub(super) skipped: Option<String>,
}

impl Subject {
    pub(super) fn new(work: usize, way: Way) -> Self {
        Self {
            work,
            way,
            rounds: 0,
            samples: Vec::new(),
            throughput: Vec::new(),
            skipped: None,
        }
    }

    /// Whether it has its turn in `round` of `rounds`: those with fewer runs have them spread over
    /// the whole time, so that whatever else the machine does falls on all alike.
    pub(super) fn has_turn(&self, round: u32, rounds: u32) -> bool {
        let before = |round: u32| u64::from(round) * u64::from(self.rounds) / u64::from(rounds);
        self.skipped.is_none() && before(round + 1) > before(round)
    }

    /// The median of a part of its samples.
    pub(super) fn middle(&self, part: fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(part))
    }

    /// What its samples come to, with what is known besides.
    pub(super) fn measured(&self, path: Path, latency: Summary, known: &Known) -> Measured {
        // A hit's own time is all there is.
        let (queue, ran) = if path == Path::WasmCached {
            (0.0, 0.0)
        } else {
            (self.middle(|s| s.queue), self.middle(|s| s.run))
        };
        let plan = known.plan.min(latency.median);
        let start = known.start.min(ran);
        let store = self.middle(|s| s.store);
        let init = if path == Path::LambdaCold {
            (latency.median - known.warm).max(0.0)
        } else {
            0.0
        };
        let way = latency.median - plan - queue - init - ran - store;
        Measured {
            path,
            latency,
            parts: Parts {
                plan,
                queue,
                init,
                start,
                run: ran - start,
                store,
                way: way.max(0.0),
            },
            billed_ms: self.middle(|s| s.billed),
            memory_bytes: self.middle(|s| s.memory),
            cost_usd: self.middle(|s| s.cost),
            throughput: self.throughput.clone(),
        }
    }
}

/// The snippets, then an empty program in each of their languages.
pub(super) fn works(snippets: &[Snippet]) -> Vec<Work<'_>> {
    let mut languages: Vec<Language> = Vec::new();
    let mut works = Vec::new();
    for snippet in snippets {
        if !languages.contains(&snippet.request.language) {
            languages.push(snippet.request.language);
        }
        works.push(Work {
            name: &snippet.name,
            request: Cow::Borrowed(&snippet.request),
            printed: Printed::Unknown,
        });
    }
    works.extend(languages.into_iter().map(|language| Work {
        name: "an empty program",
        request: Cow::Owned(ExecuteRequest::new(language, empty(language))),
        printed: Printed::Unknown,
    }));
    works
}

/// A program that does nothing; none at all would be refused.
const fn empty(language: Language) -> &'static str {
    match language {
        Language::Python | Language::R => "#",
        Language::JavaScript | Language::TypeScript => "//",
    }
}

/// Everything on sandgate first, then the peers: a process that starts leaves little in the
/// processor's caches for the next.
pub(super) fn subjects(
    works: &[Work<'_>],
    snippets: usize,
    peers: &[Running],
    effort: Effort,
) -> Vec<Subject> {
    let mut subjects = Vec::new();
    for (work, _) in works.iter().enumerate() {
        let empty = work >= snippets;
        let shown = |path: &Path| {
            (effort.lambda || !path.is_lambda())
                && (!empty || matches!(path, Path::WasmFresh | Path::LambdaWarm))
        };
        let paths = Path::ALL.into_iter().filter(shown);
        subjects.extend(paths.map(|path| Subject::new(work, Way::Path(path))));
    }
    for (work, found) in works[..snippets].iter().enumerate() {
        let able = peers
            .iter()
            .enumerate()
            .filter(|(_, peer)| peer.language == found.request.language);
        subjects.extend(able.map(|(peer, _)| Subject::new(work, Way::Peer(peer))));
    }
    subjects
}

/// What a program without a statement takes in the backend of `path`.
pub(super) fn start_ms(
    works: &[Work<'_>],
    subjects: &[Subject],
    language: Language,
    path: Path,
) -> f64 {
    let path = match path {
        Path::WasmFresh => Path::WasmFresh,
        Path::WasmCached => return 0.0,
        Path::LambdaCold | Path::LambdaWarm => Path::LambdaWarm,
    };
    let empty = subjects.iter().find(|subject| {
        let work = &works[subject.work].request;
        subject.way == Way::Path(path) && work.code == empty(language) && work.language == language
    });
    empty.map_or(0.0, |subject| subject.middle(|s| s.run))
}

pub(super) fn median_of(subjects: &[Subject], work: usize, path: Path) -> f64 {
    let found = subjects
        .iter()
        .find(|subject| subject.work == work && subject.way == Way::Path(path));
    found.map_or(0.0, |subject| subject.middle(|s| s.total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runs_of_a_slow_one_are_spread_over_all_rounds() {
        let mut subject = Subject::new(0, Way::Peer(0));
        for runs in [1, 6, 7, 99, 100] {
            subject.rounds = runs;
            let turns: Vec<_> = (0..100)
                .filter(|round| subject.has_turn(*round, 100))
                .collect();
            assert_eq!(turns.len(), runs as usize);
            let gaps = turns.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(
                gaps.clone().max() <= gaps.min().map(|least| least + 1),
                "{runs}"
            );
        }
    }

    #[test]
    fn what_varies_is_not_asked_of_others() {
        let mut printed = Printed::Unknown;
        printed.saw("a".to_owned());
        printed.saw("a".to_owned());
        assert_eq!(printed.wanted(), Some("a"));
        printed.saw("b".to_owned());
        printed.saw("b".to_owned());
        assert_eq!(printed.wanted(), None);
        assert_eq!(printed, Printed::Varies);
    }
}
