//! What the pool makes of a worker that a guest has taken over.

use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use sandgate_core::Status;
use sandgate_sandbox::SandboxExecutor;

use crate::support::{async_trial, config, eventually, run, task};

const READY: u8 = 0x81;
const STDOUT: u8 = 0x82;
const DONE: u8 = 0x84;

/// What a hostile worker answers a task with, and what the caller is told.
const ACTS: [(&str, Status, &str); 10] = [
    ("garbage", Status::Crashed, "a frame of kind"),
    ("too-long", Status::Crashed, "a frame of 4294967295 bytes"),
    ("undecodable", Status::Crashed, "does not decode"),
    ("another-execution", Status::Crashed, "another execution"),
    ("cancelled-by-nobody", Status::Crashed, "nobody cancelled"),
    ("success-without-exit", Status::Crashed, "exit code 0"),
    ("flood", Status::Crashed, "more output than was granted"),
    ("vast-count", Status::Crashed, "does not decode"),
    ("half-a-frame", Status::Timeout, ""),
    ("silence", Status::Timeout, ""),
];

pub(crate) fn trials() -> Vec<Trial> {
    let acts = ACTS.into_iter().map(|(act, status, message)| {
        async_trial(&format!("hostile::{act}"), move || async move {
            let sandbox = SandboxExecutor::new(config(&["role=hostile", act], 1))
                .await
                .unwrap();
            let before = sandbox.status().workers;
            let mut asked = task("h");
            // What it says is heard before its time is up, on the busiest machine.
            let times_out = status == Status::Timeout;
            asked.limits.timeout_ms = if times_out { 300 } else { 30_000 };
            let start = Instant::now();
            let outcome = run(&sandbox, asked).await.unwrap();
            // Long before the hostile worker would end by itself.
            assert!(
                start.elapsed() < Duration::from_secs(45),
                "{:?}",
                start.elapsed()
            );
            assert_eq!(outcome.status, status, "{outcome:?}");
            let told = outcome.error.map(|error| error.message).unwrap_or_default();
            assert!(told.contains(message), "{told}");
            assert!(outcome.stdout.len() <= 1 << 20);
            // The worker is not used again.
            eventually("the pool is whole again", || {
                let now = sandbox.status().workers;
                now.len() == 2 && now.iter().any(|pid| !before.contains(pid))
            })
            .await;
            sandbox.shutdown(Duration::ZERO).await;
        })
    });
    acts.collect()
}

/// A worker that says it is ready and then does `act`.
pub(crate) fn play(act: &str) -> ExitCode {
    let socket = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    let mut socket = UnixStream::from(socket);
    receive(&mut socket);
    send(&mut socket, READY, &[0]);
    if receive(&mut socket).is_none() {
        return ExitCode::SUCCESS;
    }
    // The payload of `Done`: the execution's number, status, exit code, four flags of what is
    // truncated, no error, results, artifacts, two flags of what was observed, a float, fuel and
    // memory.
    let done = |id: u8, status: u8, exit: &[u8], results: &[u8]| {
        let end = [0; 13];
        [&[id, status][..], exit, &[0; 4], &[0], results, &end].concat()
    };
    match act {
        "garbage" => socket.write_all(&[0x55; 4096]).unwrap(),
        "too-long" => socket.write_all(&[255, 255, 255, 255, DONE]).unwrap(),
        "undecodable" => send(&mut socket, DONE, &[0xff; 100]),
        "another-execution" => send(&mut socket, DONE, &done(7, 0, &[1, 0], &[0])),
        "cancelled-by-nobody" => send(&mut socket, DONE, &done(1, 7, &[0], &[0])),
        "success-without-exit" => send(&mut socket, DONE, &done(1, 0, &[0], &[0])),
        "flood" => while socket.write_all(&frame(STDOUT, &[b'x'; 50_000])).is_ok() {},
        // Four milliards of results, in five bytes.
        "vast-count" => {
            send(
                &mut socket,
                DONE,
                &done(1, 0, &[1, 0], &[255, 255, 255, 255, 15]),
            );
        }
        "half-a-frame" => socket.write_all(&[200, 0, 0, 0, STDOUT, b'x']).unwrap(),
        "silence" => {}
        _ => return ExitCode::FAILURE,
    }
    // Until it is killed.
    std::thread::sleep(Duration::from_secs(60));
    ExitCode::SUCCESS
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    [&length[..], &[kind], payload].concat()
}

fn send(socket: &mut UnixStream, kind: u8, payload: &[u8]) {
    socket.write_all(&frame(kind, payload)).unwrap();
}

fn receive(socket: &mut UnixStream) -> Option<Vec<u8>> {
    let mut head = [0; 5];
    socket.read_exact(&mut head).ok()?;
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    let mut payload = vec![0; length as usize];
    socket.read_exact(&mut payload).ok()?;
    Some(payload)
}
