//! One invocation, and the answers that Lambda gives for it.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use crate::process::Exit;

/// What a function is given.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) id: String,
    pub(crate) payload: Bytes,
    /// When the function is out of time, in milliseconds since 1970.
    pub(crate) deadline_ms: u128,
    pub(crate) arn: String,
    pub(crate) trace_id: String,
    pub(crate) tenant: Option<String>,
    /// The caller's `X-Amz-Client-Context`, decoded.
    pub(crate) client_context: Option<String>,
}

/// Why an invocation or the start of an environment failed, in Lambda's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process reported this, when starting or when handling.
    Reported(Bytes),
    /// The process ended.
    Exited(Exit),
    /// It used more memory than it has.
    OutOfMemory,
    /// It took longer than this.
    TimedOut(Duration),
    /// Its answer has this many bytes.
    ResponseTooLarge,
    /// The entry point cannot be executed.
    InvalidEntryPoint(String),
    /// The environment cannot be made: this machine's doing, not the function's.
    Unavailable(String),
}

impl Fault {
    /// The name that Lambda gives it in REPORT lines and documents.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Reported(_) => "Runtime.Unknown",
            Self::Exited(_) => "Runtime.ExitError",
            Self::OutOfMemory => "Runtime.OutOfMemory",
            Self::TimedOut(_) => "Sandbox.Timedout",
            Self::ResponseTooLarge => "Function.ResponseSizeTooLarge",
            Self::InvalidEntryPoint(_) => "Runtime.InvalidEntrypoint",
            Self::Unavailable(_) => "ServiceException",
        }
    }

    /// The document that the caller gets.
    pub(crate) fn document(&self, id: &str) -> Bytes {
        if let Self::Reported(document) = self {
            return document.clone();
        }
        json!({"errorType": self.kind(), "errorMessage": self.message(id)})
            .to_string()
            .into()
    }

    fn message(&self, id: &str) -> String {
        let text = match self {
            Self::Reported(_) => return "the function reported an error".to_owned(),
            Self::ResponseTooLarge => {
                return format!(
                    "Response payload size exceeded maximum allowed payload size ({} bytes).",
                    super::runtime_api::MAX_RESPONSE
                );
            }
            Self::Unavailable(reason) => return reason.clone(),
            Self::Exited(exit) => exit_text(*exit),
            Self::OutOfMemory => exit_text(Exit::Signal(9)),
            Self::TimedOut(limit) => {
                format!("Task timed out after {:.2} seconds", limit.as_secs_f64())
            }
            Self::InvalidEntryPoint(reason) => reason.clone(),
        };
        format!("RequestId: {id} Error: {text}")
    }

    /// What Lambda logs about it, unless the function has said it itself.
    pub(crate) fn log_line(&self, id: &str) -> Option<String> {
        match self {
            Self::Reported(_) => None,
            Self::Exited(_)
            | Self::OutOfMemory
            | Self::TimedOut(_)
            | Self::ResponseTooLarge
            | Self::InvalidEntryPoint(_)
            | Self::Unavailable(_) => Some(format!("{}\n{}", self.message(id), self.kind())),
        }
    }

    /// Whether it is a failure of the environment rather than of the handler in it.
    pub(crate) fn is_fatal(&self) -> bool {
        match self {
            Self::Reported(_) | Self::ResponseTooLarge => false,
            Self::Exited(_)
            | Self::OutOfMemory
            | Self::TimedOut(_)
            | Self::InvalidEntryPoint(_)
            | Self::Unavailable(_) => true,
        }
    }

    /// Whether this machine is at fault rather than the function: no second start is tried then.
    pub(crate) fn is_ours(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Reported(_)
            | Self::Exited(_)
            | Self::OutOfMemory
            | Self::TimedOut(_)
            | Self::ResponseTooLarge
            | Self::InvalidEntryPoint(_) => false,
        }
    }
}

/// In the words of the language that Lambda's supervisor is written in.
fn exit_text(exit: Exit) -> String {
    match exit {
        Exit::Status(0) => "Runtime exited without providing a reason".to_owned(),
        Exit::Status(code) => format!("Runtime exited with error: exit status {code}"),
        Exit::Signal(signal) => {
            let name = match signal {
                1 => "hangup",
                2 => "interrupt",
                3 => "quit",
                4 => "illegal instruction",
                5 => "trace/breakpoint trap",
                6 => "aborted",
                7 => "bus error",
                8 => "floating point exception",
                9 => "killed",
                10 => "user defined signal 1",
                11 => "segmentation fault",
                12 => "user defined signal 2",
                13 => "broken pipe",
                14 => "alarm clock",
                15 => "terminated",
                24 => "CPU time limit exceeded",
                25 => "file size limit exceeded",
                31 => "bad system call",
                other => return format!("Runtime exited with error: signal {other}"),
            };
            format!("Runtime exited with error: signal: {name}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(fault: &Fault) -> serde_json::Value {
        serde_json::from_slice(&fault.document("id-1")).unwrap()
    }

    #[test]
    fn faults_are_told_in_lambdas_words() {
        let cases = [
            (
                Fault::Exited(Exit::Status(3)),
                "Runtime.ExitError",
                "RequestId: id-1 Error: Runtime exited with error: exit status 3",
            ),
            (
                Fault::Exited(Exit::Status(0)),
                "Runtime.ExitError",
                "RequestId: id-1 Error: Runtime exited without providing a reason",
            ),
            (
                Fault::Exited(Exit::Signal(11)),
                "Runtime.ExitError",
                "RequestId: id-1 Error: Runtime exited with error: signal: segmentation fault",
            ),
            (
                Fault::OutOfMemory,
                "Runtime.OutOfMemory",
                "RequestId: id-1 Error: Runtime exited with error: signal: killed",
            ),
            (
                Fault::TimedOut(Duration::from_millis(1500)),
                "Sandbox.Timedout",
                "RequestId: id-1 Error: Task timed out after 1.50 seconds",
            ),
            (
                Fault::ResponseTooLarge,
                "Function.ResponseSizeTooLarge",
                "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
            ),
        ];
        for (fault, kind, message) in cases {
            let document = document(&fault);
            assert_eq!(document["errorType"], kind);
            assert_eq!(document["errorMessage"], message);
        }
    }

    #[test]
    fn what_the_process_reported_is_passed_on_unchanged() {
        let fault = Fault::Reported(Bytes::from_static(b"{\"errorType\": \"Mine\"}"));
        assert_eq!(&fault.document("id")[..], b"{\"errorType\": \"Mine\"}");
    }
}
