//! What a person sees while things are built: one line per finished task, and on a terminal a
//! status line with the tasks under way.

use std::io::{self, IsTerminal, Write};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a log without a terminal hears that long tasks are still running: often enough for
/// CI services that end silent jobs.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// Progress output on stderr, shared by all threads.
#[derive(Debug)]
pub(crate) struct Console {
    terminal: bool,
    state: Mutex<State>,
    closed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: Vec<(u64, String, Instant)>,
    next_id: u64,
    status_shown: bool,
    closed: bool,
}

impl Console {
    /// A console on this process's stderr.
    pub(crate) fn new() -> Self {
        Self {
            terminal: io::stderr().is_terminal(),
            state: Mutex::default(),
            closed: Condvar::new(),
        }
    }

    /// Prints one line.
    pub(crate) fn line(&self, text: &str) {
        let mut state = self.lock();
        self.write_line(&mut state, text);
    }

    /// Runs `work` under the name of a task: the status line shows it while it runs, and a line
    /// says how long it took.
    pub(crate) fn task<T>(
        &self,
        name: &str,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let started = Instant::now();
        let id = {
            let mut state = self.lock();
            let id = state.next_id;
            state.next_id += 1;
            state.running.push((id, name.to_owned(), started));
            self.draw_status(&mut state);
            id
        };
        let result = work();
        let mut state = self.lock();
        state.running.retain(|(other, _, _)| *other != id);
        let outcome = if result.is_ok() {
            "done in"
        } else {
            "failed after"
        };
        self.write_line(
            &mut state,
            &format!("{name}: {outcome} {}", elapsed(started)),
        );
        result
    }

    /// Runs `work` while a second thread keeps the status line (or the heartbeat) alive.
    pub(crate) fn with_progress<T>(&self, work: impl FnOnce() -> T) -> T {
        // Ends the ticker however `work` ends: a panic that left it running would never return.
        struct CloseOnDrop<'a>(&'a Console);
        impl Drop for CloseOnDrop<'_> {
            fn drop(&mut self) {
                let mut state = self.0.lock();
                state.closed = true;
                self.0.clear_status(&mut state);
                self.0.closed.notify_all();
            }
        }

        self.lock().closed = false;
        std::thread::scope(|scope| {
            scope.spawn(|| self.tick());
            let _close = CloseOnDrop(self);
            work()
        })
    }

    fn tick(&self) {
        let period = if self.terminal {
            Duration::from_secs(1)
        } else {
            HEARTBEAT
        };
        let mut state = self.lock();
        while !state.closed {
            let (guard, wait) = self
                .closed
                .wait_timeout(state, period)
                .unwrap_or_else(PoisonError::into_inner);
            state = guard;
            if state.closed || !wait.timed_out() {
                continue;
            }
            if self.terminal {
                self.draw_status(&mut state);
            } else if let Some(text) = status(&state) {
                self.write_line(&mut state, &format!("still running: {text}"));
            }
        }
    }

    fn write_line(&self, state: &mut State, text: &str) {
        self.clear_status(state);
        // Nobody reads progress any more when stderr is gone; the work itself goes on.
        let _ = writeln!(io::stderr(), "{text}");
        self.draw_status(state);
    }

    fn draw_status(&self, state: &mut State) {
        if !self.terminal {
            return;
        }
        self.clear_status(state);
        if let Some(text) = status(state) {
            let _ = write!(io::stderr(), "… {text}");
            let _ = io::stderr().flush();
            state.status_shown = true;
        }
    }

    fn clear_status(&self, state: &mut State) {
        if state.status_shown {
            let _ = write!(io::stderr(), "\r\x1b[2K");
            state.status_shown = false;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tasks under way, kept short enough for one line of a terminal.
fn status(state: &State) -> Option<String> {
    let (first, rest) = state.running.split_first()?;
    let mut text = format!("{} {}", first.1, elapsed(first.2));
    for (_, name, started) in rest.iter().take(1) {
        text.push_str(&format!(" · {name} {}", elapsed(*started)));
    }
    if rest.len() > 1 {
        text.push_str(&format!(" · {} more", rest.len() - 1));
    }
    Some(text)
}

/// Time since `started`, for people.
pub(crate) fn elapsed(started: Instant) -> String {
    let seconds = started.elapsed().as_secs_f64();
    if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        let whole = started.elapsed().as_secs();
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_listed_only_while_it_runs() {
        let console = Console::new();
        console
            .task("guest: step", || {
                assert!(status(&console.lock()).unwrap().starts_with("guest: step"));
                Ok(())
            })
            .unwrap();
        assert_eq!(status(&console.lock()), None);
    }

    #[test]
    fn progress_ends_when_the_work_panics() {
        let console = Console::new();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            console.with_progress(|| panic!("the work failed"));
        }));
        assert!(panicked.is_err());
        assert!(console.lock().closed);
    }
}
