//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use sandgate::{BackendChoice, Language};

use crate::bench::BenchArgs;

/// Runs untrusted snippets in a sandbox.
#[derive(Debug, Parser)]
#[command(name = "sandgate", version, about, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `sandgate` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the HTTP service.
    Serve(ServeArgs),
    /// Execute one file, and exit as the snippet does.
    ///
    /// Exit codes: the snippet's own; 124 when it ran out of time or fuel, 137 out of memory, 153
    /// over its output limit, 134 when it crashed, 130 when it was cancelled; 64 for a mistake on
    /// the command line or in the configuration, 70 for a failure of sandgate.
    Exec(ExecArgs),
    /// Measure the sandbox against Lambda on your own snippets.
    ///
    /// Every snippet runs on every path that can run it, in turns: a fresh instance in the sandbox,
    /// its cached result, a cold and a warm environment of Lambda. Ctrl+C keeps what was measured.
    Bench(BenchArgs),
    /// Say where one file would run, and why, without executing it.
    Plan(PlanArgs),
    /// Say which languages there are.
    Runtimes(RuntimesArgs),
    /// Look at the configuration.
    Config {
        /// What to do with it.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// A worker process: started by the service, of no use to anybody else.
    #[command(hide = true)]
    Worker,
}

/// What can be done with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check it, and print what would be in force.
    Check(ServeArgs),
}

/// What every command that needs a configuration takes.
#[derive(Debug, Default, Args)]
pub struct CommonArgs {
    /// The configuration file [env: SANDGATE_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data directory [env: SANDGATE_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The folder of built guests [env: SANDGATE_GUESTS]
    #[arg(long, value_name = "DIR")]
    pub guests: Option<PathBuf>,
}

/// `sandgate serve`.
#[derive(Debug, Default, Args)]
pub struct ServeArgs {
    /// What every command takes.
    #[command(flatten)]
    pub common: CommonArgs,
    /// Where to listen [env: SANDGATE_LISTEN]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Worker processes, 0 for one a core [env: SANDGATE_SANDBOX_WORKERS]
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// Listen where other machines can reach it, although nobody is asked who they are
    #[arg(long)]
    pub allow_public: bool,
}

/// A snippet, and what decides where it runs.
#[derive(Debug, Args)]
pub struct SnippetArgs {
    /// The snippet, `-` for standard input.
    pub file: PathBuf,
    /// Its language; by the file's extension unless given.
    #[arg(long, short)]
    pub language: Option<Language>,
    /// A file to place in the snippet's work directory, under its own name.
    #[arg(long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// A package that the snippet needs.
    #[arg(long = "package", value_name = "NAME")]
    pub packages: Vec<String>,
    /// Where to run it: auto, wasm or lambda.
    #[arg(long, default_value = "auto", value_parser = backend)]
    pub backend: BackendChoice,
    /// Wall-clock time.
    #[arg(long, value_name = "MS")]
    pub timeout_ms: Option<u64>,
    /// Fuel.
    #[arg(long, value_name = "UNITS")]
    pub fuel: Option<u64>,
    /// Memory.
    #[arg(long, value_name = "MIB")]
    pub memory_mb: Option<u32>,
}

fn backend(name: &str) -> Result<BackendChoice, String> {
    match name {
        "auto" => Ok(BackendChoice::Auto),
        "wasm" => Ok(BackendChoice::Wasm),
        "lambda" => Ok(BackendChoice::Lambda),
        _ => Err("it is auto, wasm or lambda".to_owned()),
    }
}

/// `sandgate plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// What every command takes.
    #[command(flatten)]
    pub common: CommonArgs,
    /// The snippet.
    #[command(flatten)]
    pub snippet: SnippetArgs,
    /// Print the plan as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `sandgate exec`.
#[derive(Debug, Args)]
pub struct ExecArgs {
    /// What every command takes.
    #[command(flatten)]
    pub common: CommonArgs,
    /// The snippet.
    #[command(flatten)]
    pub snippet: SnippetArgs,
    /// Print the whole answer as JSON instead of what the snippet prints.
    #[arg(long)]
    pub json: bool,
    /// What the snippet reads from its standard input. By default what this command's is
    /// redirected from, and nothing if that is a terminal.
    #[arg(long, value_name = "FILE")]
    pub stdin_from: Option<PathBuf>,
    /// Where to put the files that the snippet leaves.
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
    /// Makes randomness a function of this number.
    #[arg(long)]
    pub seed: Option<u64>,
    /// The snippet's arguments.
    #[arg(last = true)]
    pub args: Vec<String>,
}

/// `sandgate runtimes`.
#[derive(Debug, Args)]
pub struct RuntimesArgs {
    /// What every command takes.
    #[command(flatten)]
    pub common: CommonArgs,
    /// Print everything known about them as JSON.
    #[arg(long)]
    pub json: bool,
}

impl CommonArgs {
    /// The settings these flags stand for.
    pub fn to_flags(&self) -> Vec<(&'static str, &'static str, String)> {
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        let mut flags = Vec::new();
        flags.extend(
            self.data_dir
                .as_ref()
                .map(|p| ("--data-dir", "data_dir", path(p))),
        );
        flags.extend(
            self.guests
                .as_ref()
                .map(|p| ("--guests", "guests", path(p))),
        );
        flags
    }
}

impl ServeArgs {
    /// The settings these flags stand for.
    pub fn to_flags(&self) -> Vec<(&'static str, &'static str, String)> {
        let mut flags = self.common.to_flags();
        flags.extend(
            self.listen
                .clone()
                .map(|listen| ("--listen", "listen", listen)),
        );
        let workers = self.workers.map(|n| n.to_string());
        flags.extend(workers.map(|n| ("--workers", "sandbox.workers", n)));
        if self.allow_public {
            flags.push(("--allow-public", "http.allow_public", "true".to_owned()));
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_after_two_dashes_are_the_snippets() {
        let cli = Cli::parse_from(["sandgate", "exec", "a.py", "--json", "--", "--json", "x"]);
        let Command::Exec(args) = cli.command else {
            panic!("not exec");
        };
        assert_eq!(args.args, ["--json", "x"]);
    }
}
