//! Running every snippet on every path and every peer, in turns.

mod run;
mod subjects;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use self::run::Bench;
use self::run::{Refusal, Sample, milliseconds};
use self::subjects::{Known, Printed, Subject, Way, Work, median_of, start_ms, subjects, works};
use super::corpus::Snippet;
use super::measured::{Path, Skipped, SnippetReport};
use super::peers::{PeerFigure, PeerOutcome, Running};
use super::saturate;
use super::stats::Summary;

/// How soon a caller that was refused for now comes again.
const AGAIN: Duration = Duration::from_millis(1);

/// How long it goes on to do so.
const PATIENCE: Duration = Duration::from_secs(5);

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Whether Lambda is measured at all.
    pub(crate) lambda: bool,
    /// Whether a new tenant gets a new environment of Lambda.
    pub(crate) cold: bool,
    /// The most timed runs of a snippet on a path.
    pub(crate) rounds: u32,
    /// The fewest, however long they take.
    pub(crate) fewest: u32,
    /// Timed runs with a cold start.
    pub(crate) cold_rounds: u32,
    /// What all timed runs of a snippet on a path may take, if that is enough for the fewest.
    pub(crate) budget: Duration,
    /// What all runs of a peer may take.
    pub(crate) peer_budget: Duration,
    /// The least and the most time that a number of concurrent callers is kept up.
    pub(crate) window: (Duration, Duration),
    /// The most concurrent callers.
    pub(crate) max_callers: u32,
}

/// What is told while it goes on.
pub(crate) trait Progress: Sync {
    /// So many steps will be taken.
    fn steps(&self, count: u64);
    /// The next step, and what it is.
    fn step(&self, what: &str);
}

/// Measures until all is done or it is stopped; what was measured until then counts.
pub(crate) async fn measure(
    bench: Bench<'_>,
    snippets: &[Snippet],
    mut peers: Vec<Running>,
    effort: Effort,
    progress: &dyn Progress,
) -> Vec<SnippetReport> {
    let mut works = works(snippets);
    let mut subjects = subjects(&works, snippets.len(), &peers, effort);
    let mut uploads = vec![None; works.len()];
    let mut spent = vec![Duration::ZERO; peers.len()];

    progress.steps(subjects.len() as u64);
    for subject in &mut subjects {
        let work = &mut works[subject.work];
        progress.step(&format!("trying {}", work.name));
        if bench.stop.is_cancelled() {
            subject.skipped = Some("the benchmark was stopped".to_owned());
            continue;
        }
        let tried = match subject.way {
            Way::Path(path) => {
                let tried = bench.warm_up(path, work, effort).await;
                let upload = &mut uploads[subject.work];
                // A cold start for each of these would be billed, and tell nothing more.
                if tried.is_ok() && upload.is_none() && path != Path::LambdaCold {
                    *upload = bench.upload(path, &work.request).await;
                }
                tried
            }
            Way::Peer(peer) => warm_up_peer(&mut peers[peer], work, effort, &mut spent[peer]),
        };
        match tried {
            Ok(rounds) => subject.rounds = rounds,
            Err(problem) => subject.skipped = Some(problem),
        }
    }

    let rounds = subjects.iter().map(|s| s.rounds).max().unwrap_or(0);
    progress.steps(subjects.iter().map(|s| u64::from(s.rounds)).sum());
    for round in 0..rounds {
        for subject in &mut subjects {
            if !subject.has_turn(round, rounds) || bench.stop.is_cancelled() {
                continue;
            }
            let work = &works[subject.work];
            progress.step(work.name);
            let ran = match subject.way {
                Way::Path(path) => {
                    let ran = bench.run(path, &work.request).await;
                    ran.map(|(sample, _)| sample).map_err(Refusal::into_text)
                }
                Way::Peer(peer) => ask(&mut peers[peer], work),
            };
            match ran {
                Ok(sample) => subject.samples.push(sample),
                // What was measured until it was stopped counts, what that broke does not.
                Err(_) if bench.stop.is_cancelled() => {}
                Err(problem) => subject.skipped = Some(problem),
            }
        }
    }

    saturate_all(
        bench,
        &works[..snippets.len()],
        &mut subjects,
        effort,
        progress,
    )
    .await;

    let mut reports = Vec::new();
    for (work, snippet) in snippets.iter().enumerate() {
        let plan = bench.plan_ms(&snippet.request).await;
        let mut report = SnippetReport {
            name: snippet.name.clone(),
            language: snippet.request.language.to_string(),
            measured: Vec::new(),
            skipped: Vec::new(),
            upload_ms: uploads[work],
            peers: Vec::new(),
        };
        for subject in subjects.iter().filter(|s| s.work == work) {
            let summary = Summary::of(subject.samples.iter().map(|s| s.total));
            let missing = || {
                let known = subject.skipped.clone();
                known.unwrap_or_else(|| "the benchmark was stopped before".to_owned())
            };
            match (subject.way, summary) {
                (Way::Path(path), Some(latency)) => {
                    let known = Known {
                        plan,
                        start: start_ms(&works, &subjects, snippet.request.language, path),
                        warm: median_of(&subjects, work, Path::LambdaWarm),
                    };
                    report
                        .measured
                        .push(subject.measured(path, latency, &known));
                }
                (Way::Path(path), None) => report.skipped.push(Skipped {
                    path,
                    reason: missing(),
                }),
                (Way::Peer(peer), summary) => report.peers.push(PeerFigure {
                    name: peers[peer].name.to_owned(),
                    outcome: summary
                        .map_or_else(|| PeerOutcome::Skipped(missing()), PeerOutcome::Measured),
                }),
            }
        }
        reports.push(report);
    }
    reports
}

/// One run of a peer, and how many more there is time for.
fn warm_up_peer(
    peer: &mut Running,
    work: &Work<'_>,
    effort: Effort,
    spent: &mut Duration,
) -> Result<u32, String> {
    if work.printed == Printed::Unknown {
        return Err("not asked: nothing here runs it".to_owned());
    }
    // Where there is no time for the fewest, one run would only cost time.
    if *spent >= effort.peer_budget {
        return Err("not asked: its other runs took the time there is for it".to_owned());
    }
    // It waits in its process, and nothing else is under way.
    let mut once =
        || tokio::task::block_in_place(|| peer.once(&work.request, work.printed.wanted()));
    once()?;
    let took = once()?;
    let rounds = rounds(effort.rounds, effort, took);
    *spent += took * (rounds + 2);
    Ok(rounds)
}

fn ask(peer: &mut Running, work: &Work<'_>) -> Result<Sample, String> {
    let took = tokio::task::block_in_place(|| peer.once(&work.request, work.printed.wanted()))?;
    Ok(Sample {
        total: milliseconds(took),
        ..Sample::default()
    })
}

/// How often something is timed that takes so long.
fn rounds(wanted: u32, effort: Effort, took: Duration) -> u32 {
    let affordable = effort.budget.as_secs_f64() / took.as_secs_f64().max(1e-6);
    wanted.min((affordable as u32).max(effort.fewest))
}

async fn saturate_all(
    bench: Bench<'_>,
    works: &[Work<'_>],
    subjects: &mut [Subject],
    effort: Effort,
    progress: &dyn Progress,
) {
    let snippets = works.len();
    let wide: Vec<_> = subjects
        .iter_mut()
        .filter(|s| s.work < snippets && s.skipped.is_none() && !s.samples.is_empty())
        .filter_map(|s| match s.way {
            Way::Path(Path::LambdaCold) | Way::Peer(_) => None,
            Way::Path(path) => Some((path, s)),
        })
        .collect();
    progress.steps(wide.len() as u64);
    bench.stores.drop_deliveries();
    for (path, subject) in wide {
        let work = &works[subject.work];
        progress.step(&format!("{} with many callers", work.name));
        if bench.stop.is_cancelled() {
            return;
        }
        let took = Duration::from_secs_f64(subject.middle(|s| s.total) / 1e3);
        let window = saturate::window(took, effort.window);
        let (router, stores) = (bench.router.clone(), bench.stores.clone());
        let (request, stop) = (
            Arc::new(work.request.clone().into_owned()),
            bench.stop.clone(),
        );
        let once = move || {
            let (router, stores, stop) = (router.clone(), stores.clone(), stop.clone());
            let request = Arc::clone(&request);
            async move {
                let bench = Bench {
                    router: &router,
                    stores: &stores,
                    stop: &stop,
                };
                // One that is told to come again does so, for a while.
                let start = Instant::now();
                loop {
                    match bench.run(path, &request).await {
                        Ok(_) => return Ok(()),
                        Err(Refusal::Busy(_)) if start.elapsed() < PATIENCE => {
                            tokio::time::sleep(AGAIN).await;
                        }
                        Err(refusal) => return Err(refusal.into_text()),
                    }
                }
            }
        };
        subject.throughput = saturate::saturate(effort.max_callers, window, bench.stop, once).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_decides_how_often_something_is_timed() {
        let effort = Effort {
            lambda: true,
            cold: true,
            rounds: 100,
            fewest: 6,
            cold_rounds: 6,
            budget: Duration::from_secs(2),
            peer_budget: Duration::from_secs(20),
            window: (Duration::ZERO, Duration::ZERO),
            max_callers: 1,
        };
        let of = |ms| rounds(effort.rounds, effort, Duration::from_millis(ms));
        assert_eq!([of(0), of(1), of(50), of(5_000)], [100, 100, 40, 6]);
    }
}
