//! What tests call besides the project's own programs: checkers of CloudFormation templates and a
//! second S3.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::{Cache, Kind};
use crate::command;
use crate::console::Console;
use crate::hash::Key;
use crate::toolchain;
use crate::workspace::{Workspace, cargo};

/// Checks templates against rules. The registry's index holds its hash, and cargo checks it.
const GUARD_VERSION: &str = "3.2.1";

/// Pinned and hashed packages: a checker of templates, and a server that speaks S3 and more.
const REQUIREMENTS: &str = "tests/tools/requirements.txt";

/// Where the tests find the tools.
#[derive(Debug)]
pub(crate) struct TestTools {
    python: PathBuf,
    guard: PathBuf,
}

impl TestTools {
    /// Makes them on first use.
    pub(crate) fn prepare(workspace: &Workspace, cache: &Cache, console: &Console) -> Result<Self> {
        let list = workspace.path(REQUIREMENTS);
        let list = fs::read_to_string(&list).with_context(|| format!("reading {list:?}"))?;
        let environment = toolchain::environment(cache, console, "test-tools", &[&list], &[])?;
        Ok(Self {
            python: environment.join("bin/python"),
            guard: guard(cache, console)?,
        })
    }

    /// Tells them to a command, by variables.
    pub(crate) fn tell<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("SANDGATE_TEST_PYTHON", &self.python)
            .env("SANDGATE_TEST_CFN_GUARD", &self.guard)
    }
}

fn guard(cache: &Cache, console: &Console) -> Result<PathBuf> {
    let mut key = Key::new("cfn-guard 1");
    key.field("version", GUARD_VERSION);
    key.field(
        "compiler",
        &command::output_of(Command::new("rustc").arg("--version"))?,
    );
    let entry = format!("cfn-guard-{}", key.finish());
    let program = Path::new("bin/cfn-guard");
    let known = cache.path(Kind::Tools, &entry);
    if known.exists() {
        return Ok(known.join(program));
    }
    console.task("tools: cfn-guard", || {
        let folder = cache.produce(Kind::Tools, &entry, console, |place| {
            let mut install = Command::new(cargo());
            install
                .args([
                    "install",
                    "--quiet",
                    "--locked",
                    "--debug",
                    "--bin",
                    "cfn-guard",
                ])
                .args(["--version", GUARD_VERSION])
                .arg("--root")
                .arg(place.out)
                .arg("cfn-guard")
                .env("CARGO_TARGET_DIR", place.scratch)
                // Not with what is set for the workspace's own builds.
                .env_remove("RUSTFLAGS")
                .stdin(place.lock.try_clone()?);
            command::run_logged(&mut install, place.log)
        })?;
        Ok(folder.join(program))
    })
}
