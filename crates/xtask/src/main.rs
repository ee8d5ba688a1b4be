//! `cargo xtask`: builds, runs, tests and measures sandgate.

mod bench;
mod cache;
mod cargo_tool;
mod command;
mod console;
mod fetch;
mod guests;
mod hash;
mod image;
mod instructions;
mod lambda;
mod load;
mod recipe;
mod run;
mod schedule;
mod service;
mod snapshot;
mod step;
mod system;
mod test;
mod test_tools;
mod toolchain;
mod unpack;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::cache::Cache;
use crate::console::Console;
use crate::workspace::{Profile, Workspace};

fn main() -> ExitCode {
    let console = Console::new();
    match perform(&arguments().get_matches(), &console) {
        Ok(code) => code,
        Err(error) => {
            console.line(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The command line. Without derive macros: see Cargo.toml.
fn arguments() -> Command {
    let passed_on = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .help(help)
            .num_args(0..)
            .value_parser(value_parser!(OsString))
            .trailing_var_arg(true)
            .allow_hyphen_values(true)
    };
    let list = |name: &'static str, help: &'static str| Arg::new(name).help(help).num_args(0..);
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .help(help)
            .action(ArgAction::SetTrue)
    };
    Command::new("cargo xtask")
        .bin_name("cargo xtask")
        .about("Builds, runs, tests and measures sandgate")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("guests")
                .about("Builds the language guests into target/guests/")
                .arg(list(
                    "guests",
                    "Guests to build (folders of wasm-runtimes/); all when none is given",
                ))
                .arg(flag("force", "Build again what is in the cache"))
                .arg(flag("release", "Compile the snapshot tool in release mode")),
        )
        .subcommand(
            Command::new("lambda")
                .about("Builds the contents of the Lambda image into target/lambda/")
                .arg(flag(
                    "with-r",
                    "Install R from Debian's packages if it is missing",
                ))
                .arg(flag("release", "Compile the runner in release mode")),
        )
        .subcommand(
            Command::new("run")
                .about("Builds everything and starts the service in the foreground")
                .arg(passed_on(
                    "arguments",
                    "Arguments for `sandgate serve`, such as --listen 127.0.0.1:9000",
                )),
        )
        .subcommand(
            Command::new("test")
                .about("Builds what the tests need, runs them and sums up")
                .arg(list(
                    "filters",
                    "Run only tests whose names contain one of these",
                )),
        )
        .subcommand(
            Command::new("bench")
                .about("Runs the benchmarks: the goals, then the report with its peers")
                .long_about(
                    "Runs the benchmarks.\n\ngoals: the project's goals, and what is reached; some \
                     4 minutes.\nreport: snippets in the sandbox, on Lambda and elsewhere, into \
                     target/bench/report; some 12 minutes.\nparts: single parts, by criterion.\n\n\
                     Without a name, the goals and the report. A first build takes its time besides.",
                )
                .arg(
                    list("parts", "What to run: goals, report, parts")
                        .value_parser(bench::Part::NAMES.map(|(name, _)| name)),
                )
                .arg(flag("quick", "A few runs of each, for a first look"))
                .arg(
                    Arg::new("arguments")
                        .help("Arguments for the one part that is named, such as --only hello")
                        .num_args(0..)
                        .value_parser(value_parser!(OsString))
                        .last(true),
                ),
        )
        .subcommand(
            Command::new("image")
                .about("Builds the image of the Lambda function with docker, podman or buildah")
                .arg(
                    Arg::new("tag")
                        .long("tag")
                        .help("The image's name")
                        .default_value("sandgate-runner"),
                )
                .arg(flag(
                    "prebuilt",
                    "Take the runner compiled on this machine instead of compiling it in the image",
                ))
                .arg(
                    Arg::new("push")
                        .long("push")
                        .value_name("STACK")
                        .help("Push it to this stack's repository, and print it by its digest"),
                )
                .arg(passed_on(
                    "arguments",
                    "Arguments for the builder, such as --build-arg BASE_IMAGE=...",
                )),
        )
        .subcommand(
            Command::new("load")
                .about("Loads the service over HTTP and prints what callers see")
                .arg(flag("quick", "A fifth of the time, for a first look"))
                .arg(
                    Arg::new("url")
                        .long("url")
                        .value_name("URL")
                        .help("A service that runs already, such as http://127.0.0.1:8080"),
                ),
        )
        .subcommand(
            Command::new("instructions")
                .about("Counts the instructions of the router's parts, beside the baseline")
                .arg(flag("save", "Make what is counted the baseline")),
        )
        .subcommand(
            Command::new("announce")
                .about("Waits for the service and prints examples (part of `run`)")
                .hide(true)
                .arg(Arg::new("address").required(true)),
        )
}

fn perform(arguments: &ArgMatches, console: &Console) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    match arguments.subcommand() {
        Some(("guests", arguments)) => {
            let request = guests::Request {
                guests: values(arguments, "guests"),
                force: arguments.get_flag("force"),
                profile: profile(arguments),
                all_steps: false,
            };
            guests::build(&request, &workspace, &Cache::open()?, console)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(("lambda", arguments)) => {
            let request = lambda::Request {
                profile: profile(arguments),
                with_r: arguments.get_flag("with-r"),
            };
            lambda::build(request, &workspace, &Cache::open()?, console)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(("run", arguments)) => {
            run::run(&values(arguments, "arguments"), &workspace, console)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(("test", arguments)) => test::run(&values(arguments, "filters"), &workspace, console),
        Some(("bench", arguments)) => {
            let request = bench::Request::new(
                &values(arguments, "parts"),
                arguments.get_flag("quick"),
                values(arguments, "arguments"),
            )?;
            bench::run(&request, &workspace, console)
        }
        Some(("image", arguments)) => {
            let request = image::Request {
                tag: values::<String>(arguments, "tag").concat(),
                prebuilt: arguments.get_flag("prebuilt"),
                push: arguments.get_one("push").cloned(),
                arguments: values(arguments, "arguments"),
            };
            image::run(&request, &workspace, console)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(("load", arguments)) => {
            let request = load::Request {
                quick: arguments.get_flag("quick"),
                url: arguments.get_one("url").cloned(),
            };
            load::run(&request, &workspace, console)
        }
        Some(("instructions", arguments)) => {
            instructions::run(arguments.get_flag("save"), &workspace, console)
        }
        Some(("announce", arguments)) => {
            let address: Vec<String> = values(arguments, "address");
            run::announce(&address.concat(), console);
            Ok(ExitCode::SUCCESS)
        }
        // clap knows the same commands and asks for one of them.
        Some(_) | None => bail!("no such command: see cargo xtask --help"),
    }
}

/// As the flag `--release` says.
fn profile(arguments: &ArgMatches) -> Profile {
    if arguments.get_flag("release") {
        Profile::Release
    } else {
        Profile::Dev
    }
}

fn values<T: Clone + Send + Sync + 'static>(arguments: &ArgMatches, name: &str) -> Vec<T> {
    arguments
        .get_many(name)
        .into_iter()
        .flatten()
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        arguments().debug_assert();
    }

    #[test]
    fn arguments_are_passed_on_as_they_are() {
        let matches = arguments().get_matches_from(["xtask", "run", "--listen", "[::1]:80", "-v"]);
        let (name, run) = matches.subcommand().unwrap();
        assert_eq!(name, "run");
        let passed: Vec<OsString> = values(run, "arguments");
        assert_eq!(passed, ["--listen", "[::1]:80", "-v"]);
    }
}
