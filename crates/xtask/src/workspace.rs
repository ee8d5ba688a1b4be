//! Where things are in the repository and in cargo's target folder.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// How the product is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Fast to build, with checks.
    Dev,
    /// What is run and measured.
    Release,
}

impl Profile {
    /// Cargo's arguments for it.
    pub(crate) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Dev => &[],
            Self::Release => &["--release"],
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// What every build of the product selects. Cargo gives a dependency the features that all selected
/// packages want together: with another selection it would compile wasmtime and much else again.
const SELECTION: &[&str] = &["--workspace", "--features", "sandgate-sandbox/snapshot"];

/// The repository.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The repository that this program was built in.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .context("this crate is not in the repository's crates folder")?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// The repository's folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path in the repository.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The folder with a language's recipe.
    pub(crate) fn recipes(&self) -> PathBuf {
        self.path("wasm-runtimes")
    }

    /// Where finished guests go, and where the sandbox looks for them by default.
    pub(crate) fn guests(&self) -> PathBuf {
        self.path("target/guests")
    }

    /// Where the contents of the Lambda image go, and where the local function looks for them.
    pub(crate) fn lambda(&self) -> PathBuf {
        self.path("target/lambda")
    }

    /// A program that cargo has built.
    pub(crate) fn program(&self, profile: Profile, name: &str) -> PathBuf {
        let target = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| self.path("target"), |folder| self.root.join(folder));
        target.join(profile.folder()).join(name)
    }

    /// A cargo command on the whole workspace.
    pub(crate) fn cargo(&self, command: &[&str], profile: Profile, targets: &[&str]) -> Command {
        let mut cargo = Command::new(cargo());
        cargo
            .current_dir(&self.root)
            .args(command)
            .args(SELECTION)
            .args(profile.arguments())
            .args(targets);
        // What the cargo that runs us has told us of this package is nobody else's business: a build
        // script that asks for such a variable, as ring's does, would run again each time that cargo
        // is called from here after it was called from a shell, and what needs it be compiled again.
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(&name);
            }
        }
        cargo
    }
}

/// The cargo that runs us.
pub(crate) fn cargo() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}
