//! The command that starts an environment, for each kind of isolation.

use std::process::{Command, Stdio};

use crate::config::Isolation;

impl Isolation {
    /// The best that works on this machine, tried out.
    pub fn detect() -> Self {
        let bubblewrap = [
            "bwrap",
            "--unshare-all",
            "--unshare-user",
            "--ro-bind",
            "/",
            "/",
        ];
        if works(&bubblewrap) {
            Self::Bubblewrap
        } else if works(&UNSHARE) {
            Self::UserNamespaces
        } else {
            Self::None
        }
    }
}

/// `unshare` with every namespace that an environment needs.
const UNSHARE: [&str; 9] = [
    "unshare",
    "--user",
    "--map-root-user",
    "--net",
    "--mount",
    "--ipc",
    "--uts",
    "--pid",
    "--fork",
];

/// Whether `true` succeeds under this command.
fn works(wrapper: &[&str]) -> bool {
    Command::new(wrapper[0])
        .args(&wrapper[1..])
        .arg("true")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
