//! The machine's own commands: which are missing, and how to get them.

use std::collections::BTreeSet;
use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::command;
use crate::console::Console;

/// Commands that recipes use, and the Debian packages they are in where the name differs.
const PACKAGES: &[(&str, &str)] = &[
    ("aclocal", "automake"),
    ("ar", "binutils"),
    ("bwrap", "bubblewrap"),
    ("c++", "g++"),
    ("cc", "gcc"),
    ("file", "file"),
    ("ld", "binutils"),
    ("pkg-config", "pkgconf"),
    ("setpriv", "util-linux"),
    ("tclsh", "tcl"),
    ("unshare", "util-linux"),
    ("xargs", "findutils"),
    ("xz", "xz-utils"),
];

/// The file a command's name stands for, as a shell would find it.
pub(crate) fn find(command: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(command))
        .find(|file| {
            file.metadata()
                .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        })
}

/// Makes sure that all these commands exist: installs the missing ones where that is allowed,
/// and otherwise fails with the command to type.
pub(crate) fn require_tools<'a>(
    tools: impl IntoIterator<Item = &'a str>,
    console: &Console,
) -> Result<()> {
    let missing: BTreeSet<&str> = tools
        .into_iter()
        .filter(|tool| find(tool).is_none())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: BTreeSet<&str> = missing.iter().map(|tool| package_of(tool)).collect();
    let packages: Vec<&str> = packages.into_iter().collect();
    let missing: Vec<&str> = missing.into_iter().collect();
    install(
        &packages,
        &format!("missing commands: {}", missing.join(", ")),
        console,
    )?;
    let still: Vec<&str> = missing
        .into_iter()
        .filter(|tool| find(tool).is_none())
        .collect();
    if still.is_empty() {
        return Ok(());
    }
    bail!(
        "{} still missing after installing {}",
        still.join(", "),
        packages.join(" ")
    )
}

fn package_of(tool: &str) -> &str {
    PACKAGES
        .iter()
        .find(|(name, _)| *name == tool)
        .map_or(tool, |(_, package)| package)
}

/// Installs Debian packages as root or through a sudo that asks no password.
pub(crate) fn install(packages: &[&str], why: &str, console: &Console) -> Result<()> {
    let typed = format!(
        "apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    );
    if find("apt-get").is_none() {
        bail!(
            "{why}\ninstall what Debian has in the packages {}",
            packages.join(" ")
        );
    }
    let root = command::output_of(Command::new("id").arg("-u")).is_ok_and(|id| id == "0");
    let sudo = !root && command::succeeds(Command::new("sudo").args(["-n", "true"]));
    if !root && !sudo {
        bail!("{why}\nrun this, then try again:\n\n    sudo {typed}\n");
    }
    console.line(&format!("{why}; running {typed}"));
    let apt = |arguments: &[&str]| {
        let mut command = if sudo {
            let mut command = Command::new("sudo");
            command.args(["-n", "apt-get"]);
            command
        } else {
            Command::new("apt-get")
        };
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(arguments);
        command::output_of(&mut command).map(drop)
    };
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(packages);
    // A fresh machine has no package lists yet, an old one stale ones.
    apt(&arguments).or_else(|_| {
        apt(&["update", "-qq"])?;
        apt(&arguments)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_as_a_shell_finds_them() {
        assert!(find("sh").is_some());
        assert_eq!(find("no-such-command-anywhere"), None);
    }

    #[test]
    fn packages_are_known_by_their_commands() {
        assert_eq!(package_of("xz"), "xz-utils");
        assert_eq!(package_of("make"), "make");
    }
}
