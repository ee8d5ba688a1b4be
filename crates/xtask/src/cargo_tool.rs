//! Programs from crates.io, at pinned versions, in the cache. The registry's index holds their
//! hashes, and cargo checks them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::cache::{Cache, Kind};
use crate::command;
use crate::console::Console;
use crate::hash::Key;
use crate::workspace::cargo;

/// A program that `cargo install` makes.
#[derive(Debug)]
pub(crate) struct CargoTool {
    /// The crate's name, which is the program's as well.
    pub(crate) name: &'static str,
    /// Its version.
    pub(crate) version: &'static str,
    /// Whether its speed matters.
    pub(crate) optimised: bool,
}

impl CargoTool {
    /// Makes it on first use; the program.
    pub(crate) fn prepare(&self, cache: &Cache, console: &Console) -> Result<PathBuf> {
        let mut key = Key::new("cargo tool 1");
        key.field("version", self.version);
        key.field("optimised", if self.optimised { "yes" } else { "no" });
        key.field(
            "compiler",
            &command::output_of(Command::new("rustc").arg("--version"))?,
        );
        let entry = format!("{}-{}", self.name, key.finish());
        let program = PathBuf::from("bin").join(self.name);
        let known = cache.path(Kind::Tools, &entry);
        if known.exists() {
            return Ok(known.join(program));
        }
        console.task(&format!("tools: {}", self.name), || {
            let folder = cache.produce(Kind::Tools, &entry, console, |place| {
                let mut install = Command::new(cargo());
                install.args(["install", "--quiet", "--locked", "--bin", self.name]);
                if !self.optimised {
                    install.arg("--debug");
                }
                install
                    .args(["--version", self.version])
                    .arg("--root")
                    .arg(place.out)
                    .arg(self.name)
                    .env("CARGO_TARGET_DIR", place.scratch)
                    // Not with what is set for the workspace's own builds.
                    .env_remove("RUSTFLAGS")
                    .stdin(place.lock.try_clone()?);
                command::run_logged(&mut install, place.log)
            })?;
            Ok(folder.join(program))
        })
    }
}
