//! Runs tasks that depend on each other, a few at a time.

use std::sync::{Condvar, Mutex, PoisonError};

use anyhow::Result;

/// A task's place in its [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskId(usize);

/// Tasks and what each waits for. A task can only wait for tasks added before it, so there are
/// no cycles.
#[derive(Default)]
pub(crate) struct Graph<'a> {
    tasks: Vec<Task<'a>>,
}

struct Task<'a> {
    needs: Vec<TaskId>,
    state: TaskState<'a>,
}

enum TaskState<'a> {
    Waiting(Box<dyn FnOnce() -> Result<()> + Send + 'a>),
    Running,
    Done,
}

struct Shared<'a> {
    tasks: Vec<Task<'a>>,
    running: usize,
    errors: Vec<anyhow::Error>,
}

impl<'a> Graph<'a> {
    /// Adds a task that starts when all of `needs` have succeeded.
    pub(crate) fn add(
        &mut self,
        needs: Vec<TaskId>,
        run: impl FnOnce() -> Result<()> + Send + 'a,
    ) -> TaskId {
        let id = TaskId(self.tasks.len());
        debug_assert!(
            needs.iter().all(|need| need.0 < id.0),
            "a task needs a later task"
        );
        self.tasks.push(Task {
            needs,
            state: TaskState::Waiting(Box::new(run)),
        });
        id
    }

    /// Runs everything, at most `workers` tasks at a time. After the first failure nothing new is
    /// started; what is running ends first. Returns every error.
    pub(crate) fn run(self, workers: usize) -> Result<(), Vec<anyhow::Error>> {
        let shared = Mutex::new(Shared {
            tasks: self.tasks,
            running: 0,
            errors: Vec::new(),
        });
        let changed = Condvar::new();
        std::thread::scope(|scope| {
            for _ in 0..workers.max(1) {
                scope.spawn(|| work(&shared, &changed));
            }
        });
        let errors = shared
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .errors;
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }
}

fn work(shared: &Mutex<Shared<'_>>, changed: &Condvar) {
    let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let Some(run) = state.take_ready() else {
            if state.running == 0 {
                return;
            }
            state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        let (id, run) = run;
        state.running += 1;
        drop(state);
        // A panic must not leave the other workers waiting for a task that never ends.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run))
            .unwrap_or_else(|_| Err(anyhow::anyhow!("a task panicked")));
        state = shared.lock().unwrap_or_else(PoisonError::into_inner);
        state.running -= 1;
        match result {
            Ok(()) => state.tasks[id.0].state = TaskState::Done,
            Err(error) => state.errors.push(error),
        }
        changed.notify_all();
    }
}

impl<'a> Shared<'a> {
    #[expect(
        clippy::type_complexity,
        reason = "the pair is taken apart by the only caller"
    )]
    fn take_ready(&mut self) -> Option<(TaskId, Box<dyn FnOnce() -> Result<()> + Send + 'a>)> {
        if !self.errors.is_empty() {
            return None;
        }
        let index = (0..self.tasks.len()).find(|&index| {
            let task = &self.tasks[index];
            matches!(task.state, TaskState::Waiting(_))
                && task
                    .needs
                    .iter()
                    .all(|need| matches!(self.tasks[need.0].state, TaskState::Done))
        })?;
        match std::mem::replace(&mut self.tasks[index].state, TaskState::Running) {
            TaskState::Waiting(run) => Some((TaskId(index), run)),
            TaskState::Running | TaskState::Done => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn tasks_run_after_what_they_need() {
        let order = Mutex::new(Vec::new());
        let mut graph = Graph::default();
        let first = graph.add(vec![], || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            order.lock().unwrap().push("first");
            Ok(())
        });
        let second = graph.add(vec![first], || {
            order.lock().unwrap().push("second");
            Ok(())
        });
        graph.add(vec![first, second], || {
            order.lock().unwrap().push("third");
            Ok(())
        });
        graph.run(3).unwrap();
        assert_eq!(*order.lock().unwrap(), ["first", "second", "third"]);
    }

    #[test]
    fn a_failure_stops_what_depends_on_it() {
        let ran = AtomicUsize::new(0);
        let mut graph = Graph::default();
        let fails = graph.add(vec![], || anyhow::bail!("no such file"));
        graph.add(vec![fails], || {
            ran.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        let errors = graph.run(2).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].to_string(), "no such file");
        assert_eq!(ran.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_panic_is_an_error_not_a_deadlock() {
        let mut graph = Graph::default();
        let panics = graph.add(vec![], || panic!("broken"));
        graph.add(vec![panics], || Ok(()));
        assert_eq!(graph.run(2).unwrap_err().len(), 1);
    }
}
