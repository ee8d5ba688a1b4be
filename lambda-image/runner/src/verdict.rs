//! What the end of a child means.

use rustix::process::Signal;
use sandgate_core::{GuestError, Status};
use sandgate_zygote::protocol::Ending;

use crate::drive::{End, MAX_FILES, MAX_PROCESSES};

/// How an execution ended, in the words of the outcome.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) status: Status,
    pub(crate) exit_code: Option<u8>,
    pub(crate) error: Option<GuestError>,
}

/// What is known when everything has ended.
#[derive(Debug)]
pub(crate) struct Evidence<'a> {
    /// Why the watch was over.
    pub(crate) end: End,
    /// It printed more than is kept.
    pub(crate) over_output: bool,
    /// How the child itself ended, where the zygote said so.
    pub(crate) ending: Option<Ending>,
    /// The system ended a process meanwhile because memory ran out.
    pub(crate) system_out_of_memory: bool,
    /// What it printed on standard error.
    pub(crate) stderr: &'a [u8],
    /// What it reported as its uncaught error.
    pub(crate) error: Option<GuestError>,
}

/// Judges how an execution ended.
pub(crate) fn judge(evidence: Evidence<'_>) -> Verdict {
    let Evidence { end, ending, .. } = evidence;
    if evidence.over_output {
        return cut_short(Status::OutputLimit, evidence.error);
    }
    match (end, ending) {
        (End::Timeout, _) => cut_short(Status::Timeout, evidence.error),
        (End::OutputLimit, _) => cut_short(Status::OutputLimit, evidence.error),
        (End::OutOfMemory, _) => cut_short(Status::OutOfMemory, evidence.error),
        (End::TooManyProcesses, _) => {
            let reason = format!("more than {MAX_PROCESSES} processes");
            cut_short(Status::Crashed, Some(crash(&reason)))
        }
        (End::TooManyFiles, _) => {
            let reason = format!("more than {MAX_FILES} files");
            cut_short(Status::Crashed, Some(crash(&reason)))
        }
        (End::Ended, Some(Ending::Exited(code))) => exited(code, evidence.error),
        (End::Ended, Some(Ending::Killed(signal))) => killed(signal, evidence),
        (End::Ended, None) => {
            let reason = "nobody knows how it ended";
            cut_short(Status::Crashed, Some(crash(reason)))
        }
    }
}

fn cut_short(status: Status, error: Option<GuestError>) -> Verdict {
    Verdict {
        status,
        exit_code: None,
        error,
    }
}

fn exited(code: i32, error: Option<GuestError>) -> Verdict {
    let [code, ..] = code.to_le_bytes();
    let ran_out = error.as_ref().is_some_and(is_out_of_memory);
    Verdict {
        status: Status::of_exit(code, error.is_some(), ran_out),
        exit_code: Some(code),
        error,
    }
}

fn killed(signal: i32, evidence: Evidence<'_>) -> Verdict {
    let is = |known: Signal| known.as_raw() == signal;
    let status = if is(Signal::XCPU) {
        Status::Timeout
    } else if is(Signal::KILL) && evidence.system_out_of_memory
        || is(Signal::ABORT) && says_out_of_memory(evidence.stderr)
    {
        Status::OutOfMemory
    } else {
        Status::Crashed
    };
    let error = evidence.error.or_else(|| {
        let reason = format!("it was ended by {}", name(signal));
        (status == Status::Crashed).then(|| crash(&reason))
    });
    cut_short(status, error)
}

fn name(signal: i32) -> String {
    let known = [
        (Signal::SEGV, "SIGSEGV"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::ILL, "SIGILL"),
        (Signal::FPE, "SIGFPE"),
        (Signal::KILL, "SIGKILL"),
        (Signal::TERM, "SIGTERM"),
        (Signal::SYS, "SIGSYS"),
        (Signal::XFSZ, "SIGXFSZ, for a file over the limit"),
    ];
    let found = known.iter().find(|(known, _)| known.as_raw() == signal);
    found.map_or_else(
        || format!("signal {signal}"),
        |(_, name)| (*name).to_owned(),
    )
}

fn crash(reason: &str) -> GuestError {
    GuestError {
        kind: "Crash".to_owned(),
        message: format!("the interpreter ended abnormally: {reason}"),
        traceback: String::new(),
        line: None,
    }
}

/// Whether the uncaught error says that memory ran out.
fn is_out_of_memory(error: &GuestError) -> bool {
    error.kind == "MemoryError"
        // R has no kind for it.
        || error.message.starts_with("cannot allocate ")
        || error.message.starts_with("vector memory ")
}

/// Whether a library that aborts said that memory ran out.
fn says_out_of_memory(stderr: &[u8]) -> bool {
    let text = String::from_utf8_lossy(stderr);
    ["bad_alloc", "out of memory", "cannot allocate memory"]
        .iter()
        .any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(ending: Ending, error: Option<GuestError>, stderr: &str, kills: bool) -> Verdict {
        judge(Evidence {
            end: End::Ended,
            over_output: false,
            ending: Some(ending),
            system_out_of_memory: kills,
            stderr: stderr.as_bytes(),
            error,
        })
    }

    fn error(kind: &str, message: &str) -> Option<GuestError> {
        Some(GuestError {
            kind: kind.to_owned(),
            message: message.to_owned(),
            traceback: String::new(),
            line: None,
        })
    }

    #[test]
    fn exit_codes_and_errors() {
        let status = |code, error| judged(Ending::Exited(code), error, "", false).status;
        assert_eq!(status(0, None), Status::Ok);
        assert_eq!(status(3, None), Status::Error);
        assert_eq!(status(1, error("ValueError", "")), Status::Error);
        assert_eq!(status(1, error("MemoryError", "")), Status::OutOfMemory);
        let vector = error("simpleError", "cannot allocate vector of size 8 Gb");
        assert_eq!(status(1, vector), Status::OutOfMemory);
        // A report is the guest's own: an exit code of 0 does not make it fine.
        assert_eq!(status(0, error("ValueError", "")), Status::Error);
    }

    #[test]
    fn signals() {
        let status = |signal: Signal, stderr, kills| {
            judged(Ending::Killed(signal.as_raw()), None, stderr, kills).status
        };
        assert_eq!(status(Signal::SEGV, "", false), Status::Crashed);
        assert_eq!(status(Signal::KILL, "", false), Status::Crashed);
        assert_eq!(status(Signal::KILL, "", true), Status::OutOfMemory);
        assert_eq!(
            status(Signal::ABORT, "std::bad_alloc", false),
            Status::OutOfMemory
        );
        assert_eq!(status(Signal::ABORT, "", false), Status::Crashed);
        assert_eq!(status(Signal::XCPU, "", false), Status::Timeout);
        let crash = judged(Ending::Killed(Signal::SEGV.as_raw()), None, "", false);
        assert!(crash.error.unwrap().message.contains("SIGSEGV"));
    }
}
