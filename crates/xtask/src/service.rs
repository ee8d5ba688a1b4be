//! The program `sandgate`, as the commands that start it need it.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::command;
use crate::workspace::{Profile, Workspace};

/// How long the service may take to answer; its first start compiles the guests.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(120);

const NAME: &str = "sandgate";

/// Builds it as it is run and measured, and gives its path.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let mut cargo = workspace.cargo(&["build"], Profile::Release, &["--bin", NAME]);
    command::run_visible(&mut cargo)?;
    Ok(workspace.program(Profile::Release, NAME))
}

/// Whether `--name` is among the arguments that it is given.
pub(crate) fn has_option(arguments: &[OsString], name: &str) -> bool {
    arguments.iter().filter_map(|one| one.to_str()).any(|one| {
        one.strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })
}

/// Whether `/readyz` says yes.
pub(crate) fn answers(address: &str) -> bool {
    ask(address).is_ok_and(|answer| answer.split(' ').nth(1) == Some("200"))
}

fn ask(address: &str) -> Result<String> {
    let limit = Duration::from_secs(1);
    let resolved = address
        .to_socket_addrs()?
        .next()
        .context("the address has no meaning")?;
    let mut stream = TcpStream::connect_timeout(&resolved, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    write!(
        stream,
        "GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_option_is_seen_in_both_forms() {
        let arguments = ["--output=x", "--only", "y"].map(OsString::from);
        assert!(has_option(&arguments, "--output") && has_option(&arguments, "--only"));
        assert!(!has_option(&arguments, "--out"));
    }

    /// A service that gives one answer.
    fn serve_once(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        address
    }

    #[test]
    fn only_a_200_means_ready() {
        assert!(answers(&serve_once(
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
        )));
        assert!(!answers(&serve_once(
            "HTTP/1.1 503 Service Unavailable\r\n\r\n200 "
        )));
        assert!(!answers(&serve_once("")));
    }
}
