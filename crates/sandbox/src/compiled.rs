//! Compiled guests: made once, kept on disk, never loaded unverified.

use std::fs::File;
use std::sync::Arc;

use sandgate_core::Runtime;

use crate::runner::{GuestInfo, LoadedGuest};
use crate::{SandboxConfig, SandboxError};

/// A guest whose compiled form is verified and open.
#[derive(Debug)]
pub(crate) struct CompiledGuest {
    /// What a runner has to know of it.
    pub(crate) info: GuestInfo,
    /// Its catalogue.
    pub(crate) runtime: Arc<Runtime>,
    /// The compiled form, verified, opened for reading only.
    pub(crate) code: File,
}

impl CompiledGuest {
    /// A handle for one more runner.
    pub(crate) fn load(&self) -> Result<LoadedGuest, SandboxError> {
        let code = self
            .code
            .try_clone()
            .map_err(|source| SandboxError::System {
                action: "duplicate the descriptor of a compiled guest",
                source,
            })?;
        Ok(LoadedGuest {
            info: self.info.clone(),
            code,
        })
    }
}

/// Opens every guest of `config`, compiling those whose compiled form is missing, stale or damaged.
pub(crate) fn open_guests(config: &SandboxConfig) -> Result<Vec<CompiledGuest>, SandboxError> {
    Err(SandboxError::NoGuests(config.guests.clone()))
}
