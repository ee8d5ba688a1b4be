//! Each wall by what it holds: an attack succeeds with every wall up but those that stop it, and
//! fails with any one of these.

#![allow(unsafe_code, reason = "attacks are made of system calls")]

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use sandgate_core::Status;

use crate::support::{
    async_trial, is_alive, run, signal, task, this_program, trial, whole_sandbox,
};

const WALLS: [&str; 9] = [
    "environment",
    "descriptors",
    "namespaces",
    "privileges",
    "landlock",
    "resources",
    "orphan",
    "dump",
    "seccomp",
];

/// Something to try.
struct Attack {
    name: &'static str,
    /// Each of these stops it alone.
    stopped_by: &'static [&'static str],
    /// These stop it only together with others, or only on some systems.
    hindered_by: &'static [&'static str],
    /// Only root gets anywhere with it in the first place.
    as_root: bool,
}

const fn attack_of(
    name: &'static str,
    stopped_by: &'static [&'static str],
    hindered_by: &'static [&'static str],
) -> Attack {
    Attack {
        name,
        stopped_by,
        hindered_by,
        as_root: false,
    }
}

const fn attack_of_root(name: &'static str, stopped_by: &'static [&'static str]) -> Attack {
    Attack {
        name,
        stopped_by,
        hindered_by: &[],
        as_root: true,
    }
}

const ATTACKS: [Attack; 19] = [
    attack_of("read-a-file", &["landlock", "resources", "seccomp"], &[]),
    attack_of_root(
        "read-a-secret",
        &["privileges", "landlock", "resources", "seccomp"],
    ),
    attack_of_root(
        "write-a-file",
        &["privileges", "landlock", "resources", "seccomp"],
    ),
    attack_of_root(
        "read-the-parents-environment",
        &["privileges", "landlock", "resources", "seccomp"],
    ),
    attack_of("read-its-own-environment", &["environment"], &[]),
    // Seccomp allows next to nothing on it, but does not close it.
    attack_of(
        "use-an-inherited-descriptor",
        &["descriptors"],
        &["seccomp"],
    ),
    attack_of("open-a-socket", &["resources", "seccomp"], &[]),
    attack_of(
        "connect-to-the-host",
        &["namespaces", "landlock", "resources", "seccomp"],
        &[],
    ),
    attack_of("find-shared-memory", &["namespaces", "seccomp"], &[]),
    // Behind a limit on descriptors a program starts, but cannot load its libraries.
    attack_of(
        "execute-a-program",
        &["landlock", "seccomp"],
        &["resources"],
    ),
    // The limit on processes binds everybody but root.
    attack_of("fork", &["seccomp"], &["resources"]),
    attack_of("start-a-thread", &["seccomp"], &["resources"]),
    attack_of_root("trace-the-parent", &["privileges", "landlock", "seccomp"]),
    attack_of_root("signal-the-parent", &["privileges", "landlock", "seccomp"]),
    attack_of_root("become-root-again", &["privileges", "seccomp"]),
    attack_of("map-new-code", &["seccomp"], &[]),
    attack_of("make-memory-executable", &["seccomp"], &[]),
    attack_of("take-all-memory", &["resources"], &[]),
    // A change of user has the same effect.
    attack_of("be-dumped", &["dump", "seccomp"], &["privileges"]),
];

const SECRET: &str = "SANDGATE_TEST_SECRET";
/// An attack that got what it wanted.
const SUCCEEDED: u8 = 42;
/// An attack that the system refused.
const REFUSED: u8 = 43;
/// A process that would not go on with what it was started with.
const RAISED_NONE: u8 = 44;
/// The descriptor a careless parent passes on.
const LEAKED: i32 = 9;

pub(crate) fn trials() -> Vec<Trial> {
    let attacks = ATTACKS
        .into_iter()
        .map(|attack| trial(&format!("walls::{}", attack.name), move || attack.try_out()));
    let mut trials: Vec<_> = attacks.collect();
    trials.push(trial("walls::outlive_the_parent", outlive_the_parent));
    trials.push(async_trial(
        "walls::workers_own_next_to_nothing",
        workers_own_next_to_nothing,
    ));
    trials
}

impl Attack {
    fn try_out(&self) {
        if self.as_root && !rustix::process::geteuid().is_root() {
            return;
        }
        let name = self.name;
        let stops = |wall: &&str| self.stopped_by.contains(wall) || self.hindered_by.contains(wall);
        let others: Vec<_> = WALLS.into_iter().filter(|wall| !stops(wall)).collect();
        assert!(
            self.succeeds(&others),
            "{name} fails even with only {others:?}"
        );
        for wall in self.stopped_by {
            if *wall == "namespaces" && !can_leave_namespaces() {
                continue;
            }
            assert!(!self.succeeds(&[wall]), "{name} succeeds with {wall}");
        }
        assert!(!self.succeeds(&WALLS), "{name} succeeds with all walls");
    }

    /// Lets a process behind `walls` try it.
    fn succeeds(&self, walls: &[&str]) -> bool {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let _segment = (self.name == "find-shared-memory").then(|| Segment::new(port));
        let secret = tempfile::NamedTempFile::new().unwrap();
        let mut command = Command::new(this_program());
        command
            .arg("role=attack")
            .arg(self.name)
            .arg(walls.join(","))
            .arg(secret.path())
            .arg(port.to_string())
            .env_clear();
        if self.name == "read-its-own-environment" {
            command.env(SECRET, "1");
        }
        if self.name == "use-an-inherited-descriptor" {
            // SAFETY: duplicates a descriptor, which is allowed between fork and exec.
            unsafe {
                command.pre_exec(|| match libc::dup2(0, LEAKED) {
                    LEAKED => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                });
            }
        }
        let status = command
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        judge(self.name, walls, status)
    }
}

/// Whether this system lets a process leave its namespaces. Where it does not, workers do without
/// that wall.
fn can_leave_namespaces() -> bool {
    static CAN: LazyLock<bool> = LazyLock::new(|| {
        let attempt = attack_of("leave-its-namespaces", &[], &[]);
        attempt.succeeds(&[])
    });
    *CAN
}

/// A piece of System V shared memory that everybody may use, under a key made of a port that is
/// this process's own.
struct Segment(i32);

impl Segment {
    fn key(port: u16) -> i32 {
        0x5a6e_0000 | i32::from(port)
    }

    fn new(port: u16) -> Self {
        // SAFETY: makes a segment; nothing is attached.
        let id = unsafe { libc::shmget(Self::key(port), 4096, libc::IPC_CREAT | 0o666) };
        assert!(id >= 0, "{}", io::Error::last_os_error());
        Self(id)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: removes the segment, which nobody has attached; asks for nothing in return.
        unsafe { libc::shmctl(self.0, libc::IPC_RMID, std::ptr::null_mut()) };
    }
}

fn leave_namespaces() -> bool {
    let inner = libc::CLONE_NEWNET | libc::CLONE_NEWIPC;
    // SAFETY: one thread, and no descriptors are unshared.
    unsafe { libc::unshare(inner) == 0 || libc::unshare(inner | libc::CLONE_NEWUSER) == 0 }
}

fn judge(attack: &str, walls: &[&str], status: ExitStatus) -> bool {
    let refused = [REFUSED, RAISED_NONE].map(|code| Some(i32::from(code)));
    let refused = refused.contains(&status.code());
    if status.code() == Some(SUCCEEDED.into()) {
        return true;
    }
    // Nothing else may have stopped it.
    let filtered = status.signal() == Some(libc::SIGSYS) && walls.contains(&"seccomp");
    assert!(
        refused || filtered,
        "{attack} with {walls:?} ended with {status}"
    );
    false
}

/// The walls of a list.
fn names(walls: &str) -> Vec<&str> {
    walls.split(',').filter(|wall| !wall.is_empty()).collect()
}

/// The attacker's process. `walls` are put up, then `attack` is tried.
pub(crate) fn attack(attack: &str, walls: &str, secret: &str, port: &str) -> ExitCode {
    let port: u16 = port.parse().unwrap();
    let secret = std::ffi::CString::new(secret).unwrap();
    let parent = rustix::process::getppid().unwrap();
    let environ = format!("/proc/{}/environ", parent.as_raw_nonzero());
    if sandgate_sandbox::raise_for_test(&names(walls)).is_err() {
        return ExitCode::from(RAISED_NONE);
    }
    let number = parent.as_raw_nonzero().get();
    let worked = match attack {
        "read-a-file" => File::open("/proc/sys/kernel/ostype").is_ok(),
        // SAFETY: `secret` ends with a NUL.
        "read-a-secret" => unsafe { libc::open(secret.as_ptr(), libc::O_RDONLY) >= 0 },
        // SAFETY: as above.
        "write-a-file" => unsafe { libc::open(secret.as_ptr(), libc::O_WRONLY) >= 0 },
        "read-the-parents-environment" => {
            let mut byte = [0];
            File::open(environ)
                .and_then(|mut file| file.read(&mut byte))
                .is_ok()
        }
        "read-its-own-environment" => std::env::var_os(SECRET).is_some(),
        // SAFETY: asks for a flag of a descriptor.
        "use-an-inherited-descriptor" => unsafe { libc::fcntl(LEAKED, libc::F_GETFD) >= 0 },
        // SAFETY: makes a socket.
        "open-a-socket" => unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) >= 0 },
        // SAFETY: looks for a segment; attaches nothing.
        "find-shared-memory" => unsafe { libc::shmget(Segment::key(port), 0, 0) >= 0 },
        "leave-its-namespaces" => leave_namespaces(),
        "connect-to-the-host" => TcpStream::connect(("127.0.0.1", port)).is_ok(),
        "execute-a-program" => {
            let error = Command::new("/proc/self/exe")
                .args(["role=attack", "none", "", "", "0"])
                .exec();
            // Still here: it was refused.
            drop(error);
            false
        }
        "fork" => fork(),
        "start-a-thread" => std::thread::Builder::new().spawn(|| {}).is_ok(),
        // SAFETY: asks to trace a process; a refusal changes nothing.
        "trace-the-parent" => unsafe { libc::ptrace(libc::PTRACE_SEIZE, number, 0, 0) == 0 },
        // SAFETY: signal 0 only asks whether it may.
        "signal-the-parent" => unsafe { libc::kill(number, 0) == 0 },
        // SAFETY: one thread.
        "become-root-again" => unsafe { libc::setresuid(0, 0, 0) == 0 },
        "map-new-code" => map(libc::PROT_READ | libc::PROT_EXEC, 4096).is_some(),
        "make-memory-executable" => {
            let page = map(libc::PROT_READ | libc::PROT_WRITE, 4096).unwrap();
            // SAFETY: the page is mapped and nothing is in it.
            unsafe { libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_EXEC) == 0 }
        }
        "take-all-memory" => map(libc::PROT_READ | libc::PROT_WRITE, 2 << 30).is_some(),
        // SAFETY: asks for a flag of this process.
        "be-dumped" => unsafe { libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0) == 1 },
        "none" => true,
        _ => return ExitCode::FAILURE,
    };
    ExitCode::from(if worked { SUCCEEDED } else { REFUSED })
}

fn fork() -> bool {
    // SAFETY: one thread, and the child does nothing but end.
    match unsafe { libc::fork() } {
        -1 => false,
        // SAFETY: ends the child without running anything of the parent's.
        0 => unsafe { libc::_exit(0) },
        _ => true,
    }
}

fn map(protection: i32, length: usize) -> Option<*mut libc::c_void> {
    // SAFETY: a new mapping where the kernel likes it.
    let address = unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        libc::mmap(std::ptr::null_mut(), length, protection, flags, -1, 0)
    };
    (address != libc::MAP_FAILED).then_some(address)
}

/// Starts a process behind `walls` that lingers, tells its number and leaves it alone.
#[expect(clippy::zombie_processes, reason = "being left alone is the point")]
pub(crate) fn forsake(walls: &str) -> ExitCode {
    let mut child = Command::new(this_program())
        .args(["role=linger", walls])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut byte = [0];
    child.stdout.take().unwrap().read_exact(&mut byte).unwrap();
    println!("{}", child.id());
    ExitCode::SUCCESS
}

/// Puts up `walls`, says so, and lingers.
pub(crate) fn linger(walls: &str) -> ExitCode {
    if sandgate_sandbox::raise_for_test(&names(walls)).is_err() {
        return ExitCode::from(RAISED_NONE);
    }
    io::stdout().write_all(b".").unwrap();
    io::stdout().flush().unwrap();
    std::thread::sleep(Duration::from_secs(120));
    ExitCode::SUCCESS
}

fn outlive_the_parent() {
    let outlives = |walls: &[&str], patience: Duration| {
        let output = Command::new(this_program())
            .args(["role=forsake", &walls.join(",")])
            .output()
            .unwrap();
        let pid: u32 = String::from_utf8(output.stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let start = Instant::now();
        while is_alive(pid) {
            if start.elapsed() > patience {
                signal(pid, rustix::process::Signal::KILL);
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    };
    // With seccomp, the process could not say that it is there.
    let others: Vec<_> = WALLS
        .into_iter()
        .filter(|wall| !["orphan", "seccomp"].contains(wall))
        .collect();
    // A process that is to end has two seconds to show it, and one that must end a minute.
    let outlives_for_now = outlives(&others, Duration::from_secs(2));
    assert!(outlives_for_now, "something else ends it");
    let outlives_for_good = outlives(&["orphan"], Duration::from_secs(60));
    assert!(!outlives_for_good, "it outlives its parent");
}

/// The walls as they look from outside.
async fn workers_own_next_to_nothing() {
    let sandbox = whole_sandbox(1).await;
    assert_eq!(run(&sandbox, task("h")).await.unwrap().status, Status::Ok);
    if !rustix::process::geteuid().is_root() {
        // Workers cannot be inspected, which is as it should be.
        return;
    }
    for pid in sandbox.status().workers {
        assert_eq!(fs::read(format!("/proc/{pid}/environ")).unwrap(), b"");
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
            let target = fs::read_link(entry.unwrap().path()).unwrap();
            let target = target.to_str().unwrap();
            let expected = ["socket:", "pipe:", "/dev/null", "/proc/"];
            let known = expected.iter().any(|start| target.starts_with(start));
            assert!(known || target.contains(".cwasm"), "{target}");
        }
        if can_leave_namespaces() {
            for kind in ["net", "ipc"] {
                let of =
                    |process: &str| fs::read_link(format!("/proc/{process}/ns/{kind}")).unwrap();
                assert_ne!(of(&pid.to_string()), of("self"), "{kind}");
            }
        }
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        for (limit, value) in [
            ("Max open files", "1"),
            ("Max file size", "0"),
            ("Max processes", "0"),
            ("Max core file size", "0"),
            ("Max locked memory", "0"),
            ("Max msgqueue size", "0"),
        ] {
            let line = limits.lines().find(|line| line.starts_with(limit)).unwrap();
            let mut values = line[limit.len()..].split_whitespace();
            assert_eq!(
                (values.next(), values.next()),
                (Some(value), Some(value)),
                "{line}"
            );
        }
        let data = limits
            .lines()
            .find(|line| line.starts_with("Max data size"));
        assert!(!data.unwrap().contains("unlimited"), "{data:?}");
        let score = fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
        assert_eq!(score, "1000\n");
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        for line in [
            "Threads:\t1\n",
            "NoNewPrivs:\t1\n",
            "Seccomp:\t2\n",
            "CapPrm:\t0000000000000000\n",
        ] {
            assert!(status.contains(line), "{line}: {status}");
        }
    }
}
