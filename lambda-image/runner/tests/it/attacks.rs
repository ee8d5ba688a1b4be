//! What hostile snippets try, each named by the attack.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use sandgate_core::Status;

use crate::attempts;
use crate::harness::{Environment, SECRET, limited, paths, shared, shown};

/// Runs an attack that prints what it got, and makes sure that the environment still works.
fn attack(environment: &Environment, code: &str) -> String {
    let outcome = environment.python(code);
    still_works(environment);
    assert!(
        matches!(outcome.status, Status::Ok | Status::Error),
        "{}",
        shown(&outcome)
    );
    format!(
        "{}{}",
        String::from_utf8_lossy(&outcome.stdout),
        String::from_utf8_lossy(&outcome.stderr)
    )
}

fn still_works(environment: &Environment) {
    let outcome = environment.python("1 + 1");
    assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
    assert_eq!(outcome.results[0]["text/plain"], "2");
}

#[test]
fn reading_the_functions_environment() {
    let environment = shared();
    let printed = attack(
        &environment,
        &attempts::reading_environments(environment.pid()),
    );
    assert!(!printed.contains(SECRET), "{printed}");
    assert!(!printed.contains("AWS_"), "{printed}");
    for path in [
        "/proc/1/environ".to_owned(),
        format!("/proc/{}/environ", environment.pid()),
    ] {
        assert!(
            printed.contains(&format!("{path} Permission denied")),
            "{path}: {printed}"
        );
    }
}

#[test]
fn reading_the_runners_memory() {
    let environment = shared();
    let printed = attack(&environment, &attempts::reading_memory(environment.pid()));
    let refused = "mem Permission denied\nmaps Permission denied\nauxv Permission denied\n\
                   vm -1 38\n";
    assert_eq!(printed, refused.repeat(2));
}

#[test]
fn tracing_the_runner_and_the_zygote() {
    let environment = shared();
    let printed = attack(&environment, &attempts::tracing(environment.pid()));
    assert_eq!(printed, "-1 38\n".repeat(4));
}

#[test]
fn connecting_to_the_runtime_api_or_anywhere() {
    let environment = shared();
    let code = attempts::connecting(environment.address.port(), "169.254.169.254");
    let printed = attack(&environment, &code);
    let expected = "1\n".repeat(15) + "<urlopen error [Errno 1] Operation not permitted>\n";
    assert_eq!(printed, expected);
}

#[test]
fn reconnecting_a_pair_of_sockets() {
    let printed = attack(&shared(), attempts::RECONNECTING_A_PAIR);
    assert_eq!(printed, "38\n".repeat(5));
}

#[test]
fn resolving_a_name() {
    let printed = attack(
        &shared(),
        &attempts::resolving(attempts::name_server(), "example.com"),
    );
    assert_eq!(
        printed,
        "datagrams PermissionError\nstream PermissionError\nsystem gaierror\n"
    );
}

#[test]
fn leaving_a_daemon_behind() {
    let environment = shared();
    let outcome = environment.python(attempts::LEAVING_A_DAEMON);
    let printed = String::from_utf8(outcome.stdout.to_vec()).unwrap();
    let pid = printed.trim().strip_prefix("daemon ").expect(&printed);
    assert!(
        !fs::exists(format!("/proc/{pid}")).unwrap(),
        "the daemon {pid} is alive"
    );
    still_works(&environment);
}

#[test]
fn holding_the_output_open_from_a_daemon() {
    // The daemon has stdout: whoever waits for its end waits a minute.
    let environment = shared();
    let started = Instant::now();
    let outcome = environment.python(attempts::LEAVING_A_DAEMON);
    assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
    assert!(started.elapsed() < Duration::from_secs(45));
}

#[test]
fn leaving_files_for_the_next() {
    let environment = shared();
    let temporary = environment.temporary.path().to_str().unwrap();
    let folders = ["/tmp", "/var/tmp", "/dev/shm", temporary].map(Path::new);
    let printed = attack(&environment, &attempts::leaving_files(&folders));
    for shared_folder in ["/tmp", "/var/tmp", "/dev/shm", temporary] {
        assert!(
            !printed.contains(&format!("wrote {shared_folder}\n")),
            "{printed}"
        );
    }
    assert_eq!(printed.matches("wrote").count(), 2, "{printed}");
    assert_eq!(
        fs::read_dir(environment.temporary.path()).unwrap().count(),
        // The interpreters' own folder, which is empty or in use.
        1
    );
    let seen = environment
        .prints("import os, tempfile\nprint(os.listdir('.'), os.listdir(tempfile.gettempdir()))");
    assert_eq!(seen, "[] []\n");
}

#[test]
fn changing_the_interpreter_for_the_next() {
    let environment = shared();
    environment.prints(attempts::PATCHING);
    let seen = environment.prints(attempts::LOOKING_FOR_PATCHES);
    assert_eq!(seen, "False [1] False None\n");
    // The attempt works where nothing stands between the two: in one interpreter.
    let both = format!("{}{}", attempts::PATCHING, attempts::LOOKING_FOR_PATCHES);
    assert_eq!(environment.prints(&both), "True patched True /x\n");

    // Packages, and what everybody uses.
    environment.python(
        "import builtins, pandas\nbuiltins.print = lambda *a: None\npandas.DataFrame = None",
    );
    let seen = environment.prints("import pandas\nprint(pandas.DataFrame({'a': [1]}).size)");
    assert_eq!(seen, "1\n");
}

#[test]
fn a_fork_bomb() {
    let environment = shared();
    let outcome = environment.execute(limited(
        &attempts::FORK_BOMB.replace("SECONDS", "40"),
        |limits| limits.timeout_ms = 60_000,
    ));
    assert!(
        matches!(outcome.status, Status::Crashed | Status::OutOfMemory),
        "{}",
        shown(&outcome)
    );
    assert!(
        outcome.usage.wall_ms < 40_000.0,
        "{}",
        outcome.usage.wall_ms
    );
    still_works(&environment);
}

#[test]
fn processes_that_always_move_on() {
    // Each forks and ends: whoever looks sees another one.
    let environment = shared();
    let outcome = environment.execute(limited(
        "import os, time\n\
         if os.fork() == 0:\n\
         \x20   for _ in range(5000):\n\
         \x20       os.setsid() if os.getsid(0) != os.getpid() else None\n\
         \x20       if os.fork():\n\
         \x20           os._exit(0)\n\
         time.sleep(0.3)",
        |limits| limits.timeout_ms = 60_000,
    ));
    assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
    still_works(&environment);
    assert!(
        !environment.log().contains("not to be used again"),
        "{}",
        environment.log()
    );
}

#[test]
fn a_memory_bomb() {
    let environment = shared();
    for code in [
        "x = bytearray(8 << 30)",
        "x = []\nwhile True:\n    x.append(bytearray(1 << 20))",
        "import numpy\nnumpy.ones(1 << 31)",
        &attempts::memory_bomb(600),
    ] {
        let outcome = environment.python(code);
        assert_eq!(
            outcome.status,
            Status::OutOfMemory,
            "{code}: {}",
            shown(&outcome)
        );
        assert_eq!(outcome.error.unwrap().kind, "MemoryError");
    }
    still_works(&environment);
}

#[test]
fn a_memory_bomb_of_many_processes_or_shared_memory() {
    let environment = shared();
    for code in [
        // Each below the limit of one process.
        &attempts::memory_bomb_of_many(8, 100, 30),
        "import mmap, time\n\
         x = mmap.mmap(-1, 600 << 20)\n\
         for at in range(0, len(x), 4096):\n\
         \x20   x[at] = 1\n\
         time.sleep(60)",
    ] {
        let outcome = environment.python(code);
        assert_eq!(
            outcome.status,
            Status::OutOfMemory,
            "{code}: {}",
            shown(&outcome)
        );
    }
    still_works(&environment);
}

#[test]
fn an_output_flood() {
    let environment = shared();
    for stream in ["stdout", "stderr"] {
        let outcome = environment.execute(limited(
            &attempts::output_flood(stream, 100_000_000),
            |limits| limits.output_bytes = 1_000_000,
        ));
        assert_eq!(outcome.status, Status::OutputLimit, "{:?}", outcome.status);
        let (bytes, truncated) = match stream {
            "stdout" => (outcome.stdout.len(), outcome.truncated.stdout),
            _ => (outcome.stderr.len(), outcome.truncated.stderr),
        };
        assert_eq!((bytes, truncated), (1_000_000, true));
    }
    still_works(&environment);
}

#[test]
fn a_huge_file_and_very_many() {
    let environment = shared();
    let outcome = environment.execute(limited(&attempts::huge_file(64), |limits| {
        limits.file_bytes = 4 << 20
    }));
    assert_eq!(outcome.status, Status::Error, "{}", shown(&outcome));
    let error = outcome.error.as_ref().unwrap();
    assert!(error.message.contains("File too large"), "{error:?}");
    assert!(
        outcome
            .artifacts
            .iter()
            .map(|file| file.content.len())
            .sum::<usize>()
            <= 4 << 20
    );

    let outcome = environment.execute(limited(
        "import os\n\
         for name in ('sparse1', 'sparse2'):\n\
         \x20   with open(name, 'w') as file:\n\
         \x20       file.truncate(3 << 20)\n\
         for number in range(100):\n\
         \x20   open(f'file{number:03}', 'w').close()",
        |limits| {
            limits.file_bytes = 4 << 20;
            limits.files = 50;
        },
    ));
    assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
    assert!(outcome.truncated.artifacts);
    assert!(outcome.artifacts.len() <= 50);
    still_works(&environment);
}

#[test]
#[cfg_attr(
    not(target_arch = "x86_64"),
    ignore = "names system calls by their numbers on x86-64"
)]
fn killing_the_runner_and_the_zygote() {
    let environment = shared();
    let code = format!(
        "import os, signal, glob, ctypes, fcntl, resource\n\
         runner, zygote = {}, os.getppid()\n\
         threads = [int(p.rsplit('/', 1)[1]) for p in glob.glob(f'/proc/{{runner}}/task/*')]\n\
         libc = ctypes.CDLL(None, use_errno=True)\n\
         def attempt(name, call):\n\
         \x20   try:\n\
         \x20       print(name, call())\n\
         \x20   except OSError as error:\n\
         \x20       print(name, error.errno)\n\
         for pid in [runner, zygote, -runner, -zygote, -1, *threads]:\n\
         \x20   for number in (9, 19):\n\
         \x20       attempt('kill', lambda: os.kill(pid, number))\n\
         for pid in (runner, zygote):\n\
         \x20   attempt('limit', lambda: resource.prlimit(pid, resource.RLIMIT_CPU, (0, 0)))\n\
         \x20   attempt('affinity', lambda: os.sched_setaffinity(pid, [0]))\n\
         \x20   attempt('priority', lambda: os.setpriority(os.PRIO_PROCESS, pid, 19))\n\
         \x20   attempt('queue', lambda: libc.syscall(129, pid, 9, None) and ctypes.get_errno())\n\
         \x20   attempt('thread', lambda: libc.syscall(234, os.getpid(), pid, 9) and ctypes.get_errno())\n\
         \x20   attempt('pidfd', lambda: os.pidfd_open(pid))\n\
         reader, writer = os.pipe()\n\
         attempt('owner', lambda: fcntl.fcntl(reader, 8, runner))\n\
         attempt('signal', lambda: fcntl.fcntl(reader, 10, 9))",
        environment.pid()
    );
    let printed = attack(&environment, &code);
    for line in printed.lines() {
        let (name, result) = line.split_once(' ').unwrap();
        let expected = if name == "pidfd" { "38" } else { "1" };
        assert_eq!(result, expected, "{line}\n{printed}");
    }
    assert!(printed.lines().count() >= 10 + 12 + 2, "{printed}");
}

#[test]
fn killing_itself_and_stopping_itself() {
    let environment = shared();
    let outcome = environment.python("import os\nprint('before')\nos.kill(os.getpid(), 9)");
    assert_eq!(outcome.status, Status::Crashed, "{}", shown(&outcome));
    assert_eq!(outcome.stdout, "before\n");
    assert!(outcome.error.unwrap().message.contains("SIGKILL"));

    let outcome = environment.execute(limited(
        "import os, signal\nprint('before')\nos.kill(os.getpid(), signal.SIGSTOP)",
        |limits| limits.timeout_ms = 5_000,
    ));
    assert_eq!(outcome.status, Status::Timeout, "{}", shown(&outcome));
    assert_eq!(outcome.stdout, "before\n");

    let outcome = environment.python("import ctypes\nctypes.string_at(0)");
    assert_eq!(outcome.status, Status::Crashed, "{}", shown(&outcome));
    still_works(&environment);
}

#[test]
fn an_endless_loop_that_ignores_signals() {
    let environment = shared();
    let outcome = environment.execute(limited(
        "import signal\n\
         for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:\n\
         \x20   signal.signal(number, signal.SIG_IGN)\n\
         print('looping')\n\
         while True:\n\
         \x20   pass",
        |limits| limits.timeout_ms = 5_000,
    ));
    assert_eq!(outcome.status, Status::Timeout, "{}", shown(&outcome));
    assert_eq!(outcome.stdout, "looping\n");
    assert_eq!(outcome.exit_code, None);
    still_works(&environment);
}

#[test]
fn closing_every_descriptor() {
    let environment = shared();
    let outcome = environment.python(attempts::CLOSING_EVERYTHING);
    assert_eq!(outcome.stdout, "before\n", "{}", shown(&outcome));
    // It ends where it can print no more, and not before.
    assert_eq!(outcome.status, Status::Error);
    assert_eq!(outcome.exit_code, Some(1));
    assert_eq!(paths(&outcome), ["after"]);
    still_works(&environment);
}

#[test]
fn using_descriptors_that_were_not_meant_for_it() {
    let printed = attack(&shared(), attempts::LISTING_DESCRIPTORS);
    let expected = "0 /memfd\n1 pipe\n2 pipe\n4 pipe\n";
    assert_eq!(printed, expected);
}

#[test]
fn writing_garbage_into_the_report() {
    let environment = shared();
    let write = |bytes: &str| {
        environment.python(&format!(
            "import os\nos.write(4, {bytes})\nprint('done')\n1"
        ))
    };
    for bytes in [
        "b'garbage'",
        "b's' + (5).to_bytes(4, 'little') + b'walls'",
        "b'r' + (2**32 - 1).to_bytes(4, 'little') + b'x' * 100000",
        "b'r' + (4).to_bytes(4, 'little') + b'[[[['",
    ] {
        let outcome = write(bytes);
        assert_eq!(outcome.status, Status::Ok, "{bytes}: {}", shown(&outcome));
        assert_eq!(outcome.stdout, "done\n");
        assert!(outcome.truncated.results, "{bytes}");
    }
    let outcome = environment.python(attempts::SPEAKING_FOR_THE_WALLS);
    assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
    assert!(outcome.truncated.results);
    let forged = write("b'e' + (20).to_bytes(4, 'little') + b'{\"type\": \"Forged\" }  '");
    assert_eq!(forged.status, Status::Error, "{}", shown(&forged));
    still_works(&environment);
}

#[test]
fn links_as_artifacts() {
    let environment = shared();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("private"), "private").unwrap();
    let code = attempts::linking(elsewhere.path());
    let outcome = environment.python(&format!("{code}\nos.symlink('../..', 'up')"));
    assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
    assert_eq!(paths(&outcome), ["real"]);
    still_works(&environment);
}

#[test]
fn artifact_names_that_lead_elsewhere() {
    let outcome = shared().python(attempts::MISLEADING_NAMES);
    assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
    assert!(outcome.truncated.artifacts);
    // Names like those of the stored execution are fine: artifacts have a folder of their own.
    assert_eq!(paths(&outcome), ["..a", "result.json", "stdout"]);
}

#[test]
fn files_that_cannot_be_read() {
    let environment = shared();
    for last in ["", "os.chmod('.', 0)", "os.chmod('.', 0o400)"] {
        let outcome = environment.python(&format!(
            "import os\n\
             os.mkdir('closed')\n\
             open('closed/file', 'w').write('x')\n\
             open('secret', 'w').write('y')\n\
             os.chmod('secret', 0)\n\
             os.chmod('closed/file', 0)\n\
             os.chmod('closed', 0o400)\n\
             {last}"
        ));
        assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
        assert_eq!(paths(&outcome), ["closed/file", "secret"], "{last}");
    }
    still_works(&environment);
}

#[test]
fn files_without_end() {
    let environment = shared();
    let outcome = environment.execute(limited(&attempts::many_files(2_000_000), |limits| {
        limits.timeout_ms = 200_000
    }));
    assert_eq!(outcome.status, Status::Crashed, "{}", shown(&outcome));
    let error = outcome.error.unwrap();
    assert!(error.message.contains("50000 files"), "{error:?}");
    assert!(outcome.truncated.artifacts);
    still_works(&environment);
}

#[test]
fn writing_where_the_image_is() {
    let environment = shared();
    let home = crate::harness::home().canonicalize().unwrap();
    let code = format!(
        "import os, sys, pandas\n\
         for path in ({:?} + '/python/evil.py', os.path.dirname(pandas.__file__) + '/evil.py', '/etc/evil', '/usr/evil',\n\
         \x20            '/proc/sys/kernel/core_pattern', '/sys/kernel/uevent_helper'):\n\
         \x20   try:\n\
         \x20       open(path, 'w')\n\
         \x20       print('wrote', path)\n\
         \x20   except OSError as error:\n\
         \x20       print(error.errno in (13, 30, 2))",
        home.display()
    );
    assert_eq!(attack(&environment, &code), "True\n".repeat(6));
}

#[test]
fn reading_what_is_not_the_systems() {
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("private");
    fs::write(&file, "private").unwrap();
    let link = elsewhere.path().join("link");
    symlink("/proc/1/root", &link).unwrap();
    let printed = attack(&shared(), &attempts::reading_elsewhere(&file, &link));
    assert_eq!(printed, "Permission denied\n".repeat(3));
}

#[test]
#[cfg_attr(
    not(target_arch = "x86_64"),
    ignore = "names system calls by their numbers on x86-64"
)]
fn new_namespaces_and_privileges() {
    let printed = attack(
        &shared(),
        "import ctypes, os, subprocess\n\
         libc = ctypes.CDLL(None, use_errno=True)\n\
         # unshare, setns, mount, bpf, perf_event_open, keyctl, io_uring_setup, userfaultfd, setuid, memfd_create\n\
         for number in (272, 308, 165, 321, 298, 250, 425, 323, 105, 319):\n\
         \x20   print(libc.syscall(number, 0x10000000, 0, 0, 0, 0), ctypes.get_errno())\n\
         # clone with a user namespace\n\
         print(libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0), ctypes.get_errno())\n\
         print(open('/proc/self/status').read().split('NoNewPrivs:')[1].split()[0])",
    );
    assert_eq!(printed, "-1 38\n".repeat(11) + "1\n");
}
