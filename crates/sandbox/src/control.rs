//! How the outside reaches into a running execution.

use std::time::Instant;

/// The caller's hand on one execution.
///
/// Both methods are called on the thread that runs the guest.
pub(crate) trait Control {
    /// Whether the execution shall end now. Cheap: called at every fuel yield, several times a
    /// millisecond.
    fn cancelled(&self) -> bool;

    /// Blocks until `until` or cancellation, whichever is first. Waking early is harmless.
    fn wait(&self, until: Instant);
}
