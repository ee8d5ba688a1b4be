//! Hostile guests, written by hand: what the interpreters never do, and an attacker who took one
//! over would.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sandgate_core::{Language, Limits, Outcome, OutputStream, Status, Task, TaskFile};

use super::{GuestInfo, LoadedGuest, Runner};
use crate::control::Control;
use crate::{SandboxError, engine};

/// Imports, one MiB of memory, the stdio block at 1024 with buffers of 4 KiB at 4096 and 8192, and
/// an allocator that always gives 65536.
const PRELUDE: &str = r#"
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pread" (func $fd_pread (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pwrite" (func $fd_pwrite (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open" (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (import "sandgate" "result" (func $result (param i32 i32)))
  (import "sandgate" "error" (func $error (param i32 i32)))
  (import "sandgate" "entropy" (func $entropy (result i64)))
  (memory (export "memory") 16)
  (data (i32.const 1024) "\00\10\00\00\00\10\00\00\00\00\00\00\00\00\00\00\00\20\00\00\00\10\00\00\00\00\00\00\00\00\00\00")
  (func (export "sandgate_alloc") (param i32) (result i32) (i32.const 65536))
  ;; Puts $len bytes that are at $ptr into the stdout buffer.
  (func $print (param $ptr i32) (param $len i32)
    (memory.copy (i32.add (i32.const 4096) (i32.load (i32.const 1032))) (local.get $ptr) (local.get $len))
    (i32.store (i32.const 1032) (i32.add (i32.load (i32.const 1032)) (local.get $len))))
  (data (i32.const 512) "hello")
  (func $hello (call $print (i32.const 512) (i32.const 5)))
"#;

/// What ends soon has ended by then, on the busiest machine, and what does not has not.
const LATEST: Duration = Duration::from_secs(30);

pub(super) struct Calm;

impl Control for Calm {
    fn cancelled(&self) -> bool {
        false
    }

    fn wait(&self, until: Instant) {
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
    }
}

fn runner_of(wat: &str) -> Runner {
    load(wat).unwrap()
}

fn load(wat: &str) -> Result<Runner, SandboxError> {
    let wasm = wat::parse_str(wat).unwrap();
    let code = engine::compiler()
        .unwrap()
        .precompile_module(&wasm)
        .unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&code).unwrap();
    let guest = LoadedGuest {
        info: GuestInfo {
            language: Language::Python,
            stdio: 1024,
        },
        code: file.reopen().unwrap(),
    };
    Runner::new(vec![guest], &Limits::MAXIMUM)
}

/// A runner of a guest whose run does `body`, which leaves the exit code on the stack.
pub(super) fn guest(body: &str) -> Runner {
    guest_with("", body)
}

fn guest_with(definitions: &str, body: &str) -> Runner {
    runner_of(&format!(
        "(module {PRELUDE} {definitions}
           (func (export \"sandgate_run\") (param $ptr i32) (param $len i32) (result i32)
             (local $i i32) {body}))"
    ))
}

pub(super) fn task() -> Task {
    Task {
        language: Language::Python,
        code: "print(1)".to_owned(),
        stdin: Bytes::new(),
        args: Vec::new(),
        env: BTreeMap::new(),
        files: Vec::new(),
        limits: Limits {
            // No end but that of tests about it: to burn the fuel takes a slow machine seconds.
            timeout_ms: 60_000,
            fuel: 200_000_000,
            ..Limits::DEFAULT
        },
        seed: None,
        now: None,
    }
}

fn run(runner: &mut Runner, task: &Task) -> Outcome {
    runner.run(task, &mut |_, _| {}, &Calm).into_outcome()
}

fn outcome(body: &str) -> Outcome {
    run(&mut guest(body), &task())
}

/// What every guest here prints first is there, whatever came after.
fn assert_hello(outcome: &Outcome, status: Status) {
    assert_eq!(outcome.status, status, "{outcome:?}");
    assert_eq!(&outcome.stdout[..], b"hello", "{outcome:?}");
}

#[test]
fn a_plain_run() {
    let outcome = outcome("(call $hello) (i32.const 0)");
    assert_hello(&outcome, Status::Ok);
    assert_eq!(outcome.exit_code, Some(0));
    assert!(outcome.usage.fuel > 0 && outcome.usage.fuel < 1_000);
    assert_eq!(outcome.usage.peak_memory_bytes, 0);
    assert!(outcome.is_reproducible());
}

#[test]
fn exit_codes() {
    let exited = outcome("(call $hello) (call $proc_exit (i32.const 3)) unreachable");
    assert_hello(&exited, Status::Error);
    assert_eq!(exited.exit_code, Some(3));
    assert_eq!(outcome("(i32.const 7)").exit_code, Some(7));
    let fine = outcome("(call $proc_exit (i32.const 0)) (i32.const 1)");
    assert_eq!((fine.status, fine.exit_code), (Status::Ok, Some(0)));
}

#[test]
fn traps_are_crashes_that_keep_the_output() {
    for body in [
        "(call $hello) unreachable",
        "(call $hello) (i32.load (i32.const -4))",
        "(call $hello) (i32.div_s (i32.const 1) (i32.const 0))",
        "(call $hello) (memory.fill (i32.const 1048000) (i32.const 0) (i32.const 10000)) (i32.const 0)",
    ] {
        let outcome = outcome(body);
        assert_hello(&outcome, Status::Crashed);
        assert!(
            outcome.error.is_some_and(|error| error.kind == "Crash"),
            "{body}"
        );
    }
}

#[test]
fn fuel_counts_to_the_unit() {
    // The engine looks at calls and loop heads only: what comes after the last of them counts too,
    // and so does what the host did for it.
    for body in [
        "(call $hello) (i32.const 0)",
        "(call $hello) (drop (call $entropy)) (i32.const 0)",
        "(call $hello) (drop (call $random_get (i32.const 70000) (i32.const 60000))) (i32.const 0)",
        "(call $hello) (call $proc_exit (i32.const 0)) (unreachable)",
        "(call $hello)
         (loop $l (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 9999999))))
         (i32.store (i32.const 2048) (i32.const 1)) (i32.const 0)",
        // More than is paid at once: the host settles in the middle.
        "(call $hello)
         (loop $l
           (drop (call $random_get (i32.const 70000) (i32.const 600000)))
           (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5))))
         (i32.const 0)",
    ] {
        let mut runner = guest(body);
        let mut with = |fuel| {
            let mut task = task();
            task.limits.fuel = fuel;
            run(&mut runner, &task)
        };
        let enough = with(200_000_000);
        assert_hello(&enough, Status::Ok);
        let needed = enough.usage.fuel;
        let exact = with(needed);
        assert_hello(&exact, Status::Ok);
        assert_eq!(exact.usage.fuel, needed);
        let less = with(needed - 1);
        assert_eq!(less.status, Status::FuelExhausted, "{body}");
        assert_eq!((less.usage.fuel, less.exit_code), (needed - 1, None));
        assert_eq!(with(1).status, Status::FuelExhausted);
        assert_eq!(with(u64::MAX).usage.fuel, needed);
    }
}

#[test]
fn endless_loop_runs_out_of_fuel_deterministically() {
    let mut runner = guest("(call $hello) (loop $l (br $l)) (i32.const 0)");
    let outcome = run(&mut runner, &task());
    assert_hello(&outcome, Status::FuelExhausted);
    assert_eq!(outcome.usage.fuel, task().limits.fuel);
}

#[test]
fn endless_loop_meets_the_deadline() {
    let mut task = task();
    task.limits.fuel = u64::MAX / 2;
    task.limits.timeout_ms = 100;
    let started = Instant::now();
    let outcome = run(
        &mut guest("(call $hello) (loop $l (br $l)) (i32.const 0)"),
        &task,
    );
    assert_hello(&outcome, Status::Timeout);
    assert!(started.elapsed() < LATEST);
}

#[test]
fn endless_recursion_is_contained() {
    let mut runner = guest_with(
        "(func $down (param i64 i64 i64 i64) (result i64)
           (i64.add (call $down (local.get 3) (local.get 2) (local.get 1) (local.get 0)) (local.get 0)))",
        "(call $hello)
         (drop (call $down (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4))) (i32.const 0)",
    );
    let mut task = task();
    task.limits.fuel = 10_000_000_000;
    let first = run(&mut runner, &task);
    assert_hello(&first, Status::Crashed);
    assert!(
        first
            .error
            .is_some_and(|error| error.message.contains("stack"))
    );
    // On the deepest stack a guest can have, host calls still have room.
    let mut runner = guest_with(
        "(func $down (param $n i32)
           (drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 512) (i32.const 5)
                 (i32.const 1) (i64.const -1) (i64.const -1) (i32.const 0) (i32.const 0)))
           (call $down (i32.add (local.get $n) (i32.const 1))))",
        "(call $hello) (call $down (i32.const 0)) (i32.const 0)",
    );
    assert_hello(&run(&mut runner, &task), Status::Crashed);
}

#[test]
fn memory_bomb_is_refused() {
    let mut runner = guest(
        "(call $hello)
         (loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
         unreachable",
    );
    let mut task = task();
    task.limits.memory_mb = 10;
    let outcome = run(&mut runner, &task);
    assert_hello(&outcome, Status::OutOfMemory);
    assert_eq!(outcome.usage.peak_memory_bytes, 10 << 20);
}

#[test]
fn a_refusal_that_the_guest_gets_over_is_no_failure() {
    let outcome = outcome("(call $hello) (drop (memory.grow (i32.const 60000))) (i32.const 0)");
    assert_hello(&outcome, Status::Ok);
    assert_eq!(outcome.usage.peak_memory_bytes, 0);
}

#[test]
fn table_bomb_is_refused() {
    let mut runner = guest_with(
        "(table $t 1 funcref)",
        "(call $hello)
         (loop $l (br_if $l (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
         (i32.const 0)",
    );
    assert_hello(&run(&mut runner, &task()), Status::Ok);
}

#[test]
fn long_bulk_operations_cost_what_they_move() {
    // 16 GiB of filling in a few instructions.
    let outcome = outcome(
        "(call $hello)
         (loop $l (memory.fill (i32.const 131072) (i32.const 1) (i32.const 900000))
           (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 16384))))
         (i32.const 0)",
    );
    assert_hello(&outcome, Status::FuelExhausted);
}

#[test]
fn bad_pointers_are_crashes() {
    for call in [
        "(drop (call $fd_write (i32.const 1) (i32.const -8) (i32.const 1) (i32.const 0)))",
        "(drop (call $fd_write (i32.const 1) (i32.const 1048568) (i32.const 2) (i32.const 0)))",
        "(i32.store (i32.const 16) (i32.const 1048000)) (i32.store (i32.const 20) (i32.const -1))
         (drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 0)))",
        "(i32.store (i32.const 20) (i32.const 4))
         (drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const -1)))",
        "(drop (call $random_get (i32.const 1048000) (i32.const 10000)))",
        "(drop (call $random_get (i32.const -1) (i32.const -1)))",
        "(drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 1048572)))",
        "(drop (call $poll_oneoff (i32.const 0) (i32.const 1048570) (i32.const 1) (i32.const 0)))",
        "(drop (call $poll_oneoff (i32.const 1048570) (i32.const 0) (i32.const 1) (i32.const 0)))",
        "(drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 1048000) (i32.const 1000)
               (i32.const 1) (i64.const -1) (i64.const -1) (i32.const 0) (i32.const 0)))",
        "(call $result (i32.const 1048000) (i32.const 1000))",
        "(call $error (i32.const -1) (i32.const 2))",
    ] {
        let outcome = outcome(&format!("(call $hello) {call} (i32.const 0)"));
        assert_eq!(outcome.status, Status::Crashed, "{call}");
        assert!(outcome.stdout.starts_with(b"hello"), "{call}");
    }
}

#[test]
fn lies_in_the_stdio_block_are_crashes() {
    for lie in [
        "(i32.store (i32.const 1032) (i32.const -1))",
        "(i32.store (i32.const 1024) (i32.const -16)) (i32.store (i32.const 1032) (i32.const 5))",
        "(i32.store (i32.const 1028) (i32.const -1)) (i32.store (i32.const 1032) (i32.const 1048576))",
        "(i32.store (i32.const 1048) (i32.const 4097))",
    ] {
        assert_eq!(
            outcome(&format!("{lie} (i32.const 0)")).status,
            Status::Crashed,
            "{lie}"
        );
        // In the middle of an endless run it does no harm either.
        let looped = outcome(&format!("{lie} (loop $l (br $l)) (i32.const 0)"));
        assert_eq!(looped.status, Status::FuelExhausted, "{lie}");
    }
}

#[test]
fn order_is_kept_between_buffer_and_calls() {
    let outcome = outcome(
        "(i32.store (i32.const 16) (i32.const 512)) (i32.store (i32.const 20) (i32.const 2))
         (call $hello)
         (drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 0)))
         (call $hello) (i32.const 0)",
    );
    assert_eq!(&outcome.stdout[..], b"hellohehello");
}

#[test]
fn output_flood_ends_at_the_limit() {
    let flood =
        "(i32.store (i32.const 16) (i32.const 0)) (i32.store (i32.const 20) (i32.const 1000000))
         (loop $l (drop (call $fd_write (i32.const 2) (i32.const 16) (i32.const 1) (i32.const 0)))
           (br $l))";
    let outcome = outcome(&format!("(call $hello) {flood} (i32.const 0)"));
    assert_hello(&outcome, Status::OutputLimit);
    assert_eq!(outcome.stderr.len(), 1 << 20);
    assert!(outcome.truncated.stderr && !outcome.truncated.stdout);
    let mut task = task();
    task.limits.output_bytes = 3;
    let outcome = run(
        &mut guest("(call $hello) (loop $l (br $l)) (i32.const 0)"),
        &task,
    );
    assert_eq!(
        (outcome.status, &outcome.stdout[..]),
        (Status::OutputLimit, &b"hel"[..])
    );
    let outcome = run(&mut guest("(call $hello) (i32.const 0)"), &task);
    assert_eq!(
        (outcome.status, outcome.truncated.stdout),
        (Status::OutputLimit, true)
    );
}

#[test]
fn host_work_is_paid_for() {
    // A megabyte of random bytes a call, for a handful of instructions.
    let mut runner = guest(
        "(call $hello)
         (loop $l (drop (call $random_get (i32.const 131072) (i32.const 900000))) (br $l))
         (i32.const 0)",
    );
    let mut task = task();
    task.limits.fuel = 20_000_000;
    task.limits.timeout_ms = 60_000;
    let outcome = run(&mut runner, &task);
    assert_hello(&outcome, Status::FuelExhausted);
    assert!(outcome.observed.entropy);
}

#[test]
fn host_work_meets_the_deadline() {
    let mut task = task();
    task.limits.fuel = u64::MAX / 2;
    task.limits.timeout_ms = 100;
    let mut runner = guest(
        "(call $hello)
         (loop $l (drop (call $random_get (i32.const 131072) (i32.const 900000))) (br $l))
         (i32.const 0)",
    );
    let started = Instant::now();
    assert_hello(&run(&mut runner, &task), Status::Timeout);
    assert!(started.elapsed() < LATEST);
}

/// A relative sleep of `nanoseconds`.
fn sleep(nanoseconds: u64) -> String {
    format!(
        "(i64.store (i32.const 24) (i64.const {nanoseconds})) (i32.store (i32.const 16) (i32.const 1))
         (drop (call $poll_oneoff (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 200)))"
    )
}

#[test]
fn sleeping_is_bounded_by_the_deadline_and_streams_before() {
    let mut task = task();
    task.limits.timeout_ms = 200;
    let mut runner = guest(&format!(
        "(call $hello) {} (i32.const 0)",
        sleep(u64::MAX >> 1)
    ));
    /// Sleeps, and notes what had been printed by then.
    struct Sleeper<'a>(&'a Cell<bool>, Cell<bool>);
    impl Control for Sleeper<'_> {
        fn cancelled(&self) -> bool {
            false
        }
        fn wait(&self, until: Instant) {
            self.1.set(self.0.get());
            Calm.wait(until);
        }
    }
    let printed = Cell::new(false);
    let sleeper = Sleeper(&printed, Cell::new(false));
    let started = Instant::now();
    let ended = runner.run(
        &task,
        &mut |stream, bytes| {
            assert_eq!((stream, bytes), (OutputStream::Stdout, &b"hello"[..]));
            printed.set(true);
        },
        &sleeper,
    );
    assert_hello(&ended.outcome, Status::Timeout);
    assert!(sleeper.1.get(), "it slept on what it had printed");
    let took = started.elapsed();
    assert!(
        took >= Duration::from_millis(200) && took < LATEST,
        "{took:?}"
    );
}

#[test]
fn a_short_sleep_takes_its_time_and_a_virtual_one_none() {
    let sleeper = |nanoseconds| {
        let sleep = sleep(nanoseconds);
        guest(&format!("(call $hello) {sleep} (i32.load (i32.const 200))"))
    };
    let outcome = run(&mut sleeper(50_000_000), &task());
    assert_eq!(outcome.exit_code, Some(1), "one event");
    assert!(outcome.usage.wall_ms >= 50.0);
    assert!(!outcome.observed.clock);
    let mut virtual_task = task();
    virtual_task.now = Some("2026-01-31T12:00:00Z".parse().unwrap());
    let outcome = run(&mut sleeper(3_600_000_000_000), &virtual_task);
    // An hour, before a minute is over.
    assert_eq!(outcome.exit_code, Some(1), "{outcome:?}");
}

#[test]
fn cancellation_ends_loops_and_sleeps() {
    struct After(Instant);
    impl Control for After {
        fn cancelled(&self) -> bool {
            Instant::now() >= self.0
        }
        fn wait(&self, until: Instant) {
            let until = until.min(self.0);
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
        }
    }
    for wait in ["(loop $l (br $l))".to_owned(), sleep(60_000_000_000)] {
        let mut runner = guest(&format!("(call $hello) {wait} (i32.const 0)"));
        let mut task = task();
        task.limits.fuel = u64::MAX / 2;
        task.limits.timeout_ms = 60_000;
        let started = Instant::now();
        let control = After(started + Duration::from_millis(50));
        let ended = runner.run(&task, &mut |_, _| {}, &control);
        assert_hello(&ended.outcome, Status::Cancelled);
        assert!(started.elapsed() < LATEST);
    }
}

#[test]
fn seeds_and_given_clocks_make_runs_equal() {
    // Leaves the low byte of entropy xor clock as the exit code.
    let mut runner = guest(
        "(drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 0)))
         (drop (call $random_get (i32.const 8) (i32.const 8)))
         (i32.wrap_i64 (i64.xor (call $entropy) (i64.xor (i64.load (i32.const 0)) (i64.load (i32.const 8)))))",
    );
    let plain = run(&mut runner, &task());
    assert!(plain.observed.clock && plain.observed.entropy && !plain.is_reproducible());
    let mut fixed = task();
    fixed.seed = Some(1);
    fixed.now = Some("2026-01-31T12:00:00Z".parse().unwrap());
    let (first, second) = (run(&mut runner, &fixed), run(&mut runner, &fixed));
    assert_eq!(first.exit_code, second.exit_code);
    assert!(first.is_reproducible());
}

#[test]
fn reports_are_taken() {
    let mut runner = guest_with(
        r#"(data (i32.const 2048) "{\"text/plain\": \"2\"}")
           (data (i32.const 2100) "{\"type\": \"ValueError\", \"message\": \"m\", \"traceback\": \"t\", \"line\": 3}")
           (data (i32.const 2200) "{\"type\": \"MemoryError\", \"message\": \"\", \"traceback\": \"t\", \"line\": null}")"#,
        "(call $result (i32.const 2048) (i32.const 19))
         (call $result (i32.const 2048) (i32.const 18))
         (call $error (i32.const 2100) (i32.const 67))
         (if (i32.eq (i32.load8_u (i32.add (local.get $ptr) (i32.const 24))) (i32.const 112))
           (then (return (i32.const 1))))
         (call $error (i32.const 2200) (i32.const 70))
         (i32.const 1)",
    );
    let outcome = run(&mut runner, &task());
    assert_eq!(outcome.results.len(), 1, "{outcome:?}");
    assert_eq!(outcome.results[0]["text/plain"], "2");
    assert!(outcome.truncated.results);
    let error = outcome.error.unwrap();
    assert_eq!((error.kind.as_str(), error.line), ("ValueError", Some(3)));
    assert_eq!(outcome.status, Status::Error);
    let mut other = task();
    other.code = "x".to_owned();
    let outcome = run(&mut runner, &other);
    assert_eq!(outcome.status, Status::OutOfMemory, "{outcome:?}");
}

#[test]
fn files_are_inputs_and_artifacts() {
    // Opens /work/out for writing, and copies there what it reads of /work/in.
    let mut runner = guest_with(
        r#"(data (i32.const 2048) "/work/in/work/out")"#,
        "(drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 2048) (i32.const 8)
               (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 300)))
         (drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 2056) (i32.const 9)
               (i32.const 9) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 304)))
         (i32.store (i32.const 16) (i32.const 4000)) (i32.store (i32.const 20) (i32.const 90))
         (drop (call $fd_read (i32.load (i32.const 300)) (i32.const 16) (i32.const 1) (i32.const 20)))
         (drop (call $fd_write (i32.load (i32.const 304)) (i32.const 16) (i32.const 1) (i32.const 308)))
         unreachable",
    );
    let mut task = task();
    task.files.push(TaskFile {
        path: "in".to_owned(),
        content: Bytes::from_static(b"some bytes"),
    });
    let outcome = run(&mut runner, &task);
    assert_eq!(outcome.status, Status::Crashed, "{outcome:?}");
    let [artifact] = &outcome.artifacts[..] else {
        panic!("{:?}", outcome.artifacts);
    };
    assert_eq!(
        (artifact.path.as_str(), &artifact.content[..]),
        ("out", &b"some bytes"[..])
    );
    assert_eq!(artifact.media_type, "text/plain");
}

#[test]
fn file_bombs_meet_the_quota() {
    // Creates /work/x and writes one byte at 2^40, then a megabyte at a time: the errno of each.
    let mut runner = guest_with(
        r#"(data (i32.const 2048) "/work/x")"#,
        "(drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 2048) (i32.const 7)
               (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 300)))
         (i32.store (i32.const 20) (i32.const 1))
         (if (i32.ne (call $fd_pwrite (i32.load (i32.const 300)) (i32.const 16) (i32.const 1)
                     (i64.const 1099511627776) (i32.const 304)) (i32.const 51))
           (then (return (i32.const 1))))
         (i32.store (i32.const 20) (i32.const 1000000))
         (loop $l (br_if $l (i32.eqz (local.tee $i
           (call $fd_write (i32.load (i32.const 300)) (i32.const 16) (i32.const 1) (i32.const 304))))))
         (local.get $i)",
    );
    let mut task = task();
    task.limits.file_bytes = 5_500_000;
    let outcome = run(&mut runner, &task);
    assert_eq!(outcome.exit_code, Some(51), "{outcome:?}");
    assert_eq!(outcome.artifacts[0].content.len(), 5_000_000);
}

#[test]
fn a_fresh_instance_is_the_snapshot_whatever_ran_before() {
    // Exits with 1 if any byte but the request's and the stack's is not as in the snapshot; then
    // dirties everything and ends in one of four ways.
    let mut runner = guest(
        "(local.set $i (i32.const 131072))
         (loop $l
           (if (i64.ne (i64.load (local.get $i)) (i64.const 0)) (then (return (i32.const 1))))
           (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 8)))
                              (i32.const 1048576))))
         (if (i32.ne (memory.size) (i32.const 16)) (then (return (i32.const 2))))
         (drop (memory.grow (i32.const 16)))
         (if (i64.ne (i64.load (i32.const 1048576)) (i64.const 0)) (then (return (i32.const 3))))
         (memory.fill (i32.const 131072) (i32.const 255) (i32.const 1966080))
         (local.set $i (i32.load8_u (i32.add (local.get $ptr) (i32.const 24))))
         (if (i32.eq (local.get $i) (i32.const 48)) (then unreachable))
         (if (i32.eq (local.get $i) (i32.const 49)) (then (loop $m (br $m))))
         (if (i32.eq (local.get $i) (i32.const 50)) (then (call $proc_exit (i32.const 9))))
         (i32.const 0)",
    );
    for round in 0..40 {
        let mut task = task();
        task.limits.fuel = 20_000_000;
        task.code = (round % 4).to_string();
        let outcome = run(&mut runner, &task);
        let expected = [
            Status::Crashed,
            Status::FuelExhausted,
            Status::Error,
            Status::Ok,
        ];
        assert_eq!(outcome.status, expected[round % 4], "{round} {outcome:?}");
        assert!(
            outcome.exit_code.is_none_or(|code| code == 9 || code == 0),
            "{round}"
        );
    }
}

#[test]
fn tasks_that_cannot_be_run_say_so() {
    let mut other = task();
    other.language = Language::JavaScript;
    let outcome = run(&mut guest("(i32.const 0)"), &other);
    assert_eq!(outcome.status, Status::Crashed);
    let no_room = runner_of(
        "(module (memory (export \"memory\") 16)
           (func (export \"sandgate_alloc\") (param i32) (result i32) (i32.const 0))
           (func (export \"sandgate_run\") (param i32 i32) (result i32) (i32.const 0)))",
    );
    let mut no_room = no_room;
    assert_eq!(run(&mut no_room, &task()).status, Status::OutOfMemory);
}

#[test]
fn guests_that_depart_from_the_abi_are_refused_at_start() {
    let run = "(func (export \"sandgate_run\") (param i32 i32) (result i32) (i32.const 0))";
    let alloc = "(func (export \"sandgate_alloc\") (param i32) (result i32) (i32.const 0))";
    let memory = "(memory (export \"memory\") 16)";
    for (wat, expected) in [
        (format!("(module {memory} {run})"), "sandgate_alloc"),
        (format!("(module {alloc} {run})"), "memory"),
        (
            format!("(module (memory (export \"memory\") 0) {alloc} {run})"),
            "stdio",
        ),
        (
            format!("(module (import \"env\" \"system\" (func)) {memory} {alloc} {run})"),
            "system",
        ),
    ] {
        let error = load(&wat).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
