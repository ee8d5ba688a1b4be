//! Frames as bytes, and what is made of frames that nobody honest sends.

use std::collections::BTreeMap;

use sandgate_core::{Artifact, GuestError, Language, Outcome, Status, TaskFile};

use super::*;
use crate::runner::Ended;

fn task() -> Task {
    Task {
        language: Language::JavaScript,
        code: "1".to_owned(),
        stdin: Bytes::from_static(b"in"),
        args: vec!["a".to_owned()],
        env: BTreeMap::from([("K".to_owned(), "v".to_owned())]),
        files: Vec::new(),
        limits: Limits::DEFAULT,
        seed: Some(7),
        now: Some("2026-01-31T12:00:00Z".parse().unwrap()),
    }
}

fn outcome() -> Outcome {
    let mut outcome = Outcome::empty(Status::Error);
    outcome.exit_code = Some(1);
    outcome.error = Some(GuestError {
        kind: "E".to_owned(),
        message: "m".to_owned(),
        traceback: "t".to_owned(),
        line: Some(3),
    });
    outcome.results = vec![BTreeMap::from([("text/plain".to_owned(), "2".to_owned())])];
    outcome.artifacts = vec![artifact("a.txt", b"hi"), artifact("b/c", b"")];
    outcome.usage.fuel = 300;
    outcome.usage.wall_ms = 1.5;
    outcome
}

fn artifact(path: &str, content: &'static [u8]) -> Artifact {
    Artifact::new(path.to_owned(), Bytes::from_static(content))
}

fn buffer(bytes: &[u8]) -> FrameBuffer {
    let mut buffer = FrameBuffer::default();
    buffer.space().extend_from_slice(bytes);
    buffer
}

/// The one frame that `bytes` are.
fn frame(bytes: &[u8]) -> Frame {
    let mut buffer = buffer(bytes);
    let frame = buffer.next(MAX_TASK_FRAME).unwrap().unwrap();
    assert!(!buffer.is_partial());
    frame
}

fn done(outcome: &Outcome) -> Frame {
    let file = |artifact: &Artifact| TaskFile {
        path: artifact.path.clone(),
        content: artifact.content.clone(),
    };
    let ended = Ended {
        outcome: outcome.clone(),
        files: outcome.artifacts.iter().map(file).collect(),
    };
    let mut bytes = Vec::new();
    Done::new(1, &ended).encode(&mut bytes).unwrap();
    frame(&bytes)
}

fn conclude(frame: &Frame, limits: &Limits) -> Result<Outcome, ProtocolError> {
    Done::decode(&frame.payload)?.into_outcome(&frame.payload, limits, false, 10.0)
}

#[test]
fn frames_are_these_bytes() {
    let mut bytes = Vec::new();
    Order::encode_cancel(&mut bytes, 300).unwrap();
    encode_output(&mut bytes, OutputStream::Stderr, b"oops").unwrap();
    let missing = Vec::new();
    Ready { missing }.encode(&mut bytes).unwrap();
    assert_eq!(
        bytes,
        b"\x02\0\0\0\x03\xac\x02\x04\0\0\0\x83oops\x01\0\0\0\x81\0"
    );
    let payload = done(&outcome()).payload;
    assert_eq!(
        &payload[..],
        b"\x01\x01\x01\x01\0\0\0\0\x01\x01E\x01m\x01t\x01\x03\x01\x01\x0atext/plain\x012\
          \x02\x05a.txt\x02hi\x03b/c\0\0\0\0\0\0\0\0\0\xf8\x3f\xac\x02\0"
    );
}

#[test]
fn orders_round_trip() {
    let mut bytes = Vec::new();
    Order::encode_run(&mut bytes, 9, &task()).unwrap();
    match Order::decode(&frame(&bytes)).unwrap() {
        Order::Run { id, task: read } => assert_eq!((id, *read), (9, task())),
        Order::Cancel { .. } => panic!("a cancellation"),
    }
}

#[test]
fn outcomes_round_trip() {
    let sent = outcome();
    let read = conclude(&done(&sent), &Limits::DEFAULT).unwrap();
    assert!(read.artifacts[0].sha256.starts_with("8f434346648f6b96"));
    assert_eq!(read, sent);
}

#[test]
fn frames_arrive_in_pieces() {
    let mut bytes = Vec::new();
    for id in [1, 2] {
        Order::encode_cancel(&mut bytes, id).unwrap();
    }
    let mut buffer = FrameBuffer::default();
    let mut count = 0;
    for byte in bytes {
        buffer.space().extend_from_slice(&[byte]);
        count += usize::from(buffer.next(100).unwrap().is_some());
    }
    assert_eq!(count, 2);
    assert!(!buffer.is_partial());
}

#[test]
fn a_head_makes_nobody_reserve_memory() {
    let mut frames = buffer(&[0, 0, 0, 64, Kind::Done as u8]);
    assert!(frames.next(1 << 30).unwrap().is_none());
    assert!(frames.space().capacity() < 1 << 20);
    let error = frames.next((1 << 30) - 1).unwrap_err().to_string();
    assert!(error.contains("1073741824"), "{error}");
    let error = buffer(&[0, 0, 0, 0, 99]).next(10).unwrap_err().to_string();
    assert!(error.contains("99"), "{error}");
}

#[test]
fn truncated_and_garbled_outcomes_are_refused() {
    let payload = done(&outcome()).payload;
    for length in 0..payload.len() {
        Done::decode(&payload.slice(..length)).unwrap_err();
    }
    let longer = Bytes::from([&payload[..], b"x"].concat());
    Done::decode(&longer).unwrap_err();
    // Whatever a byte is changed to, what comes out keeps to the limits or nothing does.
    let limits = Limits {
        result_bytes: 20,
        file_bytes: 2,
        files: 2,
        ..Limits::DEFAULT
    };
    for at in 0..payload.len() {
        for value in 0..=255 {
            let mut bytes = payload.to_vec();
            bytes[at] = value;
            let kind = Kind::Done;
            let payload = Bytes::from(bytes);
            if let Ok(outcome) = conclude(&Frame { kind, payload }, &limits) {
                assert!(outcome.usage.wall_ms >= 0.0 && outcome.usage.wall_ms <= 10.0);
                assert!(outcome.usage.fuel <= limits.fuel);
                assert!(
                    outcome
                        .artifacts
                        .iter()
                        .map(|file| file.content.len())
                        .sum::<usize>()
                        <= 2
                );
                assert_ne!(outcome.status, Status::Cancelled);
            }
        }
    }
}

#[test]
fn counts_beyond_all_measure_are_refused() {
    let many = Outcome {
        results: vec![BTreeMap::new(); 20_000],
        ..Outcome::empty(Status::Crashed)
    };
    // An honest worker cuts it off and says so.
    let read = conclude(&done(&many), &Limits::DEFAULT).unwrap();
    assert_eq!(read.results.len(), 16_384);
    assert!(read.truncated.results);
    // A hostile one does not: the same message with one result more.
    let payload = done(&many).payload;
    let at = payload
        .windows(3)
        .position(|three| three == [0x80, 0x80, 1])
        .unwrap();
    let more = [&payload[..at], &[0x81, 0x80, 1, 0], &payload[at + 3..]].concat();
    let error = Done::decode(&Bytes::from(more)).unwrap_err();
    assert!(matches!(error, ProtocolError::Malformed(_)), "{error}");
}

#[test]
fn what_was_not_granted_is_refused() {
    let refused = |change: fn(&mut Outcome), limits: fn(&mut Limits)| {
        let (mut outcome, mut granted) = (outcome(), Limits::DEFAULT);
        change(&mut outcome);
        limits(&mut granted);
        let refused = conclude(&done(&outcome), &granted);
        matches!(refused, Err(ProtocolError::Implausible(_)))
    };
    assert!(!refused(|_| {}, |_| {}));
    assert!(refused(|_| {}, |limits| limits.result_bytes = 10));
    assert!(refused(|_| {}, |limits| limits.file_bytes = 1));
    assert!(refused(|_| {}, |limits| limits.files = 1));
    assert!(refused(|outcome| outcome.status = Status::Ok, |_| {}));
    assert!(refused(
        |outcome| outcome.status = Status::Cancelled,
        |_| {}
    ));
    for path in ["../a", "/a", "a\\b", "b/c", ""] {
        let mut outcome = outcome();
        outcome.artifacts[0].path = path.to_owned();
        conclude(&done(&outcome), &Limits::DEFAULT).unwrap_err();
    }
}

#[test]
fn usage_is_kept_within_reason() {
    for wall_ms in [f64::NAN, f64::INFINITY, -1.0, 1e9] {
        let mut outcome = outcome();
        outcome.usage.wall_ms = wall_ms;
        outcome.usage.fuel = u64::MAX;
        outcome.usage.peak_memory_bytes = u64::MAX;
        let usage = conclude(&done(&outcome), &Limits::DEFAULT).unwrap().usage;
        assert!((0.0..=10.0).contains(&usage.wall_ms), "{usage:?}");
        assert_eq!(usage.fuel, Limits::DEFAULT.fuel);
        assert_eq!(usage.peak_memory_bytes, 256 << 20);
    }
}

#[test]
fn long_errors_are_clipped_between_characters() {
    let mut outcome = outcome();
    outcome.error.as_mut().unwrap().message = "ü".repeat(1 << 20);
    let read = conclude(&done(&outcome), &Limits::DEFAULT).unwrap();
    let message = read.error.unwrap().message;
    assert!(message.len() <= 256 << 10 && message.chars().all(|c| c == 'ü'));
}
