//! Other ways to run a snippet, timed in the same minutes: what sandgate has to be compared with.
//!
//! All run the smallest program. A peer that is not installed is skipped, and says what it needs.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use sandgate::CancellationToken;
use serde::{Deserialize, Serialize};

use super::measure::Progress;
use super::stats::Summary;

/// What a peer took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PeerReport {
    /// What it is.
    pub(crate) name: String,
    /// What came of it.
    pub(crate) outcome: PeerOutcome,
}

/// What came of timing a peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PeerOutcome {
    /// In milliseconds a run.
    Measured(Summary),
    /// Not there, or it failed.
    Skipped(String),
}

/// A way to run a snippet that is not ours.
struct Peer {
    name: &'static str,
    way: Way,
}

enum Way {
    /// A new process for each run, timed from its start to its end.
    Process(&'static [&'static str]),
    /// A process that stays, runs once for each line on its standard input, and answers in seconds.
    Driver {
        program: &'static str,
        flag: &'static str,
        script: &'static str,
    },
}

const PEERS: [Peer; 7] = [
    Peer {
        name: "python3 -I -S, a new process",
        way: Way::Process(&["python3", "-I", "-S", "-c", "print(1+1)"]),
    },
    Peer {
        name: "node, a new process",
        way: Way::Process(&["node", "-e", "console.log(1+1)"]),
    },
    Peer {
        name: "bubblewrap and python3 -I -S, a new process",
        way: Way::Process(&[
            "bwrap",
            "--unshare-all",
            "--die-with-parent",
            "--ro-bind",
            "/",
            "/",
            "--proc",
            "/proc",
            "--dev",
            "/dev",
            "--tmpfs",
            "/tmp",
            "python3",
            "-I",
            "-S",
            "-c",
            "print(1+1)",
        ]),
    },
    Peer {
        name: "pyeryx, a fresh sandbox",
        way: Way::Driver {
            program: "python3",
            flag: "-c",
            script: include_str!("peers/eryx.py"),
        },
    },
    Peer {
        name: "pydantic-monty, a subset of Python",
        way: Way::Driver {
            program: "python3",
            flag: "-c",
            script: include_str!("peers/monty.py"),
        },
    },
    Peer {
        name: "Pyodide in node, a fresh interpreter",
        way: Way::Driver {
            program: "node",
            flag: "-e",
            script: include_str!("peers/pyodide.cjs"),
        },
    },
    Peer {
        name: "quickjs-emscripten in node, a fresh runtime",
        way: Way::Driver {
            program: "node",
            flag: "-e",
            script: include_str!("peers/quickjs.cjs"),
        },
    },
];

/// Times every peer, in turns, at most `rounds` times and for at most `budget` each.
pub(crate) fn measure(
    rounds: u32,
    budget: Duration,
    stop: &CancellationToken,
    progress: &dyn Progress,
) -> Vec<PeerReport> {
    let mut running: Vec<_> = PEERS
        .iter()
        .map(|peer| (peer, Running::start(peer), Vec::new(), Duration::ZERO))
        .collect();
    progress.steps(u64::from(rounds) * running.len() as u64);
    // The first round only warms up.
    for round in 0..=rounds {
        for (peer, state, samples, spent) in &mut running {
            progress.step(peer.name);
            let Ok(started) = state else { continue };
            if *spent > budget || stop.is_cancelled() {
                continue;
            }
            match started.once() {
                Ok(took) if round > 0 => {
                    *spent += took;
                    samples.push(took.as_secs_f64() * 1e3);
                }
                Ok(_) => {}
                Err(problem) => *state = Err(problem),
            }
        }
    }
    running
        .into_iter()
        .map(|(peer, state, samples, _)| PeerReport {
            name: peer.name.to_owned(),
            outcome: match (state, Summary::of(samples)) {
                (Ok(_), Some(summary)) => PeerOutcome::Measured(summary),
                (Ok(_), None) => PeerOutcome::Skipped("the benchmark was stopped".to_owned()),
                (Err(problem), _) => PeerOutcome::Skipped(problem),
            },
        })
        .collect()
}

enum Running {
    Process(&'static [&'static str]),
    Driver {
        child: Child,
        asks: ChildStdin,
        answers: BufReader<ChildStdout>,
    },
}

impl Running {
    fn start(peer: &Peer) -> Result<Self, String> {
        match peer.way {
            Way::Process(line) => Ok(Self::Process(line)),
            Way::Driver {
                program,
                flag,
                script,
            } => {
                let mut child = Command::new(program)
                    .args([flag, script])
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .map_err(|error| format!("cannot start {program}: {error}"))?;
                match (child.stdin.take(), child.stdout.take()) {
                    (Some(asks), Some(answers)) => Ok(Self::Driver {
                        child,
                        asks,
                        answers: BufReader::new(answers),
                    }),
                    _ => Err(format!("cannot talk to {program}")),
                }
            }
        }
    }

    fn once(&mut self) -> Result<Duration, String> {
        match self {
            Self::Process(line) => {
                let start = Instant::now();
                let output = Command::new(line[0])
                    .args(&line[1..])
                    .stdin(Stdio::null())
                    .output()
                    .map_err(|error| format!("cannot start {}: {error}", line[0]))?;
                let took = start.elapsed();
                if output.status.success() && output.stdout.trim_ascii() == b"2" {
                    Ok(took)
                } else {
                    Err(last_line(&output.stderr).unwrap_or_else(|| output.status.to_string()))
                }
            }
            Self::Driver {
                child,
                asks,
                answers,
            } => {
                let mut answer = String::new();
                let asked = asks.write_all(b"\n").and_then(|()| asks.flush());
                let answered = asked.and_then(|()| answers.read_line(&mut answer));
                let seconds = answer.trim().parse::<f64>().ok();
                match seconds.and_then(|s| Duration::try_from_secs_f64(s).ok()) {
                    Some(took) if answered.is_ok() => Ok(took),
                    _ => Err(why_it_ended(child)),
                }
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Self::Driver { child, .. } = self {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn why_it_ended(child: &mut Child) -> String {
    use std::io::Read as _;
    // It does not go on after a wrong answer either.
    let _ = child.kill();
    let mut text = Vec::new();
    if let Some(errors) = &mut child.stderr {
        let _ = errors.take(64 << 10).read_to_end(&mut text);
    }
    last_line(&text).unwrap_or_else(|| "it does not answer".to_owned())
}

/// The line that says what is wrong: the one with the error's name, else the last.
fn last_line(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines()
        .find(|line| line.contains("Error: "))
        .or_else(|| lines().next_back())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        let peer = Peer {
            name: "nothing",
            way: Way::Driver {
                program: "python3",
                flag: "-c",
                script: "import a_module_that_nobody_has",
            },
        };
        let problem = Running::start(&peer).unwrap().once().unwrap_err();
        assert!(problem.contains("a_module_that_nobody_has"), "{problem}");
        let problem = Running::Process(&["a-program-that-nobody-has"])
            .once()
            .unwrap_err();
        assert!(problem.contains("a-program-that-nobody-has"), "{problem}");
    }

    #[test]
    fn processes_and_drivers_are_timed() {
        let line = Running::Process(&["python3", "-I", "-S", "-c", "print(1+1)"]).once();
        assert!(line.unwrap() > Duration::ZERO);
        let wrong = Running::Process(&["python3", "-I", "-S", "-c", "print(3)"]).once();
        wrong.unwrap_err();
        let peer = Peer {
            name: "echo",
            way: Way::Driver {
                program: "python3",
                flag: "-c",
                script: "import sys\nfor _ in sys.stdin: print(0.25, flush=True)",
            },
        };
        let mut running = Running::start(&peer).unwrap();
        assert_eq!(running.once().unwrap(), Duration::from_millis(250));
        assert_eq!(running.once().unwrap(), Duration::from_millis(250));
    }
}
