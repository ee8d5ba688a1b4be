//! The runner's descendants: how many there are, what they hold, and their end.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::process::id;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use sandgate_zygote::protocol::Ending;

/// How long it may take until all are gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long is waited before looking again: at first as long as one process takes to become a
/// zombie. Of very many the last takes longer, and looking takes time from their ending.
const FIRST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(5);

/// A running process, as `/proc` has it.
#[derive(Clone, Copy, Debug)]
struct Process {
    parent: u32,
    /// It has ended and nobody has asked how.
    zombie: bool,
}

/// What the guest's processes have together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// How many there are.
    pub(crate) processes: usize,
    /// Memory beyond what each got from its zygote, in bytes. Pages that they share count for each.
    pub(crate) memory_bytes: u64,
}

/// The guest's processes: all descendants of the runner that are not its own.
#[derive(Debug)]
pub(crate) struct Guests<'a> {
    /// The zygotes. Other children of theirs than `child` wait for a task yet to come.
    pub(crate) zygotes: &'a [u32],
    /// The child that runs the task.
    pub(crate) child: u32,
}

impl Guests<'_> {
    /// What they have; each got `inherited` bytes from its zygote. Where there are more than `most`
    /// nobody asks for their memory: with so many, looking takes long.
    ///
    /// # Errors
    /// If `/proc` cannot be read.
    pub(crate) fn survey(&self, inherited: u64, most: usize) -> io::Result<Survey> {
        let mut running = self.all()?;
        running.retain(|(_, process)| !process.zombie);
        let own = |pid: u32| own_memory(pid).saturating_sub(inherited);
        Ok(Survey {
            processes: running.len(),
            memory_bytes: if running.len() > most {
                0
            } else {
                running.iter().map(|(pid, _)| own(*pid)).sum()
            },
        })
    }

    /// Ends them all, and waits until none is left.
    ///
    /// # Errors
    /// If one is left: the environment is not to be used again.
    pub(crate) fn end(&self) -> io::Result<()> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let mut left = false;
            for (pid, process) in self.all()? {
                let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
                    continue;
                };
                if !process.zombie {
                    left = true;
                    // It may have ended since.
                    let _ = kill_process(pid, Signal::KILL);
                } else if pid.as_raw_nonzero().get().unsigned_abs() == self.child {
                    // How it ended is still to be asked.
                } else if process.parent == id() {
                    // Others' children are their parents' to ask for, or become ours.
                    let _ = waitpid(Some(pid), WaitOptions::NOHANG);
                } else {
                    left = true;
                }
            }
            if !left {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                return Err(io::Error::other("processes of the guest cannot be ended"));
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn all(&self) -> io::Result<Vec<(u32, Process)>> {
        let table = table()?;
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for (pid, process) in &table {
            children.entry(process.parent).or_default().push(*pid);
        }
        let mut found = Vec::new();
        let mut seen = HashSet::from([id()]);
        let mut open = vec![id()];
        while let Some(parent) = open.pop() {
            for pid in children.get(&parent).into_iter().flatten() {
                // The table is not of one instant: it may have a circle.
                if !seen.insert(*pid) {
                    continue;
                }
                let own = self.zygotes.contains(pid)
                    || (self.zygotes.contains(&parent) && *pid != self.child);
                if own && !self.zygotes.contains(pid) {
                    continue;
                }
                open.push(*pid);
                if let (false, Some(process)) = (own, table.get(pid)) {
                    found.push((*pid, *process));
                }
            }
        }
        Ok(found)
    }
}

fn table() -> io::Result<HashMap<u32, Process>> {
    let mut table = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // One that has ended since has no file.
        let Ok(text) = fs::read(format!("/proc/{pid}/stat")) else {
            continue;
        };
        if let Some(process) = parse(&text) {
            table.insert(pid, process);
        }
    }
    Ok(table)
}

/// Reads a line of `/proc/<pid>/stat`.
fn parse(line: &[u8]) -> Option<Process> {
    // The name in parentheses is the program's own choice and may contain any byte.
    let end = line.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(line.get(end + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Process {
        zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
    })
}

/// How many processes and threads this process's user has on this system.
pub(crate) fn tasks_of_user() -> u64 {
    let user = rustix::process::getuid().as_raw();
    let count = |pid: &str| -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        (field(&text, "Uid:")? == u64::from(user)).then(|| field(&text, "Threads:"))?
    };
    let Ok(entries) = fs::read_dir("/proc") else {
        return 0;
    };
    entries
        .flatten()
        .filter_map(|entry| count(entry.file_name().to_str()?))
        .sum()
}

/// How a process ended that became a child of ours when its zygote did.
pub(crate) fn ending_of_orphan(pid: u32) -> Option<Ending> {
    let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
    let (_, status) = waitpid(Some(pid), WaitOptions::NOHANG).ok()??;
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Some(Ending::Exited(code)),
        (None, Some(signal)) => Some(Ending::Killed(signal)),
        (None, None) => None,
    }
}

/// The threads of this process.
pub(crate) fn own_threads() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc/self/task") else {
        return vec![id()];
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Memory of a process that is no file's, in bytes: what it wrote, and what it shares with others.
/// A child has all of its zygote's from the start; of files, only what it touches itself.
pub(crate) fn own_memory(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    ["RssAnon:", "RssShmem:"]
        .iter()
        .filter_map(|name| field(&text, name))
        .map(|kib| kib << 10)
        .sum()
}

/// A number in `/proc/<pid>/status`.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// How often this system has ended a process because memory ran out.
pub(crate) fn out_of_memory_kills() -> u64 {
    let text = fs::read_to_string("/proc/vmstat").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_pass_for_other_fields() {
        let line = b"7 (a) Z 1 (b)) S 42 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 100 2000 10 1";
        let process = parse(line).unwrap();
        assert_eq!(process.parent, 42);
        assert!(!process.zombie);
        assert!(parse(b"").is_none() && parse(b"7 (a) S").is_none());
    }

    #[test]
    fn this_process_is_among_its_users() {
        // Other tests start threads between the two.
        let counted = || tasks_of_user() >= own_threads().len() as u64;
        assert!((0..100).any(|_| counted()));
        assert!(own_memory(id()) > 0);
    }
}
