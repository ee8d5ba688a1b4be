//! What the kernel says about processes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// A process, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process(pub u32);

impl Process {
    /// This one.
    pub fn this() -> Self {
        Self(std::process::id())
    }

    fn path(self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.0.to_string()).join(name)
    }

    fn read(self, name: &str) -> std::io::Result<String> {
        fs::read_to_string(self.path(name))
    }

    /// The fields of `/proc/<pid>/status`.
    pub fn status(self) -> BTreeMap<String, String> {
        self.read("status")
            .unwrap_or_default()
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect()
    }

    /// Resident memory in KiB; 0 for one that has ended.
    pub fn resident_kib(self) -> u64 {
        self.status()
            .get("VmRSS")
            .and_then(|value| value.split_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    }

    /// How many threads it has.
    pub fn threads(self) -> usize {
        self.status()["Threads"].parse().unwrap()
    }

    /// What its descriptors refer to. `None` where the kernel does not let this process look.
    pub fn descriptors(self) -> Option<BTreeMap<u32, String>> {
        let mut descriptors = BTreeMap::new();
        for entry in fs::read_dir(self.path("fd")).ok()? {
            let entry = entry.ok()?;
            let number = entry.file_name().to_str()?.parse().ok()?;
            // One may be closed meanwhile.
            if let Ok(target) = fs::read_link(entry.path()) {
                descriptors.insert(number, target.to_string_lossy().into_owned());
            }
        }
        Some(descriptors)
    }

    /// Its environment, where it can be read.
    pub fn environment(self) -> std::io::Result<String> {
        self.read("environ")
    }

    /// Its limits, by name, soft and hard.
    pub fn limits(self) -> BTreeMap<String, [String; 2]> {
        self.read("limits")
            .unwrap_or_default()
            .lines()
            .skip(1)
            .filter_map(|line| {
                let name = line.get(..26)?.trim().to_owned();
                let mut values = line.get(26..)?.split_whitespace().map(str::to_owned);
                Some((name, [values.next()?, values.next()?]))
            })
            .collect()
    }

    /// Processor time used so far, in clock ticks.
    pub fn ticks(self) -> u64 {
        let stat = self.read("stat").unwrap_or_default();
        // The name in parentheses may hold anything; the fields after it are numbers.
        let fields: Vec<_> = stat
            .rsplit(')')
            .next()
            .unwrap_or("")
            .split_whitespace()
            .collect();
        let number = |index: usize| fields.get(index).and_then(|f| f.parse::<u64>().ok());
        number(11).unwrap_or(0) + number(12).unwrap_or(0)
    }

    /// Whether it is there, and not a zombie.
    pub fn is_alive(self) -> bool {
        self.status()
            .get("State")
            .is_some_and(|state| !state.starts_with(['Z', 'X']))
    }

    fn parent(self) -> Option<u32> {
        self.status().get("PPid")?.parse().ok()
    }

    /// Its children, dead but unreaped ones too.
    pub fn children(self) -> Vec<Self> {
        fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| Some(Self(entry.ok()?.file_name().to_str()?.parse().ok()?)))
            .filter(|process| process.parent() == Some(self.0))
            .collect()
    }

    /// Its living children that run `program`.
    pub fn children_running(self, program: &Path) -> Vec<Self> {
        let name = program.file_name().unwrap().to_str().unwrap();
        // The kernel keeps 15 bytes of a program's name, for everybody to read.
        let name = &name[..name.len().min(15)];
        self.children()
            .into_iter()
            .filter(|child| {
                child.is_alive() && child.status().get("Name").is_some_and(|n| n == name)
            })
            .collect()
    }

    pub fn send(self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.0).unwrap()).unwrap();
        // It may be gone already.
        let _ = kill_process(pid, signal);
    }
}

/// Which one of `workers` uses the processor while all others rest.
pub fn busy(workers: impl Fn() -> Vec<Process>) -> Process {
    let now = || -> Vec<_> { workers().iter().map(|w| (*w, w.ticks())).collect() };
    let mut before = now();
    for _ in 0..300 {
        std::thread::sleep(Duration::from_millis(200));
        let busy: Vec<_> = before
            .iter()
            .filter(|(worker, ticks)| worker.ticks() >= ticks + 2)
            .collect();
        match busy[..] {
            [(worker, _)] => return *worker,
            // It shows in time, however small its share of a busy machine.
            [] if !before.is_empty() => {}
            // One of them may only just have started.
            [] | [..] => before = now(),
        }
    }
    panic!("not one worker is busy");
}

/// Runs the test `name` in a process of its own, so that what is counted there (memory, threads,
/// descriptors, children) is its own. Returns whether this is that process.
pub fn alone(name: &str) -> bool {
    const ALONE: &str = "SANDGATE_TEST_ALONE";
    if std::env::var(ALONE).is_ok_and(|value| value == name) {
        return true;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(ALONE, name)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    println!("{text}");
    assert!(
        output.status.success(),
        "`{name}` failed in its own process"
    );
    assert!(
        text.contains("1 passed"),
        "`{name}` is not the name of a test"
    );
    false
}
