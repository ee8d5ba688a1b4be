//! What tests call besides the project's own programs: checkers of CloudFormation templates and
//! Dockerfiles, a second S3, and what the local Lambda isolates with.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::Cache;
use crate::cargo_tool::CargoTool;
use crate::console::Console;
use crate::system;
use crate::toolchain;
use crate::workspace::Workspace;

/// Checks templates against rules.
const GUARD: CargoTool = CargoTool {
    name: "cfn-guard",
    version: "3.2.1",
    optimised: false,
};

/// Pinned and hashed packages: checkers, and a server that speaks S3 and more.
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
        // The local Lambda's two ways to isolate; both are tested.
        system::require_tools(["bwrap", "setpriv", "unshare"], console)?;
        let list = workspace.path(REQUIREMENTS);
        let list = fs::read_to_string(&list).with_context(|| format!("reading {list:?}"))?;
        let environment = toolchain::environment(cache, console, "test-tools", &[&list], &[])?;
        Ok(Self {
            python: environment.join("bin/python"),
            guard: GUARD.prepare(cache, console)?,
        })
    }

    /// Tells them to a command, by variables.
    pub(crate) fn tell<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("SANDGATE_TEST_PYTHON", &self.python)
            .env("SANDGATE_TEST_CFN_GUARD", &self.guard)
    }
}
