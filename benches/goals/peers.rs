//! What the sandbox is compared with. `cargo xtask bench` provides them and says where they are.

#[path = "../../crates/server/src/bench/peers/interpreter.rs"]
mod interpreter;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The machine's own Python.
static PYTHON: LazyLock<String> = LazyLock::new(|| interpreter::python3().unwrap());

/// Starts the machine's own Python for one statement, without its site packages.
pub(crate) fn spawn_python() -> Duration {
    let python = &*PYTHON;
    let start = Instant::now();
    let output = Command::new(python)
        .args(["-I", "-S", "-c", "print(1+1)"])
        .output()
        .unwrap();
    let elapsed = start.elapsed();
    assert_eq!(output.stdout, b"2\n");
    elapsed
}

/// A process that does one thing for each line it is sent and answers with the seconds it took.
#[derive(Debug)]
struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn start(mut command: Command) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        let input = child.stdin.take().ok_or("no stdin")?;
        let output = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        let mut peer = Self {
            child,
            input,
            output,
        };
        peer.once().map(|_| peer)
    }

    fn once(&mut self) -> Result<Duration, String> {
        let mut answer = String::new();
        writeln!(self.input)
            .and_then(|()| self.output.read_line(&mut answer))
            .map_err(|error| error.to_string())?;
        answer
            .trim()
            .parse()
            .map(Duration::from_secs_f64)
            .map_err(|_| "the peer did not answer".to_owned())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It waits for its next line for good, and is of no more use.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn named(variable: &str) -> Result<Command, String> {
    std::env::var_os(variable)
        .map(Command::new)
        .ok_or_else(|| format!("{variable} is not set"))
}

/// pyeryx: CPython in wasmtime, a fresh sandbox each time, limits on.
#[derive(Debug)]
pub(crate) struct Pyeryx(Peer);

impl Pyeryx {
    const SCRIPT: &str = "
import sys, time, eryx
limits = eryx.ResourceLimits(execution_timeout_ms=5000, max_memory_bytes=256 << 20)
for _ in sys.stdin:
    start = time.perf_counter()
    sandbox = eryx.Sandbox(resource_limits=limits)
    result = sandbox.execute('print(1+1)')
    took = time.perf_counter() - start
    assert result.stdout.strip() == b'2'
    print(took, flush=True)
";

    /// Starts the Python that has pyeryx, named by `SANDGATE_BENCH_PYERYX`.
    pub(crate) fn start() -> Result<Self, String> {
        let mut command = named("SANDGATE_BENCH_PYERYX")?;
        command.args(["-c", Self::SCRIPT]);
        Peer::start(command).map(Self)
    }

    /// Makes a sandbox and runs `print(1+1)` in it.
    pub(crate) fn fresh(&mut self) -> Duration {
        self.0.once().unwrap()
    }
}

/// The guests' interpreters, compiled for this machine.
#[derive(Debug)]
pub(crate) struct Native(Peer);

impl Native {
    const PYTHON: &str = "
import sys, time
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
for _ in sys.stdin:
    start = time.perf_counter()
    fib(25)
    print(time.perf_counter() - start, flush=True)
";

    /// The CPython that the guest is built with, named by `SANDGATE_BENCH_PYTHON`.
    pub(crate) fn python() -> Result<Self, String> {
        let mut command = named("SANDGATE_BENCH_PYTHON")?;
        command.args(["-I", "-S", "-c", Self::PYTHON]);
        Peer::start(command).map(Self)
    }

    /// A driver round the guest's QuickJS-ng, named by `SANDGATE_BENCH_QUICKJS`: see
    /// `benches/goals/quickjs.c`.
    pub(crate) fn quickjs() -> Result<Self, String> {
        Peer::start(named("SANDGATE_BENCH_QUICKJS")?).map(Self)
    }

    /// Runs fib(25) once, in the process that is there already.
    pub(crate) fn fib(&mut self) -> Duration {
        self.0.once().unwrap()
    }
}
