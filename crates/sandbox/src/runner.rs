//! Runs tasks, one at a time, on the calling thread.

use std::fs::File;

use sandgate_core::{Language, Limits, Outcome, OutputStream, Status, Task};
use serde::{Deserialize, Serialize};

use crate::SandboxError;
use crate::control::Control;

/// What a runner has to know of a guest besides its code. Sent to workers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GuestInfo {
    /// The language it runs.
    pub(crate) language: Language,
    /// The address of its stdio block.
    pub(crate) stdio: u32,
}

/// A guest ready to be loaded: its facts, and the open file of its verified compiled form.
#[derive(Debug)]
pub(crate) struct LoadedGuest {
    /// The facts.
    pub(crate) info: GuestInfo,
    /// The compiled form. Must have been verified: see [`crate::compiled`].
    pub(crate) code: File,
}

/// The loaded guests of one thread or one worker process.
#[derive(Debug)]
pub(crate) struct Runner {}

impl Runner {
    /// Loads `guests`, for executions of at most `maximum`.
    pub(crate) fn new(guests: Vec<LoadedGuest>, maximum: &Limits) -> Result<Self, SandboxError> {
        let _ = (guests, maximum);
        Ok(Self {})
    }

    /// Runs `task` and says what came of it. Whatever the task or the guest does, this returns.
    pub(crate) fn run(
        &mut self,
        task: &Task,
        output: &mut dyn FnMut(OutputStream, &[u8]),
        control: &dyn Control,
    ) -> Outcome {
        let _ = (task, output, control);
        Outcome::empty(Status::Crashed)
    }
}
