//! Taking out a wall, to see that the attack it holds off works without it.
//!
//! Only the feature `lowered-walls` makes that possible, and only the tests of the walls want it.
//! Without it [`stands`] is constant: no variable, event or guest can lower anything. No release can
//! be built with it.

#[cfg(all(feature = "lowered-walls", not(debug_assertions)))]
compile_error!("the feature `lowered-walls` is for tests: a release must be built without it");

/// One defence of the runner, its zygotes and their children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wall {
    /// Zygotes have an environment of their own, and nothing of the runner's.
    Environment,
    /// The runner and the zygotes may not be dumped, and so not be read and traced.
    NotDumpable,
    /// Landlock: files, TCP, signals and tracing.
    Landlock,
    /// Both filters of system calls.
    Seccomp,
    /// Descriptors that are not the child's are closed in it.
    Descriptors,
    /// Limits of the kernel on one process: memory, file size, processes, processor time.
    ResourceLimits,
    /// Memory and processes of all descendants are counted.
    Survey,
    /// Output is kept up to a limit, and ends the child beyond.
    OutputLimit,
    /// What is a child's end is learnt from its process, not from its descriptors.
    End,
    /// Reports are read up to a size, and cannot speak for the walls.
    Report,
    /// Who loses its parent becomes the runner's child.
    Subreaper,
    /// Descendants are killed.
    Killing,
    /// Files are removed.
    Cleaning,
    /// Links and what is no plain file are not taken for artifacts.
    PlainFiles,
    /// Artifacts have names that are safe elsewhere.
    SafeNames,
    /// Artifacts are taken up to a size and a number.
    ArtifactLimits,
}

/// The variable with the walls that do not stand, by name, with commas between them. The runner
/// hands it to its zygotes.
#[cfg(feature = "lowered-walls")]
pub const LOWERED: &str = "SANDGATE_LOWERED_WALLS";

/// Whether a wall stands.
#[cfg(not(feature = "lowered-walls"))]
pub const fn stands(_wall: Wall) -> bool {
    true
}

/// Whether a wall stands.
#[cfg(feature = "lowered-walls")]
pub fn stands(wall: Wall) -> bool {
    static NAMES: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| std::env::var(LOWERED).unwrap_or_default());
    let wall = format!("{wall:?}");
    NAMES.split(',').all(|name| name != wall)
}
