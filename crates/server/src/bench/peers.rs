//! Other ways to run a snippet, timed in the same minutes: what sandgate has to be compared with.
//!
//! A peer runs the same snippets, and has to print what sandgate prints. One that is not installed
//! is skipped, and says what it needs.

mod interpreter;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use sandgate::{ExecuteRequest, Language};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::stats::Summary;

/// What a peer took for a snippet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PeerFigure {
    /// Its name.
    pub(crate) name: String,
    /// What came of it.
    pub(crate) outcome: PeerOutcome,
}

/// What came of timing a peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PeerOutcome {
    /// In milliseconds a run.
    Measured(Summary),
    /// Not there, or it cannot run the snippet.
    Skipped(String),
}

/// Where the peers are.
#[derive(Clone, Debug)]
pub(crate) struct PeerTools {
    /// A Python that has the packages.
    pub(crate) packages: PathBuf,
    /// A folder `node_modules` with the packages; none where node finds them itself.
    pub(crate) modules: Option<PathBuf>,
}

/// A way to run a snippet that is not ours.
struct Peer {
    name: &'static str,
    language: Language,
    way: Way,
}

enum Way {
    /// A new process for each run, timed from its start to its end: what comes before the
    /// interpreter, and what comes between it and the code.
    Process(&'static [&'static str], &'static [&'static str]),
    /// A process that stays, and its program in Python: it reads a snippet a line, runs it afresh,
    /// and answers how long that took and what was printed.
    PythonDriver(&'static str),
    /// The same, with a program for node.
    NodeDriver(&'static str),
}

/// The program of a driver: the loop of its language, and what the peer adds to it.
macro_rules! driver {
    ($common:literal, $own:literal) => {
        concat!(include_str!($common), include_str!($own))
    };
}

const BUBBLEWRAP: &[&str] = &[
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
];

const PEERS: [Peer; 7] = [
    Peer {
        name: "python3 -I -S",
        language: Language::Python,
        way: Way::Process(&[], &["-I", "-S", "-c"]),
    },
    Peer {
        name: "bubblewrap + python3",
        language: Language::Python,
        way: Way::Process(BUBBLEWRAP, &["-I", "-S", "-c"]),
    },
    Peer {
        name: "pyeryx",
        language: Language::Python,
        way: Way::PythonDriver(driver!("peers/loop.py", "peers/eryx.py")),
    },
    Peer {
        name: "pydantic-monty",
        language: Language::Python,
        way: Way::PythonDriver(driver!("peers/loop.py", "peers/monty.py")),
    },
    Peer {
        name: "Pyodide",
        language: Language::Python,
        way: Way::NodeDriver(driver!("peers/loop.cjs", "peers/pyodide.cjs")),
    },
    Peer {
        name: "node",
        language: Language::JavaScript,
        way: Way::Process(&[], &["-e"]),
    },
    Peer {
        name: "quickjs-emscripten",
        language: Language::JavaScript,
        way: Way::NodeDriver(driver!("peers/loop.cjs", "peers/quickjs.cjs")),
    },
];

/// The longest that a peer may take for a run.
const LIMIT: Duration = Duration::from_secs(60);

/// A peer that is there, or why it is not.
pub(crate) struct Running {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it runs.
    pub(crate) language: Language,
    state: Result<State, String>,
}

enum State {
    Process(Vec<String>),
    Driver(Driver),
}

/// Starts all that are there.
pub(crate) fn start(tools: &PeerTools) -> Vec<Running> {
    let python =
        interpreter::python3().map_err(|problem| reason(problem.as_bytes()).unwrap_or(problem));
    let started = PEERS.iter().map(|peer| {
        let in_python = peer.language == Language::Python;
        let state = match &peer.way {
            Way::Process(before, between) => {
                let interpreter = if in_python {
                    python.clone()
                } else {
                    Ok("node".to_owned())
                };
                interpreter.map(|interpreter| {
                    let before = before.iter().copied().map(str::to_owned);
                    let between = between.iter().copied().map(str::to_owned);
                    State::Process(before.chain([interpreter]).chain(between).collect())
                })
            }
            Way::PythonDriver(script) => python_driver(script, tools).map(State::Driver),
            Way::NodeDriver(script) => node_driver(script, tools).map(State::Driver),
        };
        Running {
            name: peer.name,
            language: peer.language,
            state,
        }
    });
    started.collect()
}

fn python_driver(script: &str, tools: &PeerTools) -> Result<Driver, String> {
    let mut command = Command::new(&tools.packages);
    command.args(["-c", script]);
    // What is installed beside it are programs that the packages start.
    if let (Some(folder), Some(path)) = (tools.packages.parent(), std::env::var_os("PATH")) {
        let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
        if let Ok(path) = std::env::join_paths(folders) {
            command.env("PATH", path);
        }
    }
    Driver::start(&mut command)
}

fn node_driver(script: &str, tools: &PeerTools) -> Result<Driver, String> {
    let mut command = Command::new("node");
    command.args(["-e", script]);
    if let Some(modules) = &tools.modules {
        command.env("NODE_PATH", modules);
    }
    Driver::start(&mut command)
}

impl Running {
    /// Runs `snippet` once; how long it took. It has to print `wanted`, if that is known.
    pub(crate) fn once(
        &mut self,
        snippet: &ExecuteRequest,
        wanted: Option<&str>,
    ) -> Result<Duration, String> {
        let (took, printed) = match &mut self.state {
            Ok(State::Process(line)) => process(line, snippet),
            Ok(State::Driver(driver)) => driver.once(snippet),
            Err(problem) => Err(problem.clone()),
        }?;
        match wanted {
            Some(wanted) if printed.trim_end() != wanted.trim_end() => {
                Err("prints something else".to_owned())
            }
            Some(_) | None => Ok(took),
        }
    }
}

/// A new process for `snippet`, from its start to its end.
fn process(line: &[String], snippet: &ExecuteRequest) -> Result<(Duration, String), String> {
    let program = line.first().map_or("", String::as_str);
    let mut command = Command::new(program);
    command
        .args(line.get(1..).unwrap_or_default())
        .arg(&snippet.code)
        .stdin(input(&snippet.stdin).map_err(|error| format!("cannot keep its input: {error}"))?)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let start = Instant::now();
    let mut child = command
        .spawn()
        .map_err(|error| format!("cannot start {program}: {error}"))?;
    let printed = in_background(child.stdout.take());
    let complaints = in_background(child.stderr.take());
    let output = printed.recv_timeout(LIMIT);
    if output.is_err() {
        // It may have ended by itself.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    let took = start.elapsed();
    match output {
        Ok(output) if status.success() => Ok((took, String::from_utf8_lossy(&output).into_owned())),
        Ok(_) => {
            let text = complaints.recv_timeout(LIMIT).unwrap_or_default();
            Err(reason(&text).unwrap_or_else(|| status.to_string()))
        }
        Err(_) => Err(too_long()),
    }
}

fn input(text: &str) -> std::io::Result<Stdio> {
    if text.is_empty() {
        return Ok(Stdio::null());
    }
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(text.as_bytes())?;
    Ok(File::open(file.path())?.into())
}

/// All of it, once it ends.
fn in_background(stream: Option<impl std::io::Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            let _ = stream.take(64 << 20).read_to_end(&mut bytes);
        }
        // Whoever asked may have stopped waiting.
        let _ = sender.send(bytes);
    });
    receiver
}

fn too_long() -> String {
    format!("takes longer than {} s", LIMIT.as_secs())
}

/// A process that stays.
struct Driver {
    child: Child,
    asks: ChildStdin,
    answers: Receiver<String>,
    complaints: Receiver<Vec<u8>>,
}

/// What a driver answers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Ran { seconds: f64, stdout: String },
    Failed { problem: String },
}

impl Driver {
    fn start(command: &mut Command) -> Result<Self, String> {
        let program = Path::new(command.get_program()).display().to_string();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {program}: {error}"))?;
        let (Some(asks), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("cannot talk to {program}"));
        };
        let complaints = in_background(child.stderr.take());
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let Ok(line) = line else { break };
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            child,
            asks,
            answers,
            complaints,
        })
    }

    fn once(&mut self, snippet: &ExecuteRequest) -> Result<(Duration, String), String> {
        let line = json!({"code": snippet.code, "stdin": snippet.stdin});
        // One that ended already says why when its answer is missing.
        let _ = writeln!(self.asks, "{line}").and_then(|()| self.asks.flush());
        let answer = match self.answers.recv_timeout(LIMIT) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => {
                let _ = self.child.kill();
                return Err(too_long());
            }
            Err(RecvTimeoutError::Disconnected) => return Err(self.why_it_ended()),
        };
        match serde_json::from_str(&answer) {
            Ok(Answer::Ran { seconds, stdout }) => Duration::try_from_secs_f64(seconds)
                .map(|took| (took, stdout))
                .map_err(|_| format!("answers {seconds} seconds")),
            Ok(Answer::Failed { problem }) => {
                Err(reason(problem.as_bytes()).unwrap_or_else(|| "fails".to_owned()))
            }
            Err(error) => Err(format!("answers what nobody asked: {error}")),
        }
    }

    fn why_it_ended(&mut self) -> String {
        let _ = self.child.kill();
        let text = self.complaints.recv_timeout(LIMIT).unwrap_or_default();
        reason(&text).unwrap_or_else(|| "it does not answer".to_owned())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The line that says what is wrong: the last with an error's name, else the last.
fn reason(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines()
        .rfind(|line| line.contains("Error: "))
        .or_else(|| lines().next_back())
        .map(|line| line.chars().take(200).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(code: &str) -> ExecuteRequest {
        ExecuteRequest::new(Language::Python, code)
    }

    fn running(state: Result<State, String>) -> Running {
        Running {
            name: "a peer",
            language: Language::Python,
            state,
        }
    }

    fn words(line: &[&str]) -> Vec<String> {
        line.iter().copied().map(str::to_owned).collect()
    }

    fn driver(script: &str) -> Running {
        let mut command = Command::new("python3");
        running(Driver::start(command.args(["-c", script])).map(State::Driver))
    }

    #[test]
    fn what_is_missing_is_said() {
        let hello = python("print(1+1)");
        let mut peer = driver("import a_module_that_nobody_has");
        let problem = peer.once(&hello, None).unwrap_err();
        assert!(problem.contains("a_module_that_nobody_has"), "{problem}");
        let line = words(&["a-program-that-nobody-has"]);
        let problem = running(Ok(State::Process(line)))
            .once(&hello, None)
            .unwrap_err();
        assert!(problem.contains("a-program-that-nobody-has"), "{problem}");
    }

    #[test]
    fn processes_are_timed_and_their_answers_are_checked() {
        let mut peer = running(Ok(State::Process(words(&["python3", "-I", "-S", "-c"]))));
        let took = peer.once(&python("print(1+1)"), Some("2\n")).unwrap();
        assert!(took > Duration::ZERO);
        let wrong = peer.once(&python("print(3)"), Some("2")).unwrap_err();
        assert_eq!(wrong, "prints something else");
        let mut reads = python("print(len(input()))");
        reads.stdin = "four\n".to_owned();
        peer.once(&reads, Some("4")).unwrap();
        let problem = peer.once(&python("1/0"), None).unwrap_err();
        assert!(problem.starts_with("ZeroDivisionError"), "{problem}");
    }

    #[test]
    fn drivers_are_asked_again_and_again() {
        let own = "\
def run(code):
    time.sleep(0.01)
    return str(eval(code))

serve(run)
";
        let mut peer = driver(&format!("{}{own}", include_str!("peers/loop.py")));
        for code in ["6 * 7", "40 + 2"] {
            let took = peer.once(&python(code), Some("42\n")).unwrap();
            assert!(took >= Duration::from_millis(10), "{took:?}");
        }
        let problem = peer.once(&python("1 / 0"), None).unwrap_err();
        assert_eq!(problem, "division by zero");
        let mut reads = python("1");
        reads.stdin = "text".to_owned();
        let problem = peer.once(&reads, None).unwrap_err();
        assert_eq!(problem, "takes no standard input");
        let problem = peer.once(&python("2"), Some("3")).unwrap_err();
        assert_eq!(problem, "prints something else");
    }

    #[test]
    fn the_interpreter_is_python_itself() {
        let path = interpreter::python3().unwrap();
        let output = Command::new(&path)
            .args(["-I", "-S", "-c", "import sys; print(sys.executable)"])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), path);
    }
}
