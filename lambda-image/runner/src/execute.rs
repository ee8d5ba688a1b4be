//! Running tasks: one at a time, each in a child of its language's zygote.

use std::collections::BTreeMap;

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::MemfdFlags;

use rustix::pipe::{PipeFlags, pipe_with};
use sandgate_core::{Language, Outcome, RunnerFailure, RunnerFailureKind, Task, Truncated, Usage};
use sandgate_zygote::lowered::{Wall, stands};
use sandgate_zygote::protocol::{Calendar, Reaped, Setup, Started, send};
use serde::Serialize;
use tracing::{error, info, warn};

use crate::collect::collect;
use crate::drive::{Bounds, End, MAX_PROCESSES, Watch};
use crate::layout::Layout;
use crate::processes::{
    Guests, ending_of_orphan, out_of_memory_kills, own_memory, own_threads, tasks_of_user,
};
use crate::scratch::{Folders, Scratch};
use crate::verdict::{Evidence, judge};
use crate::zygote::{Child, Recipe, Zygote};

/// Threads that the interpreter, its libraries and those it starts may have beyond processes.
const MORE_THREADS: u64 = 128;

/// Processor time beyond what all processors give in the task's time, in seconds.
const MORE_CPU_SECONDS: u64 = 2;

/// In a second.
const NANOSECONDS: i128 = 1_000_000_000;

/// Everything it takes to run tasks.
#[derive(Debug)]
pub(crate) struct Runner {
    scratch: Scratch,
    interpreters: Vec<Interpreter>,
    readable: Vec<PathBuf>,
    /// The guest's environment before the task's own is added.
    environment: BTreeMap<String, String>,
    /// Tasks of our user before the first guest.
    tasks_before: u64,
    /// Why this environment must not run another task.
    pub(crate) spoiled: Option<String>,
}

/// A language, running or not.
#[derive(Debug)]
struct Interpreter {
    language: Language,
    /// How to start it, or why it cannot be.
    recipe: Result<Recipe, String>,
    zygote: Option<Zygote>,
}

/// What the interpreter gets of a task.
#[derive(Serialize)]
struct Program<'a> {
    code: &'a str,
    args: &'a [String],
    env: BTreeMap<&'a str, &'a str>,
    seed: Option<u64>,
}

/// What a child is given, and our ends of it.
struct Ends {
    theirs: [OwnedFd; 5],
    stdout: OwnedFd,
    stderr: OwnedFd,
    report: OwnedFd,
}

/// What came of a child.
struct Ran {
    end: End,
    watch: Watch,
    wall: Duration,
    system_out_of_memory: bool,
}

impl Runner {
    /// Starts the interpreters; they load their packages meanwhile.
    ///
    /// # Errors
    /// If there is no place for temporary files.
    pub(crate) fn start(layout: &Layout) -> io::Result<Self> {
        let scratch = Scratch::new(layout.temporary.as_deref())?;
        let mut interpreters: Vec<Interpreter> = layout
            .recipes()
            .into_iter()
            .map(|(language, recipe)| Interpreter {
                language,
                recipe,
                zygote: None,
            })
            .collect();
        for interpreter in &mut interpreters {
            match interpreter.zygote(&scratch.interpreters) {
                Ok(_) => {}
                Err(failure) => info!("{}", failure.message),
            }
        }
        Ok(Self {
            scratch,
            interpreters,
            readable: layout.readable(),
            environment: layout.guest_environment(),
            tasks_before: tasks_of_user(),
            spoiled: None,
        })
    }

    /// Waits until the interpreters are ready, and each has a child waiting; but not past `until`.
    pub(crate) fn warm_up(&mut self, until: Instant) {
        for interpreter in &mut self.interpreters {
            let language = interpreter.language;
            let Some(zygote) = &mut interpreter.zygote else {
                continue;
            };
            let began = Instant::now();
            match zygote.wait_until_ready(until).and_then(|ready| {
                if ready {
                    zygote.order()?;
                }
                Ok(ready)
            }) {
                Ok(true) => info!("{language} is ready ({} ms)", began.elapsed().as_millis()),
                Ok(false) => info!("{language} still loads its packages"),
                Err(problem) => {
                    error!("{language}: {problem}");
                    interpreter.zygote = None;
                }
            }
        }
    }

    /// Runs `task`, which must have ended by `deadline`.
    ///
    /// # Errors
    /// Only for what is not the guest's doing.
    pub(crate) fn execute(
        &mut self,
        task: &Task,
        deadline: Instant,
    ) -> Result<Outcome, RunnerFailure> {
        let child = self.child(task.language, deadline)?;
        let folders = self.scratch.prepare(task).map_err(internal);
        let outcome = folders.and_then(|folders| self.run(task, &child, &folders, deadline));
        let is_loading = self
            .interpreters
            .iter()
            .any(|interpreter| interpreter.zygote.as_ref().is_some_and(|z| !z.is_ready()));
        if stands(Wall::Cleaning)
            && let Err(problem) = self.scratch.clear(is_loading)
        {
            self.spoil(&format!("files of the guest cannot be removed: {problem}"));
        }
        // The next task finds its child waiting.
        if let Some(zygote) = self.zygote_of(task.language)
            && let Err(problem) = zygote.order()
        {
            warn!("{}: {problem}", task.language);
        }
        outcome
    }

    fn run(
        &mut self,
        task: &Task,
        child: &Child,
        folders: &Folders,
        deadline: Instant,
    ) -> Result<Outcome, RunnerFailure> {
        let ran = self.watch(task, child, folders, deadline);
        // However that went, the child must be gone before anything else is done.
        let zygotes = self.zygotes();
        let guests = Guests {
            zygotes: &zygotes,
            child: child.pid,
        };
        if stands(Wall::Killing)
            && let Err(problem) = guests.end()
        {
            self.spoil(&problem.to_string());
        }
        let reaped = self.reap(task.language, child.pid);
        let mut ran = ran.map_err(internal)?;
        ran.watch.drain().map_err(internal)?;
        let Watch {
            stdout,
            stderr,
            frames,
            peak_bytes,
            ..
        } = ran.watch;
        if let Some(refused) = &frames.refused {
            return Err(internal(format!("a wall cannot be raised: {refused}")));
        }
        let started = match &frames.started {
            Some(started) => started.clone(),
            None if ran.end == End::Timeout => Started::default(),
            None => return Err(internal("the child ended before its walls were raised")),
        };
        if !started.missing.is_empty() {
            info!("{}", started.missing.join("; "));
        }
        let (artifacts, left_behind) = collect(&folders.work, task);
        let verdict = judge(Evidence {
            end: ran.end,
            over_output: stdout.truncated || stderr.truncated,
            ending: reaped.map(|reaped| reaped.ending),
            system_out_of_memory: ran.system_out_of_memory,
            stderr: &stderr.bytes,
            error: frames.report.error,
        });
        let peak = reaped.map_or(0, |reaped| {
            reaped.peak_bytes.saturating_sub(started.resident_bytes)
        });
        Ok(Outcome {
            exit_code: verdict.exit_code,
            error: verdict.error,
            truncated: Truncated {
                stdout: stdout.truncated,
                stderr: stderr.truncated,
                results: frames.report.truncated,
                artifacts: left_behind,
            },
            stdout: stdout.bytes.into(),
            stderr: stderr.bytes.into(),
            results: frames.report.results,
            artifacts,
            // Nobody looks over its shoulder: it may have seen both.
            observed: sandgate_core::Observed {
                clock: true,
                entropy: true,
            },
            usage: Usage {
                wall_ms: ran.wall.as_secs_f64() * 1e3,
                peak_memory_bytes: peak.max(peak_bytes),
                ..Usage::default()
            },
            ..Outcome::empty(verdict.status)
        })
    }

    /// How the child ended. That the zygote answers is also the sign that it is well; one that does
    /// not is replaced.
    fn reap(&mut self, language: Language, child: u32) -> Option<Reaped> {
        match self.zygote_of(language)?.reap(child) {
            Ok(reaped) => Some(reaped),
            Err(problem) => {
                warn!("{language}: replacing the interpreter: {problem}");
                self.forget(language);
                let ending = ending_of_orphan(child)?;
                Some(Reaped {
                    ending,
                    peak_bytes: 0,
                })
            }
        }
    }

    /// Gives the child its task and watches it.
    fn watch(
        &mut self,
        task: &Task,
        child: &Child,
        folders: &Folders,
        deadline: Instant,
    ) -> io::Result<Ran> {
        let ends = self.ends(task, folders)?;
        let memory_bytes = u64::from(task.limits.memory_mb) << 20;
        let setup = self.setup(task, folders, memory_bytes);
        let kills_before = out_of_memory_kills();
        let started = Instant::now();
        let descriptors: Vec<_> = ends.theirs.iter().map(|end| end.as_fd()).collect();
        send(child.socket.as_fd(), &setup, &descriptors)?;
        drop(ends.theirs);
        let mut watch = Watch::new(ends.stdout, ends.stderr, ends.report, &task.limits);
        let deadline = deadline.min(started + Duration::from_millis(task.limits.timeout_ms));
        let zygotes = self.zygotes();
        let guests = Guests {
            zygotes: &zygotes,
            child: child.pid,
        };
        let inherited = self.inherited(task.language);
        let bounds = Bounds {
            deadline,
            inherited,
            memory_bytes,
            work: &folders.work,
        };
        let end = watch.run(&child.ended, &guests, bounds)?;
        Ok(Ran {
            end,
            watch,
            wall: started.elapsed(),
            system_out_of_memory: out_of_memory_kills() > kills_before,
        })
    }

    fn ends(&self, task: &Task, folders: &Folders) -> io::Result<Ends> {
        let home = folders.work.to_string_lossy();
        let temporary = folders.temporary.to_string_lossy();
        let mut env: BTreeMap<&str, &str> = self
            .environment
            .iter()
            .chain(&task.env)
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        env.entry("HOME").or_insert(&home);
        env.entry("TMPDIR").or_insert(&temporary);
        // For programs that it starts: in the working directory it would pass for a result.
        env.entry("MPLCONFIGDIR").or_insert(&temporary);
        let program = serde_json::to_vec(&Program {
            code: &task.code,
            args: &task.args,
            env,
            seed: task.seed,
        })?;
        let pipe = || -> io::Result<_> {
            let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
            // Only our end: what a guest writes must wait for us, not fail.
            rustix::io::ioctl_fionbio(&ours, true)?;
            Ok((ours, theirs))
        };
        let (stdout, stdout_in) = pipe()?;
        let (stderr, stderr_in) = pipe()?;
        let (report, report_in) = pipe()?;
        Ok(Ends {
            theirs: [
                filled(c"stdin", &task.stdin)?,
                stdout_in,
                stderr_in,
                filled(c"task", &program)?,
                report_in,
            ],
            stdout,
            stderr,
            report,
        })
    }

    fn setup(&mut self, task: &Task, folders: &Folders, memory_bytes: u64) -> Setup {
        let mut spared = own_threads();
        for interpreter in &mut self.interpreters {
            if let Some(zygote) = &mut interpreter.zygote {
                spared.push(zygote.pid());
                spared.extend(zygote.waiting());
            }
        }
        let processors = std::thread::available_parallelism().map_or(1, usize::from) as u64;
        let seconds = task.limits.timeout_ms.div_ceil(1_000);
        Setup {
            work: folders.work.clone(),
            temporary: folders.temporary.clone(),
            landlock_is_optional: self.scratch.is_all() && !rustix::process::geteuid().is_root(),
            readable: self.readable.clone(),
            spared,
            memory_bytes,
            file_bytes: task.limits.file_bytes,
            processes: self.tasks_before + MAX_PROCESSES as u64 + MORE_THREADS,
            cpu_seconds: seconds.saturating_mul(processors) + MORE_CPU_SECONDS,
            now: task.now.and_then(|now| calendar(now.as_nanosecond())),
        }
    }

    /// A child of the language's zygote. One that fails is replaced, once.
    fn child(&mut self, language: Language, deadline: Instant) -> Result<Child, RunnerFailure> {
        let temporary = self.scratch.interpreters.clone();
        let interpreter = self.interpreter(language)?;
        let mut failure = None;
        for _ in 0..2 {
            let zygote = interpreter.zygote(&temporary)?;
            let child = zygote.wait_until_ready(deadline).and_then(|ready| {
                if ready {
                    zygote.child()
                } else {
                    Err(io::Error::other("its packages are not loaded in time"))
                }
            });
            match child {
                Ok(child) => return Ok(child),
                Err(problem) => {
                    warn!("{language}: replacing the interpreter: {problem}");
                    interpreter.zygote = None;
                    failure = Some(problem);
                }
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        let reason = failure.map_or_else(String::new, |problem| problem.to_string());
        Err(internal(format!("{language} cannot run: {reason}")))
    }

    fn interpreter(&mut self, language: Language) -> Result<&mut Interpreter, RunnerFailure> {
        let found = self
            .interpreters
            .iter_mut()
            .find(|interpreter| interpreter.language == language);
        found.ok_or_else(|| RunnerFailure {
            kind: RunnerFailureKind::Unsupported,
            message: format!("the image does not have {language}"),
        })
    }

    fn zygote_of(&mut self, language: Language) -> Option<&mut Zygote> {
        self.interpreter(language).ok()?.zygote.as_mut()
    }

    fn forget(&mut self, language: Language) {
        if let Ok(interpreter) = self.interpreter(language) {
            interpreter.zygote = None;
        }
    }

    fn zygotes(&self) -> Vec<u32> {
        let running = |interpreter: &Interpreter| interpreter.zygote.as_ref().map(Zygote::pid);
        self.interpreters.iter().filter_map(running).collect()
    }

    /// Memory that a child has from its zygote.
    fn inherited(&mut self, language: Language) -> u64 {
        self.zygote_of(language)
            .map_or(0, |zygote| own_memory(zygote.pid()))
    }

    fn spoil(&mut self, reason: &str) {
        error!("this environment is not to be used again: {reason}");
        self.spoiled = Some(reason.to_owned());
    }
}

impl Interpreter {
    /// The zygote, started if it is not running.
    fn zygote(&mut self, temporary: &Path) -> Result<&mut Zygote, RunnerFailure> {
        let recipe = self.recipe.as_ref().map_err(|reason| RunnerFailure {
            kind: RunnerFailureKind::Unsupported,
            message: format!("the image does not have {}: {reason}", self.language),
        })?;
        if self.zygote.is_none() {
            let started = Zygote::start(recipe, temporary).map_err(|problem| {
                internal(format!("{} cannot start: {problem}", self.language))
            })?;
            self.zygote = Some(started);
        }
        self.zygote
            .as_mut()
            .ok_or_else(|| internal("no interpreter"))
    }
}

/// An instant, in nanoseconds since 1970, as the clock of a child takes it.
fn calendar(nanoseconds: i128) -> Option<Calendar> {
    Some(Calendar {
        seconds: i64::try_from(nanoseconds.div_euclid(NANOSECONDS)).ok()?,
        nanoseconds: u32::try_from(nanoseconds.rem_euclid(NANOSECONDS)).ok()?,
    })
}

/// A file in memory with `content`, to be read from its start.
fn filled(name: &std::ffi::CStr, content: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC)?);
    file.write_all(content)?;
    file.rewind()?;
    Ok(file.into())
}

fn internal(message: impl ToString) -> RunnerFailure {
    RunnerFailure {
        kind: RunnerFailureKind::Internal,
        message: message.to_string(),
    }
}
