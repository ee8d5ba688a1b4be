//! What an ending means: the status, and the error that goes with it.

use sandgate_core::{GuestError, Outcome, Status};
use wasmtime::Trap;

use super::drive::Ending;
use crate::host::End;

/// How an execution ended, in the words of the outcome.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) status: Status,
    pub(super) exit_code: Option<u8>,
    pub(super) error: Option<GuestError>,
}

impl Verdict {
    fn of(status: Status, error: Option<GuestError>) -> Self {
        Self {
            status,
            exit_code: None,
            error,
        }
    }
}

/// What ended the guest, before its own words and the limits are weighed.
enum Cause {
    Exit(u32),
    Status(Status),
    Crash(String),
}

/// Judges how an execution ended. `over_output`: it printed more than is kept; `denied`: it was
/// refused memory; `error` and `said`: what the guest itself reported, and whether it said that
/// this is the error of a refused allocation, where it can tell.
pub(super) fn judge(
    ending: Ending,
    over_output: bool,
    denied: bool,
    error: Option<GuestError>,
    said: Option<bool>,
) -> Verdict {
    let cause = match ending {
        Ending::Returned(code) => Cause::Exit(code),
        Ending::NoRoom => Cause::Status(Status::OutOfMemory),
        Ending::Timeout => Cause::Status(Status::Timeout),
        Ending::Cancelled => Cause::Status(Status::Cancelled),
        Ending::OutputLimit => Cause::Status(Status::OutputLimit),
        Ending::Lying(lie) => Cause::Crash(format!("its stdio block is broken: {lie}")),
        Ending::Failed(error) => cause_of(&error),
    };
    if over_output {
        return Verdict::of(Status::OutputLimit, error);
    }
    match cause {
        Cause::Status(status) => Verdict::of(status, error),
        // An interpreter that cannot get memory for what it cannot do without aborts.
        Cause::Crash(_) if denied => Verdict::of(Status::OutOfMemory, error),
        Cause::Crash(reason) => {
            let crash = GuestError {
                kind: "Crash".to_owned(),
                message: format!("the interpreter ended abnormally: {reason}"),
                traceback: String::new(),
                line: None,
            };
            Verdict::of(Status::Crashed, Some(error.unwrap_or(crash)))
        }
        Cause::Exit(code) => {
            // Exit codes are bytes, as everywhere.
            let [code, ..] = code.to_le_bytes();
            // Guests keep what they need to report an uncaught error: one that reports none has
            // left by itself, whatever it was refused before.
            let ran_out = error
                .as_ref()
                .is_some_and(|error| said.unwrap_or_else(|| is_out_of_memory(error, denied)));
            Verdict {
                status: Status::of_exit(code, error.is_some(), ran_out),
                exit_code: Some(code),
                error,
            }
        }
    }
}

/// Whether the uncaught error means that memory ran out, for all its name and message say: those
/// a program can choose.
fn is_out_of_memory(error: &GuestError, denied: bool) -> bool {
    match error.kind.as_str() {
        // Python's parser says the same of its stack, which is not memory.
        "MemoryError" if error.message.starts_with("Parser stack overflowed") => false,
        // Also without a refusal: what does not fit in 32 bits is never asked for. One with a
        // message may be the program's own.
        "MemoryError" => denied || error.message.is_empty(),
        _ => false,
    }
}

fn cause_of(error: &wasmtime::Error) -> Cause {
    if let Some(end) = error.downcast_ref::<End>() {
        return match *end {
            End::Exit(code) => Cause::Exit(code),
            End::OutputLimit => Cause::Status(Status::OutputLimit),
            End::OutOfBounds(error) => Cause::Crash(error.to_string()),
        };
    }
    match error.downcast_ref::<Trap>() {
        Some(trap) => cause_of_trap(*trap),
        None => Cause::Crash(format!("{error:#}")),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other trap, and every one that a later engine adds, is a crash"
)]
fn cause_of_trap(trap: Trap) -> Cause {
    match trap {
        Trap::OutOfFuel => Cause::Status(Status::FuelExhausted),
        Trap::Interrupt => Cause::Status(Status::Timeout),
        // Also the overflow of the stack: guests end recursion in their own language, well before.
        crash => Cause::Crash(crash.to_string()),
    }
}

/// The outcome of a task that no guest has seen.
pub(super) fn not_run(message: String) -> Outcome {
    let mut outcome = Outcome::empty(Status::Crashed);
    outcome.error = Some(GuestError {
        kind: "Crash".to_owned(),
        message,
        traceback: String::new(),
        line: None,
    });
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u32, denied: bool, error: Option<(&str, &str)>) -> Status {
        status_said(code, denied, error, None)
    }

    fn status_said(
        code: u32,
        denied: bool,
        error: Option<(&str, &str)>,
        said: Option<bool>,
    ) -> Status {
        let error = error.map(|(kind, message)| GuestError {
            kind: kind.to_owned(),
            message: message.to_owned(),
            traceback: String::new(),
            line: None,
        });
        judge(Ending::Returned(code), false, denied, error, said).status
    }

    #[test]
    fn out_of_memory_is_told_from_other_failures() {
        for (denied, error, expected) in [
            (true, Some(("MemoryError", "")), Status::OutOfMemory),
            (false, Some(("MemoryError", "")), Status::OutOfMemory),
            (
                true,
                Some(("InternalError", "out of memory")),
                Status::Error,
            ),
            (true, None, Status::Error),
            (false, None, Status::Error),
            (
                true,
                Some((
                    "MemoryError",
                    "Parser stack overflowed - Python source too complex to parse",
                )),
                Status::Error,
            ),
            (true, Some(("ValueError", "x")), Status::Error),
        ] {
            assert_eq!(status(1, denied, error), expected, "{denied} {error:?}");
        }
        let named = Some(("InternalError", "out of memory"));
        for (denied, said, expected) in [
            (true, true, Status::OutOfMemory),
            (false, true, Status::OutOfMemory),
            (true, false, Status::Error),
        ] {
            assert_eq!(status_said(1, denied, named, Some(said)), expected);
        }
        // A guest that can tell them apart is not asked what its errors are called.
        let python = Some(("MemoryError", ""));
        assert_eq!(status_said(1, true, python, Some(false)), Status::Error);
        assert_eq!(status(0, true, None), Status::Ok);
        assert_eq!(status(3, true, None), Status::Error);
        assert_eq!(status(0, false, Some(("E", ""))), Status::Error);
    }

    #[test]
    fn a_full_output_outweighs_everything() {
        let verdict = judge(Ending::Returned(0), true, false, None, None);
        assert_eq!(
            (verdict.status, verdict.exit_code),
            (Status::OutputLimit, None)
        );
    }
}
