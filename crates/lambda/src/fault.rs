//! How a function ended that gave no answer: Lambda says so in the body of a successful response.

use serde::Deserialize;

use crate::report::Report;

/// The body of a function error.
#[derive(Default, Deserialize)]
struct Body {
    #[serde(rename = "errorType")]
    kind: Option<String>,
    #[serde(rename = "errorMessage")]
    message: Option<String>,
}

/// How the function ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It ran into the function's own time limit.
    TimedOut,
    /// It needed more memory than the function has.
    OutOfMemory,
    /// Its process ended.
    Crashed(String),
    /// Its answer was larger than Lambda carries.
    AnswerTooLarge,
    /// The environment did not start.
    NotStarted(String),
    /// The runner gave an error instead of an answer.
    Defect(String),
}

/// What `body` means, in the light of `report`.
pub(crate) fn classify(body: &[u8], report: &Report) -> Fault {
    let Body { kind, message } = serde_json::from_slice(body).unwrap_or_default();
    let (kind, message) = (kind.unwrap_or_default(), message.unwrap_or_default());
    let text = if message.is_empty() { &kind } else { &message };
    let either = |name: &str| kind == name || report.error_type.as_deref() == Some(name);
    if kind == "Sandbox.Timedout"
        || report.status.as_deref() == Some("timeout")
        || message.contains("Task timed out after ")
    {
        return Fault::TimedOut;
    }
    // The kernel's answer to a full environment is a signal, and only the report says why.
    let killed = either("Runtime.ExitError") && message.contains("signal: killed");
    let full = report.memory_mb > 0 && report.max_memory_mb >= report.memory_mb;
    if either("Runtime.OutOfMemory") || (killed && full) {
        return Fault::OutOfMemory;
    }
    if either("Function.ResponseSizeTooLarge") {
        return Fault::AnswerTooLarge;
    }
    if report.init_failed || kind.starts_with("Runtime.Invalid") || kind == "Runtime.InitError" {
        return Fault::NotStarted(text.clone());
    }
    if kind.starts_with("Runtime.") || kind.starts_with("Extension.") {
        return Fault::Crashed(text.clone());
    }
    Fault::Defect(text.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(memory_mb: u64, max_memory_mb: u64, status: Option<&str>) -> Report {
        Report {
            memory_mb,
            max_memory_mb,
            status: status.map(str::to_owned),
            ..Report::default()
        }
    }

    #[test]
    fn recorded_shapes() {
        let small = report(512, 100, Some("error"));
        let exit = r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 5f1c Error: Runtime exited with error: signal: killed"}"#;
        let init = Report {
            init_failed: true,
            ..small.clone()
        };
        let text = |text: &str| text.to_owned();
        for (body, report, fault) in [
            (
                r#"{"errorMessage":"2026-01-01T00:00:00Z 5f1c Task timed out after 3.00 seconds"}"#,
                &small,
                Fault::TimedOut,
            ),
            (
                r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 5f1c Error: Task timed out after 3.00 seconds"}"#,
                &small,
                Fault::TimedOut,
            ),
            ("{}", &report(512, 100, Some("timeout")), Fault::TimedOut),
            (exit, &report(512, 512, Some("error")), Fault::OutOfMemory),
            (
                r#"{"errorType":"Runtime.OutOfMemory"}"#,
                &small,
                Fault::OutOfMemory,
            ),
            (
                exit,
                &small,
                Fault::Crashed(text(
                    "RequestId: 5f1c Error: Runtime exited with error: signal: killed",
                )),
            ),
            (
                r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 5f1c Error: Runtime exited with error: exit status 1"}"#,
                &report(512, 512, Some("error")),
                Fault::Crashed(text(
                    "RequestId: 5f1c Error: Runtime exited with error: exit status 1",
                )),
            ),
            (
                exit,
                &init,
                Fault::NotStarted(text(
                    "RequestId: 5f1c Error: Runtime exited with error: signal: killed",
                )),
            ),
            (
                r#"{"errorType":"Runtime.InvalidEntrypoint","errorMessage":"exec: no such file"}"#,
                &small,
                Fault::NotStarted(text("exec: no such file")),
            ),
            (
                r#"{"errorMessage":"Response payload size (7000000 bytes) exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}"#,
                &small,
                Fault::AnswerTooLarge,
            ),
            (
                r#"{"errorType":"Error","errorMessage":"boom"}"#,
                &small,
                Fault::Defect(text("boom")),
            ),
            ("not json", &small, Fault::Defect(String::new())),
        ] {
            assert_eq!(classify(body.as_bytes(), report), fault, "{body}");
        }
    }
}
