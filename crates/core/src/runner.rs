//! The wire format between the router and the runner in the Lambda image: the JSON of an
//! invocation's event and of its answer.
//!
//! A synchronous invocation carries at most 6 MB each way, so a task or an outcome over that is
//! passed through the bucket, by URLs that the router has signed for this one invocation. The
//! function itself has no right to the bucket.

use serde::{Deserialize, Serialize};

use crate::{Outcome, Runtime, Task};

/// The version of this format. A runner refuses events of any other.
pub const RUNNER_PROTOCOL: u32 = 1;

/// What the runner is invoked with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunnerEvent {
    /// [`RUNNER_PROTOCOL`].
    pub protocol: u32,
    /// What to do.
    pub call: RunnerCall,
}

/// What the runner is asked to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "made once for each invocation, and never kept"
)]
pub enum RunnerCall {
    /// Say which languages the image has. Answered by [`RunnerReply::Described`].
    Describe,
    /// Run a task. Answered by [`RunnerReply::Executed`] or [`RunnerReply::Failed`].
    Execute {
        /// The task.
        task: Passed<Task>,
        /// Where an outcome that is too large for the answer goes.
        overflow: Option<Slot>,
    },
}

/// A value in the message itself, or in the bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Passed<T> {
    /// In the message.
    Inline(T),
    /// In the bucket, as the JSON of the value.
    Stored(Stored),
}

/// A value in the bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// A presigned GET of a task; none for an outcome, which is where its [`Slot`] says.
    pub url: Option<String>,
    /// Length of the JSON in bytes.
    pub bytes: u64,
    /// SHA-256 of the JSON, in lower-case hex.
    pub sha256: String,
}

/// A place in the bucket for one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// A presigned PUT.
    pub url: String,
    /// Headers that the signature covers and the request must have, by name.
    pub headers: Vec<(String, String)>,
    /// An answer of up to this many bytes stays in the message.
    pub inline_bytes: u64,
}

/// The runner's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunnerReply {
    /// The languages of the image, with their catalogues.
    Described(Passed<Vec<Runtime>>),
    /// What came of the task.
    Executed(Passed<Outcome>),
    /// The runner could not run the task.
    Failed(RunnerFailure),
}

/// Why a runner did not run a task. Never what the guest did: that is an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunnerFailure {
    /// What kind of failure it is.
    pub kind: RunnerFailureKind,
    /// What happened, for a person.
    pub message: String,
}

/// What kind of failure a [`RunnerFailure`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunnerFailureKind {
    /// The event is of another protocol, or no event at all.
    Protocol,
    /// The image does not have the language.
    Unsupported,
    /// A stored task could not be fetched, or an outcome could not be stored.
    Transfer,
    /// A defect of the runner.
    Internal,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_what_older_images_expect() {
        let event = RunnerEvent {
            protocol: RUNNER_PROTOCOL,
            call: RunnerCall::Execute {
                task: Passed::Stored(Stored {
                    url: Some("https://bucket/task".to_owned()),
                    bytes: 7,
                    sha256: "ab".to_owned(),
                }),
                overflow: None,
            },
        };
        let json = r#"{"protocol":1,"call":{"execute":{"task":{"stored":{"url":"https://bucket/task","bytes":7,"sha256":"ab"}},"overflow":null}}}"#;
        assert_eq!(serde_json::to_string(&event).unwrap(), json);
        assert_eq!(serde_json::from_str::<RunnerEvent>(json).unwrap(), event);

        let reply = RunnerReply::Failed(RunnerFailure {
            kind: RunnerFailureKind::Unsupported,
            message: "no r here".to_owned(),
        });
        let json = r#"{"failed":{"kind":"unsupported","message":"no r here"}}"#;
        assert_eq!(serde_json::to_string(&reply).unwrap(), json);
        assert_eq!(
            serde_json::to_string(&RunnerCall::Describe).unwrap(),
            r#""describe""#
        );
    }
}
