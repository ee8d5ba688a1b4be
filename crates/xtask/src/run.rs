//! `cargo xtask run`: the service in the foreground, and what to type once it answers.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::{CommandExt, parent_id};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::console::Console;
use crate::guests;
use crate::lambda;
use crate::service;
use crate::workspace::{Profile, Workspace};

/// Where the service listens unless told otherwise.
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

/// Builds everything and becomes the service: the signals a terminal sends reach it directly, and
/// its exit code is this command's. Returns only if that fails.
pub(crate) fn run(arguments: &[OsString], workspace: &Workspace, console: &Console) -> Result<()> {
    let address = listen_address(arguments, env::var_os("SANDGATE_LISTEN"));
    if service::answers(&address) {
        bail!("something on {address} answers already: stop it, or choose another with --listen");
    }
    let cache = Cache::open()?;
    let guests = guests::Request::all(Profile::Release);
    guests::build(&guests, workspace, &cache, console)?;
    lambda::build_if_possible(workspace, &cache, console);
    let program = service::build(workspace)?;

    // Asks in its own process until the service answers: this one is about to be the service.
    Command::new(env::current_exe()?)
        .args(["announce", &address])
        .stdin(Stdio::null())
        .spawn()
        .context("starting the process that waits for the service")?;
    let mut command = Command::new(program);
    command.arg("serve");
    if !service::has_option(arguments, "--guests") {
        command.arg("--guests").arg(workspace.guests());
    }
    Err(command.args(arguments).exec()).context("starting the service")
}

/// Waits until the service answers and prints examples to paste. Ends without a word when its
/// parent, the service, has ended.
pub(crate) fn announce(address: &str, console: &Console) {
    let service = parent_id();
    let started = Instant::now();
    while started.elapsed() < service::START_LIMIT {
        std::thread::sleep(Duration::from_millis(50));
        let ready = service::answers(address);
        if parent_id() != service {
            return;
        }
        if ready {
            console.line(&examples(address));
            return;
        }
    }
    console.line(&format!(
        "the service does not answer on {address}/readyz yet"
    ));
}

/// Snippets for the sandbox, and one for Lambda, as command lines.
fn examples(address: &str) -> String {
    let example = |title: &str, language: &str, code: &str| {
        format!(
            "\n# {title}\ncurl -s http://{address}/v1/execute -H 'content-type: application/json' \\\n  \
             -d '{{\"language\": \"{language}\", \"code\": \"{code}\"}}'\n"
        )
    };
    format!(
        "\nsandgate answers on http://{address}. Ctrl+C ends it. Try:\n{}{}{}",
        example(
            "Python",
            "python",
            "import math\\nprint(math.factorial(30))"
        ),
        example(
            "JavaScript",
            "javascript",
            "console.log([3, 1, 2].toSorted())"
        ),
        example(
            "pandas and a plot, on the local Lambda (its first start takes a moment)",
            "python",
            "import pandas as pd\\nsales = pd.DataFrame({\\\"n\\\": [3, 1, 2]})\\n\
             sales.plot().figure.savefig(\\\"sales.png\\\")\\nsales.describe()"
        ),
    )
}

/// The address the service will listen on: the flag, the environment, the default.
fn listen_address(arguments: &[OsString], variable: Option<OsString>) -> String {
    let flag = option_value(arguments, "--listen").map(OsStr::to_owned);
    let chosen = flag
        .or(variable)
        .map(|value| value.to_string_lossy().into_owned());
    let address = chosen.filter(|value| !value.is_empty());
    let address = address.unwrap_or_else(|| DEFAULT_LISTEN.to_owned());
    // A service on all addresses is also on this one.
    address
        .replace("0.0.0.0:", "127.0.0.1:")
        .replace("[::]:", "[::1]:")
}

/// The value of `--name value` or `--name=value`; the last counts.
fn option_value<'a>(arguments: &'a [OsString], name: &str) -> Option<&'a OsStr> {
    let mut found = None;
    for (index, argument) in arguments.iter().enumerate() {
        let Some(text) = argument.to_str() else {
            continue;
        };
        if text == name {
            found = arguments.get(index + 1).map(OsString::as_os_str);
        } else if let Some(value) = text
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('='))
        {
            found = Some(OsStr::new(value));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_address_is_the_flag_then_the_environment_then_the_default() {
        let address = |arguments: &str, variable: Option<&str>| {
            listen_address(&words(arguments), variable.map(OsString::from))
        };
        assert_eq!(
            address("--listen 127.0.0.1:1 --x", Some("127.0.0.1:2")),
            "127.0.0.1:1"
        );
        assert_eq!(address("--listen=127.0.0.1:1", None), "127.0.0.1:1");
        assert_eq!(address("--data-dir d", Some("127.0.0.1:2")), "127.0.0.1:2");
        assert_eq!(address("", Some("")), DEFAULT_LISTEN);
        assert_eq!(address("--listen 0.0.0.0:80", None), "127.0.0.1:80");
    }

    #[test]
    fn the_examples_are_valid_json() {
        let text = examples(DEFAULT_LISTEN);
        let bodies = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("-d '"));
        let bodies: Vec<serde_json::Value> = bodies
            .map(|body| serde_json::from_str(body.trim_end_matches('\'')).unwrap())
            .collect();
        assert_eq!(bodies.len(), 3);
        assert_eq!(bodies[0]["code"], "import math\nprint(math.factorial(30))");
        let pandas = bodies[2]["code"].as_str().unwrap();
        assert!(pandas.contains("\nsales.plot().figure.savefig(\"sales.png\")\n"));
    }
}
