//! A process and everything below it, as `/proc` shows them.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Dir, Mode, OFlags, openat};
use rustix::io::read;
use rustix::process::{Pid, Signal, kill_process};

/// A process that forks while it is being stopped is caught by looking again, this often at most.
const MAX_ROUNDS: usize = 32;

/// The process and all its descendants.
pub(crate) fn members(root: Pid) -> Vec<Pid> {
    let mut children: HashMap<i32, Vec<Pid>> = HashMap::new();
    for (pid, parent) in parents().unwrap_or_default() {
        children.entry(parent).or_default().push(pid);
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        next += 1;
        found.extend(children.remove(&pid.as_raw_pid()).unwrap_or_default());
    }
    found
}

/// Every process of the machine with its parent. Looked at between any two invocations, so with as
/// few system calls as can be.
fn parents() -> io::Result<Vec<(Pid, i32)>> {
    let folder = openat(
        CWD,
        "/proc",
        OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let mut found = Vec::new();
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        let name = entry.file_name().to_str().ok();
        let pid = name.and_then(|name| Pid::from_raw(name.parse().ok()?));
        let Some(pid) = pid else {
            continue;
        };
        // One that is gone has no parent, and no children that are its own any more.
        if let Some(parent) = parent_of(&folder, pid) {
            found.push((pid, parent));
        }
    }
    Ok(found)
}

fn parent_of(folder: &OwnedFd, pid: Pid) -> Option<i32> {
    // Longer than any line: the name in it has 64 bytes at most, the rest are 50 numbers.
    let mut line = [0; 1280];
    let path = format!("{}/stat", pid.as_raw_pid());
    let file = openat(
        folder,
        path,
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .ok()?;
    let length = read(&file, &mut line).ok()?;
    parent_in(line.get(..length)?)
}

/// The fourth field. The second is a name that may hold anything, closing brackets included.
fn parent_in(stat: &[u8]) -> Option<i32> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Stops all descendants of a process, and itself unless `below`, and says which those were.
pub(crate) fn stop(root: Pid, below: bool) -> Vec<Pid> {
    let mut stopped = Vec::new();
    for _ in 0..MAX_ROUNDS {
        let mut new = members(root);
        new.retain(|pid| !stopped.contains(pid));
        if below {
            new.retain(|pid| *pid != root);
        }
        if new.is_empty() {
            break;
        }
        send(&new, Signal::STOP);
        stopped.extend(new);
    }
    stopped
}

/// Ends all descendants of a process.
pub(crate) fn kill_below(root: Pid) {
    send(&stop(root, true), Signal::KILL);
}

/// Sends a signal to each; one that is gone needs none.
pub(crate) fn send(pids: &[Pid], signal: Signal) {
    for pid in pids {
        if let Err(error) = kill_process(*pid, signal)
            && error != rustix::io::Errno::SRCH
        {
            tracing::debug!(pid = pid.as_raw_pid(), ?signal, %error, "cannot signal a process");
        }
    }
}

/// Resident memory of these processes in bytes, what they share counted for each.
pub(crate) fn resident_bytes(pids: &[Pid]) -> u64 {
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
    let pages = |pid: &Pid| -> Option<u64> {
        let statm = fs::read_to_string(format!("/proc/{}/statm", pid.as_raw_pid())).ok()?;
        statm.split_ascii_whitespace().nth(1)?.parse().ok()
    };
    pids.iter().filter_map(pages).sum::<u64>() * page
}

/// Memory of these processes in bytes, what they share counted once. For a process that may not be
/// looked into, the resident memory.
pub(crate) fn proportional_bytes(pids: &[Pid]) -> u64 {
    let share = |pid: &Pid| {
        let file = format!("/proc/{}/smaps_rollup", pid.as_raw_pid());
        fs::read_to_string(file)
            .ok()
            .and_then(|text| proportional_in(&text))
            .unwrap_or_else(|| resident_bytes(&[*pid]))
    };
    pids.iter().map(share).sum()
}

fn proportional_in(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_hide_the_parent() {
        assert_eq!(parent_in(b"42 (a) S 9 (b)) R 7 42 42 0"), Some(7));
        assert_eq!(parent_in(b"42 (sh) S 1 42 42 0"), Some(1));
        assert_eq!(parent_in(b"42 sh S 1"), None);
    }

    #[test]
    fn the_proportional_line_is_found() {
        let text = "55 r-xp\nRss: 900 kB\nPss:                 120 kB\nPss_Dirty: 8 kB\n";
        assert_eq!(proportional_in(text), Some(120 * 1024));
        assert_eq!(proportional_in("Rss: 1 kB"), None);
    }

    #[test]
    fn this_process_is_in_its_own_tree_and_uses_memory() {
        let me = rustix::process::getpid();
        let tree = members(me);
        assert!(tree.contains(&me));
        assert!(resident_bytes(&[me]) > 1 << 20);
    }
}
