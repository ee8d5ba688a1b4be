//! Worker processes that are killed, stopped and looked at from outside.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sandgate_core::{Limits, Status};
use sandgate_sandbox::SandboxExecutor;
use tokio::task::JoinSet;

use crate::harness::{Builder, Mode, Report, Snippet, binary, block_on};
use crate::processes::{Process, busy};

/// An executor whose workers can be told from those of other tests by their program's name.
struct Crew {
    executor: Arc<SandboxExecutor>,
    program: PathBuf,
    _folder: tempfile::TempDir,
}

impl Crew {
    async fn start(name: &str, count: usize) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let program = folder.path().join(name);
        if std::fs::hard_link(binary(), &program).is_err() {
            std::fs::copy(binary(), &program).unwrap();
        }
        let executor = Builder::new(Mode::Workers)
            .count(count)
            .queue(2_000)
            .program(program.clone())
            .start()
            .await;
        Self {
            executor,
            program,
            _folder: folder,
        }
    }

    fn workers(&self) -> Vec<Process> {
        Process::this().children_running(&self.program)
    }

    /// As [`Self::whole`], once `lost` has ended. What a signal ends lives on for a moment: the
    /// kernel takes its memory down first.
    async fn whole_without(&self, places: usize, lost: Process) -> Vec<Process> {
        let start = Instant::now();
        while lost.is_alive() {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "{lost:?} is kept alive"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.whole(places).await
    }

    /// Waits until there are as many workers as a whole pool has, one for each place and one to
    /// spare, and all have said that they are ready: until then they have no walls yet.
    async fn whole(&self, places: usize) -> Vec<Process> {
        let start = Instant::now();
        loop {
            let workers = self.workers();
            let ready = self.executor.status().workers.len();
            if workers.len() == places + 1 && ready == workers.len() {
                return workers;
            }
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "the pool is not whole again: {workers:?}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// One of the thousand: a little work in either language, told from the others by its number.
fn small(i: usize) -> Snippet {
    if i.is_multiple_of(2) {
        Snippet::python(format!("print(sum(range({i})))"))
    } else {
        Snippet::javascript(format!(
            "let n = 0; for (let i = 0; i < {i}; i++) n += i; console.log(n)"
        ))
    }
    .limits(|limits| limits.timeout_ms = 60_000)
}

fn assert_small_is_right(i: usize, report: &Report) {
    report.assert_prints(&format!("{}\n", i * i.saturating_sub(1) / 2));
}

/// A thousand executions at once, of which one is in a worker that `signal` hits in the middle.
fn one_of_a_thousand(name: &str, signal: Signal, expected: Status) {
    block_on(async {
        let crew = Crew::start(name, 2).await;
        crew.whole(2).await;

        let executor = Arc::clone(&crew.executor);
        let victim = tokio::spawn(async move {
            Snippet::python("print('before')\nwhile True: pass")
                .limits(|limits| {
                    limits.timeout_ms = if expected == Status::Timeout {
                        20_000
                    } else {
                        60_000
                    };
                    limits.fuel = Limits::MAXIMUM.fuel;
                })
                .on(&*executor)
                .await
        });
        let worker = busy(|| crew.workers());

        let done = Arc::new(AtomicUsize::new(0));
        let mut others = JoinSet::new();
        for i in 0..999 {
            let executor = Arc::clone(&crew.executor);
            let done = Arc::clone(&done);
            others.spawn(async move {
                let report = small(i).on(&*executor).await;
                done.fetch_add(1, Ordering::Relaxed);
                (i, report)
            });
        }
        while done.load(Ordering::Relaxed) < 100 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        worker.send(signal);
        assert!(!victim.is_finished(), "it ended before its worker was hit");

        let victim = victim.await.unwrap();
        victim.assert_status(expected);
        assert_eq!(victim.stdout(), "before\n", "{}", victim.summary());
        while let Some(other) = others.join_next().await {
            let (i, report) = other.unwrap();
            assert_small_is_right(i, &report);
        }

        crew.whole_without(2, worker).await;
        for i in 0..10 {
            assert_small_is_right(i, &small(i).on(&*crew.executor).await);
        }
        assert_no_zombies(&crew).await;
    });
}

async fn assert_no_zombies(crew: &Crew) {
    let start = Instant::now();
    loop {
        let zombies: Vec<_> = Process::this()
            .children()
            .into_iter()
            .filter(|child| !child.is_alive())
            .filter(|child| {
                let name = crew.program.file_name().unwrap().to_str().unwrap();
                child
                    .status()
                    .get("Name")
                    .is_some_and(|n| *n == name[..name.len().min(15)])
            })
            .collect();
        if zombies.is_empty() {
            return;
        }
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "not reaped: {zombies:?}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn killed_worker_costs_its_one_execution() {
    one_of_a_thousand("sg-killed", Signal::KILL, Status::Crashed);
}

#[test]
fn aborted_worker_costs_its_one_execution() {
    one_of_a_thousand("sg-aborted", Signal::ABORT, Status::Crashed);
}

#[test]
fn violating_worker_costs_its_one_execution() {
    // What the kernel sends for a system call that the filter does not let through.
    one_of_a_thousand("sg-violating", Signal::SYS, Status::Crashed);
}

#[test]
fn stopped_worker_costs_its_one_execution() {
    // A stopped process cannot be told from one that works: its deadline is what ends it.
    one_of_a_thousand("sg-stopped", Signal::STOP, Status::Timeout);
}

#[test]
fn workers_killed_again_and_again() {
    block_on(async {
        let crew = Crew::start("sg-storm", 2).await;
        crew.whole(2).await;
        let mut executions = JoinSet::new();
        for i in 0..1_000 {
            let executor = Arc::clone(&crew.executor);
            executions.spawn(async move { (i, small(i).started(&*executor).await) });
        }
        let mut kills = 0;
        let mut crashed = 0;
        let mut ended = 0;
        while let Some(execution) = executions.join_next().await {
            let (i, report) = execution.unwrap();
            // Losing a worker is never the executor's own failure.
            let report = report.unwrap();
            if report.outcome.status == Status::Crashed {
                crashed += 1;
            } else {
                assert_small_is_right(i, &report);
            }
            ended += 1;
            if ended % 100 == 0
                && kills < 8
                && let Some(worker) = crew.workers().first()
            {
                worker.send(Signal::KILL);
                kills += 1;
            }
        }
        assert_eq!(ended, 1_000);
        assert!(
            kills > 0 && crashed <= kills,
            "{crashed} crashed by {kills} kills"
        );
        crew.whole(2).await;
        assert_small_is_right(100, &small(100).on(&*crew.executor).await);
        assert_no_zombies(&crew).await;
    });
}

#[test]
fn every_worker_killed_at_rest() {
    block_on(async {
        let crew = Crew::start("sg-at-rest", 2).await;
        for round in 0..5 {
            for worker in crew.whole(2).await {
                worker.send(Signal::KILL);
            }
            // Nothing was running, so nothing may be lost, not even what comes the next moment.
            for i in 0..4 {
                let i = 4 * round + i;
                let report = small(i).on(&*crew.executor).await;
                assert_small_is_right(i, &report);
            }
        }
        crew.whole(2).await;
    });
}

#[test]
fn overrunning_worker_is_killed_and_replaced() {
    block_on(async {
        let crew = Crew::start("sg-overrun", 1).await;
        let before = crew.whole(1).await;
        let executor = Arc::clone(&crew.executor);
        let stopped = tokio::spawn(async move {
            Snippet::python("print('before')\nwhile True: pass")
                .limits(|limits| {
                    limits.timeout_ms = 10_000;
                    limits.fuel = Limits::MAXIMUM.fuel;
                })
                .on(&*executor)
                .await
        });
        let worker = busy(|| crew.workers());
        worker.send(Signal::STOP);
        assert!(!stopped.is_finished(), "it ended before its worker was hit");
        // In time, too: see `Report::check`.
        stopped.await.unwrap().assert_status(Status::Timeout);
        assert!(before.contains(&worker), "{worker:?} is none of {before:?}");
        crew.whole_without(1, worker).await;
    });
}

#[test]
fn walls_seen_from_outside() {
    block_on(async {
        let crew = Crew::start("sg-walls", 2).await;
        // Some have run a snippet, some have not.
        assert_small_is_right(10, &small(10).on(&*crew.executor).await);
        for worker in crew.whole(2).await {
            let status = worker.status();
            assert_eq!(status["NoNewPrivs"], "1", "{worker:?}");
            assert_eq!(
                status["Seccomp"], "2",
                "no filter of system calls on {worker:?}"
            );
            assert_eq!(status["Threads"], "1", "{worker:?}");
            for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
                let bits = u64::from_str_radix(&status[set], 16).unwrap();
                assert_eq!(bits, 0, "{set} of {worker:?}");
            }

            let limits = worker.limits();
            assert_eq!(limits["Max core file size"], ["0", "0"], "{worker:?}");
            let files: u64 = limits["Max open files"][1].parse().unwrap();
            assert!(files <= 64, "{worker:?}: {files} open files allowed");

            match worker.environment() {
                Ok(environment) => assert_eq!(environment, "", "{worker:?}"),
                // The kernel keeps others from looking: it is not dumpable, and we are not root.
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
            }
            if let Some(descriptors) = worker.descriptors() {
                assert_only_its_own(&descriptors.into_values().collect::<Vec<_>>());
            }
        }
    });
}

/// Asserts that a worker's descriptors are its socket, the compiled guests and nothing else.
fn assert_only_its_own(descriptors: &[String]) {
    let sockets: Vec<_> = descriptors
        .iter()
        .filter(|target| target.starts_with("socket:"))
        .collect();
    assert_eq!(sockets.len(), 1, "{descriptors:?}");
    let inode = sockets[0]
        .trim_start_matches("socket:[")
        .trim_end_matches(']');
    for table in ["tcp", "tcp6", "udp", "udp6", "raw", "packet"] {
        let table = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        assert!(
            !table
                .lines()
                .any(|line| line.split_whitespace().any(|field| field == inode)),
            "the worker's socket is in the network: {table}"
        );
    }
    for target in descriptors {
        let known = target.starts_with("socket:")
            || target == "/dev/null"
            // Standard error, where its parent reads its last words.
            || target.starts_with("pipe:")
            || target.starts_with("/memfd:")
            || target.starts_with("anon_inode:")
            || target.ends_with(".cwasm")
            || (target.starts_with("/proc/") && target.ends_with("/pagemap"));
        assert!(known, "a worker holds {target}: {descriptors:?}");
    }
    assert!(descriptors.len() <= 12, "{descriptors:?}");
}

#[test]
fn workers_end_with_their_executor() {
    block_on(async {
        let crew = Crew::start("sg-ending", 2).await;
        let workers = crew.whole(2).await;
        let Crew {
            executor,
            program,
            _folder,
        } = crew;
        executor.shutdown(Duration::from_secs(5)).await;
        drop(executor);
        let start = Instant::now();
        while workers.iter().any(|worker| worker.is_alive()) {
            assert!(start.elapsed() < Duration::from_secs(30), "{workers:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(Process::this().children_running(&program), []);
    });
}

#[test]
fn workers_end_with_a_dropped_executor() {
    block_on(async {
        let crew = Crew::start("sg-dropped", 1).await;
        let workers = crew.whole(1).await;
        drop(crew.executor);
        let start = Instant::now();
        while workers.iter().any(|worker| worker.is_alive()) {
            assert!(start.elapsed() < Duration::from_secs(30), "{workers:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}

#[test]
fn damaged_compiled_guests_are_never_loaded() {
    block_on(async {
        // Whoever is first makes them; other tests may be at it.
        Builder::new(Mode::InProcess).start().await;
        let cache = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for entry in std::fs::read_dir(crate::harness::compiled()).unwrap() {
            let entry = entry.unwrap();
            let is_whole = entry.path().extension().is_some_and(|e| e != "tmp");
            if is_whole {
                std::fs::copy(entry.path(), cache.path().join(entry.file_name())).unwrap();
            }
        }
        // One bit in the middle of each compiled form.
        let mut damaged = 0;
        for entry in std::fs::read_dir(cache.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "cwasm")
                && path
                    .file_name()
                    .unwrap()
                    .to_string_lossy()
                    .starts_with("javascript")
            {
                let mut bytes = std::fs::read(&path).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                std::fs::write(&path, bytes).unwrap();
                damaged += 1;
            }
        }
        assert!(damaged > 0, "the shared cache holds no compiled guest");
        for mode in Mode::BOTH {
            let executor = Builder::new(mode)
                .cache(cache.path().to_owned())
                .start()
                .await;
            Snippet::javascript("console.log('rebuilt')")
                .on(&*executor)
                .await
                .assert_prints("rebuilt\n");
        }
    });
}
