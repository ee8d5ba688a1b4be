//! Attacks that work once their wall is taken out. What each test of `attacks.rs` sees fail is seen
//! to work here by the same attempt, so that it is the wall that made it fail and nothing else.
//!
//! Where two walls hold the same, each is taken out alone, which the other must make up for, and
//! then both.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::process::{Pid, Signal, kill_process};
use sandgate_core::{Outcome, RunnerFailureKind, Status};
use sandgate_zygote::lowered::Wall::{self, *};

use crate::attempts;
use crate::harness::{Environment, SECRET, limited, paths, python, shown};

/// What an attempt printed, in an environment without these walls.
fn printed(walls: &[Wall], attempt: impl FnOnce(&Environment) -> String) -> String {
    let environment = Environment::without(walls);
    let outcome = environment.python(&attempt(&environment));
    assert!(
        matches!(outcome.status, Status::Ok | Status::Error),
        "{walls:?}: {}",
        shown(&outcome)
    );
    String::from_utf8_lossy(&outcome.stdout).into_owned()
}

/// Whether this system lets a process trace only its own descendants, whoever they belong to.
fn tracing_is_restricted() -> bool {
    fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").is_ok_and(|scope| scope.trim() != "0")
}

#[test]
fn reading_the_functions_environment() {
    let own = printed(&[Environment], |environment| {
        attempts::reading_environments(environment.pid())
    });
    assert!(own.contains(SECRET), "{own}");

    let of_others = |walls: &[Wall]| {
        printed(walls, |environment| {
            attempts::reading_environments(environment.pid())
        })
    };
    for one in [NotDumpable, Landlock] {
        let printed = of_others(&[one]);
        assert!(!printed.contains(SECRET), "{one:?}: {printed}");
    }
    let printed = of_others(&[NotDumpable, Landlock]);
    assert!(printed.contains(SECRET), "{printed}");
}

#[test]
fn reading_the_runners_memory() {
    let read = |walls: &[Wall]| {
        printed(walls, |environment| {
            attempts::reading_memory(environment.pid())
        })
    };
    for one in [NotDumpable, Landlock] {
        let printed = read(&[one]);
        assert_eq!(printed.matches("maps Permission").count(), 2, "{printed}");
        assert_eq!(printed.matches("mem Permission").count(), 2, "{printed}");
    }
    let printed = read(&[NotDumpable, Landlock]);
    assert_eq!(printed.matches("maps 100").count(), 2, "{printed}");
    if !tracing_is_restricted() {
        // Open, and nothing is at address 0.
        assert_eq!(printed.matches("mem Input").count(), 2, "{printed}");
    }
    // Without the filter, the call to read another's memory exists.
    let printed = read(&[Seccomp]);
    assert_eq!(printed.matches("vm -1 38").count(), 0, "{printed}");
}

#[test]
fn tracing_the_runner_and_the_zygote() {
    let traced =
        |walls: &[Wall]| printed(walls, |environment| attempts::tracing(environment.pid()));
    for held in [
        &[NotDumpable, Landlock][..],
        &[Seccomp],
        &[Seccomp, NotDumpable],
        &[Seccomp, Landlock],
    ] {
        let printed = traced(held);
        assert_eq!(printed.matches("-1 ").count(), 4, "{held:?}: {printed}");
    }
    if !tracing_is_restricted() {
        let printed = traced(&[Seccomp, NotDumpable, Landlock]);
        assert_eq!(printed.matches("0 ").count(), 4, "{printed}");
    }
}

#[test]
fn connecting_to_the_runtime_api_or_anywhere() {
    let connected = |walls: &[Wall]| {
        printed(walls, |environment| {
            // No further than this machine: here it works.
            attempts::connecting(environment.address.port(), "127.0.0.2")
        })
    };
    let stream = "connected SOCK_STREAM ('127.0.0.1'";
    let datagrams = "connected SOCK_DGRAM ('127.0.0.1'";
    // Landlock knows TCP and nothing else, the filter everything.
    let printed = connected(&[Landlock]);
    assert!(!printed.contains("connected"), "{printed}");
    let printed = connected(&[Seccomp]);
    assert!(!printed.contains(stream), "{printed}");
    assert!(printed.contains(datagrams), "{printed}");
    let printed = connected(&[Seccomp, Landlock]);
    assert!(printed.contains(stream), "{printed}");
    // The Runtime API answered.
    assert!(printed.contains("HTTP Error 404"), "{printed}");
}

#[test]
fn reconnecting_a_pair_of_sockets() {
    let printed = printed(&[Seccomp], |_| attempts::RECONNECTING_A_PAIR.to_owned());
    // The kinds that could be connected elsewhere. A stream that is connected stays so.
    assert!(printed.starts_with("done\ndone\n"), "{printed}");
}

#[test]
fn reading_what_is_not_the_systems() {
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("private");
    fs::write(&file, "private").unwrap();
    let link = elsewhere.path().join("link");
    symlink("/proc/self/root", &link).unwrap();
    let printed = printed(&[Landlock], |_| attempts::reading_elsewhere(&file, &link));
    assert_eq!(printed, "private\n".repeat(3));
}

#[test]
fn resolving_a_name() {
    let resolved = |walls: &[Wall]| {
        printed(walls, |_| {
            attempts::resolving(attempts::name_server(), "localhost")
        })
    };
    let printed = resolved(&[Landlock]);
    assert!(printed.contains("datagrams PermissionError"), "{printed}");
    let printed = resolved(&[Seccomp]);
    assert!(printed.contains("datagrams 192.0.2.7"), "{printed}");
    assert!(printed.contains("stream PermissionError"), "{printed}");
    // Nobody listens there for streams, but now that is what stops it.
    let printed = resolved(&[Seccomp, Landlock]);
    assert!(printed.contains("stream ConnectionRefused"), "{printed}");
}

#[test]
fn leaving_a_daemon_behind() {
    for wall in [Killing, Subreaper] {
        let environment = Environment::without(&[wall]);
        let outcome = environment.python(attempts::LEAVING_A_DAEMON);
        let printed = String::from_utf8_lossy(&outcome.stdout).into_owned();
        let daemon = printed.trim().strip_prefix("daemon ").expect(&printed);
        assert!(
            fs::exists(format!("/proc/{daemon}")).unwrap(),
            "{wall:?}: no {daemon}"
        );
        let daemon = Pid::from_raw(daemon.parse().unwrap()).unwrap();
        kill_process(daemon, Signal::KILL).unwrap();
    }
}

#[test]
fn holding_the_output_open_from_a_daemon() {
    let environment = Environment::without(&[End]);
    let outcome = environment.execute(limited(attempts::LEAVING_A_DAEMON, |limits| {
        limits.timeout_ms = 3_000;
    }));
    assert_eq!(outcome.status, Status::Timeout, "{}", shown(&outcome));
}

#[test]
fn leaving_files_for_the_next() {
    let left = |walls: &[Wall]| {
        let environment = Environment::without(walls);
        let shared = environment.temporary.path();
        let outcome = environment.python(&attempts::leaving_files(&[shared]));
        assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
        let own = fs::exists(shared.join("work/left-behind")).unwrap();
        (own, fs::exists(shared.join("left-behind")).unwrap())
    };
    // Landlock keeps them out of folders that are not theirs, and what is in theirs is removed.
    assert_eq!(left(&[Landlock]), (false, false));
    assert_eq!(left(&[Cleaning]), (true, false));
    assert_eq!(left(&[Landlock, Cleaning]), (true, true));
}

#[test]
fn a_fork_bomb() {
    let environment = Environment::without(&[Survey, ResourceLimits]);
    let outcome = environment.python(&attempts::FORK_BOMB.replace("SECONDS", "2"));
    assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
    assert!(outcome.stderr.is_empty(), "{}", shown(&outcome));
}

#[test]
fn a_memory_bomb() {
    let bomb = |walls: &[Wall]| {
        Environment::without(walls).execute(limited(&attempts::memory_bomb(400), |limits| {
            limits.memory_mb = 128;
        }))
    };
    // The kernel's limit makes it an error in the program, the survey ends the program.
    let outcome = bomb(&[Survey]);
    assert_eq!(outcome.status, Status::OutOfMemory, "{}", shown(&outcome));
    assert_eq!(outcome.error.unwrap().kind, "MemoryError");
    let outcome = bomb(&[ResourceLimits]);
    assert_eq!(outcome.status, Status::OutOfMemory, "{}", shown(&outcome));
    assert_eq!(outcome.error, None);
    let outcome = bomb(&[Survey, ResourceLimits]);
    assert_eq!(outcome.stdout, "has it\n", "{}", shown(&outcome));
}

#[test]
fn a_memory_bomb_of_many_processes() {
    let bomb = attempts::memory_bomb_of_many(4, 60, 1);
    let outcome = Environment::without(&[Survey]).execute(limited(&bomb, |limits| {
        limits.memory_mb = 128;
    }));
    assert_eq!(outcome.stdout, "has it\n".repeat(4), "{}", shown(&outcome));
}

#[test]
fn an_output_flood() {
    let environment = Environment::without(&[OutputLimit]);
    for stream in ["stdout", "stderr"] {
        let outcome = environment.execute(limited(
            &attempts::output_flood(stream, 3_000_000),
            |limits| limits.output_bytes = 1_000_000,
        ));
        assert_eq!(outcome.status, Status::Ok, "{:?}", outcome.status);
        assert_eq!(outcome.stdout.len() + outcome.stderr.len(), 3_000_000);
    }
}

#[test]
fn a_huge_file() {
    let huge = |walls: &[Wall]| {
        Environment::without(walls).execute(limited(&attempts::huge_file(6), |limits| {
            limits.file_bytes = 4 << 20;
        }))
    };
    let kept = |outcome: &Outcome| -> usize {
        let files = outcome.artifacts.iter();
        files.map(|file| file.content.len()).sum()
    };
    let outcome = huge(&[ArtifactLimits]);
    assert_eq!(outcome.status, Status::Error, "{}", shown(&outcome));
    assert!(kept(&outcome) <= 4 << 20);
    let outcome = huge(&[ResourceLimits]);
    assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
    assert_eq!(kept(&outcome), 0);
    assert!(outcome.truncated.artifacts);
    let outcome = huge(&[ResourceLimits, ArtifactLimits]);
    assert_eq!(kept(&outcome), 6 << 20);
}

#[test]
fn files_without_end() {
    let environment = Environment::without(&[Survey]);
    // To make so many takes a slow disk minutes.
    let outcome = environment.execute(limited(&attempts::many_files(55_000), |limits| {
        limits.timeout_ms = 200_000;
    }));
    assert_eq!(outcome.stdout, "made them\n", "{}", shown(&outcome));
}

#[test]
fn killing_the_runner_and_the_zygote() {
    let kill = "import os\n\
        for pid in (RUNNER, os.getppid()):\n\
        \x20   try:\n\
        \x20       print(os.kill(pid, 0))\n\
        \x20   except OSError as error:\n\
        \x20       print(error.errno)\n\
        # The zygote only: the runner's end is this test's too.\n\
        try:\n\
        \x20   os.kill(os.getppid(), 9)\n\
        except OSError:\n\
        \x20   pass";
    let killed = |walls: &[Wall], is_replaced: bool| {
        let environment = Environment::without(walls);
        let outcome = environment.python(&kill.replace("RUNNER", &environment.pid().to_string()));
        // Even then the next one runs.
        let next = environment.python("1 + 1");
        assert_eq!(next.status, Status::Ok, "{}", shown(&next));
        let told = "replacing the interpreter";
        if is_replaced {
            environment.await_log(told);
        } else {
            assert!(!environment.log().contains(told), "{}", environment.log());
        }
        outcome.stdout
    };
    for one in [Seccomp, Landlock] {
        assert_eq!(killed(&[one], false), "1\n1\n", "{one:?}");
    }
    assert_eq!(killed(&[Seccomp, Landlock], true), "None\nNone\n");
}

#[test]
fn closing_every_descriptor() {
    // Who takes closed descriptors for the end cuts off what still runs.
    let environment = Environment::without(&[End]);
    let outcome = environment.python(attempts::CLOSING_EVERYTHING);
    assert_eq!(outcome.status, Status::Crashed, "{}", shown(&outcome));
    assert!(paths(&outcome).is_empty());
}

#[test]
fn using_descriptors_that_were_not_meant_for_it() {
    let printed = printed(&[Descriptors], |_| attempts::LISTING_DESCRIPTORS.to_owned());
    assert!(printed.lines().count() > 4, "{printed}");
}

#[test]
fn writing_garbage_into_the_report() {
    let environment = Environment::without(&[Report]);
    // The guest makes its failure ours.
    let failure = environment
        .try_execute(python(attempts::SPEAKING_FOR_THE_WALLS))
        .unwrap_err();
    assert_eq!(failure.kind, RunnerFailureKind::Internal);
    assert!(failure.message.ends_with("walls"), "{failure:?}");
}

#[test]
fn links_as_artifacts() {
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("private"), "private").unwrap();
    let environment = Environment::without(&[PlainFiles]);
    let outcome = environment.execute(limited(&attempts::linking(elsewhere.path()), |limits| {
        limits.files = 20;
    }));
    let files = outcome.artifacts.iter();
    let stolen = files.filter(|file| file.content == "private").count();
    assert!(stolen >= 2, "{:?}: {}", paths(&outcome), shown(&outcome));
}

#[test]
fn artifact_names_that_lead_elsewhere() {
    let environment = Environment::without(&[SafeNames]);
    let outcome = environment.python(attempts::MISLEADING_NAMES);
    let found = paths(&outcome);
    assert!(found.contains(&"a\\..\\b"), "{found:?}");
    assert!(found.contains(&"new\nline"), "{found:?}");
}

#[test]
fn every_wall_stands_unless_it_is_named() {
    // What the tests above rest on: without packages nothing else is different.
    let printed = printed(&[], |environment| {
        attempts::reading_environments(environment.pid())
    });
    assert!(!printed.contains(SECRET), "{printed}");
}
