//! What each command does.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use sandgate::Plan;
use tokio::net::TcpSocket;

use crate::bench::{self, BenchArgs};
use crate::cli::{Cli, Command, CommonArgs, ConfigCommand, PlanArgs, RuntimesArgs, ServeArgs};
use crate::config::Config;
use crate::exec::{self, Failure};
use crate::startup::{self, Keep, StartError, with_causes};
use crate::{http, serve};

/// A mistake on the command line or in the configuration (`EX_USAGE`).
const EXIT_USAGE: u8 = 64;
/// A failure of ours (`EX_SOFTWARE`).
const EXIT_OURS: u8 = 70;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1_024;

type Done = Result<u8, Failure>;

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let text = with_causes(&error);
        match error {
            StartError::NoGuests(_) | StartError::NoImage(_) => Self::Usage(text),
            StartError::LocalCloud(_)
            | StartError::Lambda(_)
            | StartError::NoProgram(_)
            | StartError::OutputsDirectory(..)
            | StartError::Spool(_)
            | StartError::Build(_) => Self::Ours(text),
        }
    }
}

/// Runs the command line `args` (the program's name first) in `environment`.
pub fn main(args: Vec<String>, environment: &BTreeMap<String, String>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors, and go to standard output. There is nobody to tell
            // if they cannot be printed.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { EXIT_USAGE } else { 0 });
        }
    };
    let done = match &cli.command {
        Command::Serve(args) => serve(args, environment),
        Command::Exec(args) => quietly(&args.common, environment).and_then(|config| {
            block_on(async {
                let started = startup::router(&config, Keep::InMemory).await?;
                let done = exec::run(&started.router, args).await;
                started.router.shutdown(Duration::ZERO).await;
                started.shutdown().await;
                done
            })
        }),
        Command::Bench(args) => bench(args, environment),
        Command::Plan(args) => plan(args, environment),
        Command::Runtimes(args) => runtimes(args, environment),
        Command::Config {
            command: ConfigCommand::Check(args),
        } => load(&args.common, &args.to_flags(), environment)
            .and_then(|config| print(&config.to_toml())),
        Command::Worker => return sandgate_sandbox::worker_main(),
    };
    let (code, message) = match done {
        Ok(code) => return ExitCode::from(code),
        Err(Failure::Usage(message)) => (EXIT_USAGE, message),
        Err(Failure::Ours(message)) => (EXIT_OURS, message),
    };
    let _ = writeln!(std::io::stderr(), "sandgate: {message}");
    ExitCode::from(code)
}

fn load(
    common: &CommonArgs,
    flags: &[(&str, &str, String)],
    environment: &BTreeMap<String, String>,
) -> Result<Config, Failure> {
    Config::load(flags, common.config.as_deref(), environment)
        .map_err(|error| Failure::Usage(format!("the configuration is not usable\n{error}")))
}

/// The configuration of a command whose output matters more than its log.
fn quietly(common: &CommonArgs, environment: &BTreeMap<String, String>) -> Result<Config, Failure> {
    let config = load(common, &common.to_flags(), environment)?;
    startup::log("warn", config.log_format);
    Ok(config)
}

fn block_on(work: impl Future<Output = Done>) -> Done {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Ours(format!("cannot start threads: {error}")))?
        .block_on(work)
}

fn print(text: &str) -> Done {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::Ours(format!("cannot print: {error}")))?;
    Ok(0)
}

fn serve(args: &ServeArgs, environment: &BTreeMap<String, String>) -> Done {
    let config = load(&args.common, &args.to_flags(), environment)?;
    startup::log(&config.log_filter, config.log_format);
    block_on(async {
        let refused = |error: std::io::Error| {
            Failure::Usage(format!("cannot listen on {}: {error}", config.listen))
        };
        let ours = |error: std::io::Error| Failure::Ours(error.to_string());
        // The port is ours from here on, but whoever connects is refused until somebody answers.
        let socket = reserve(config.listen).map_err(refused)?;
        let address = socket.local_addr().map_err(ours)?;
        let stop = serve::stop_on_signals().map_err(ours)?;
        if !address.ip().is_loopback() {
            tracing::warn!(
                %address,
                "ANYBODY who reaches this address can execute code here: let only a gateway reach it"
            );
        }
        let started = startup::router(&config, Keep::OnDisk).await?;
        let router = started.router.clone();
        let timeout = Duration::from_millis(config.rules.limits.default.timeout_ms);
        let app = http::app(router.clone(), config.http, timeout);
        let listener = socket.listen(BACKLOG).map_err(refused)?;
        print(&format!("listening on http://{address}\n"))?;
        serve::serve(listener, app, router, config.http, stop).await;
        started.shutdown().await;
        Ok(0)
    })
}

fn reserve(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // Connections of an earlier run that are still winding down do not count.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn plan(args: &PlanArgs, environment: &BTreeMap<String, String>) -> Done {
    let config = quietly(&args.common, environment)?;
    let request = exec::snippet(&args.snippet)?;
    block_on(async {
        let started = startup::router(&config, Keep::InMemory).await?;
        let planned = started.router.plan(request).await;
        started.router.shutdown(Duration::ZERO).await;
        started.shutdown().await;
        let plan = planned?;
        if !args.json {
            return print(&describe(&plan));
        }
        let mut text = serde_json::to_string_pretty(&plan)
            .map_err(|error| Failure::Ours(error.to_string()))?;
        text.push('\n');
        print(&text)
    })
}

/// A plan for people.
fn describe(plan: &Plan) -> String {
    let mut text = format!("{} ({}): {}\n", plan.backend, plan.runtime, plan.reason);
    for import in &plan.imports {
        let backends: Vec<_> = import.backends.iter().map(|kind| kind.as_str()).collect();
        text.push_str(&format!(
            "  line {}: {}{}, {}\n",
            import.line,
            import.module,
            match &import.package {
                Some(package) if *package != import.module => format!(" ({package})"),
                Some(_) | None => String::new(),
            },
            match backends.as_slice() {
                [] => "nowhere".to_owned(),
                some => format!("in {}", some.join(" and ")),
            }
        ));
    }
    for alternative in &plan.alternatives {
        let verdict = if alternative.possible {
            "possible"
        } else {
            "not possible"
        };
        text.push_str(&format!(
            "{} is {verdict}: {}\n",
            alternative.backend, alternative.reason
        ));
    }
    if plan.estimated_cost_usd > 0.0 {
        text.push_str(&format!("about ${:.6}\n", plan.estimated_cost_usd));
    }
    for hint in &plan.hints {
        text.push_str(&format!("hint: {hint}\n"));
    }
    text
}

fn runtimes(args: &RuntimesArgs, environment: &BTreeMap<String, String>) -> Done {
    let config = quietly(&args.common, environment)?;
    block_on(async {
        let started = startup::router(&config, Keep::InMemory).await?;
        let router = &started.router;
        if let Err(error) = router.described().await {
            tracing::warn!(%error, "not everything is listed");
        }
        let mut text = String::new();
        if args.json {
            text = serde_json::to_string_pretty(&router.runtimes())
                .map_err(|error| Failure::Ours(error.to_string()))?;
            text.push('\n');
        } else {
            for runtime in router.runtimes() {
                let packages = runtime.packages.iter();
                let packages: Vec<_> = packages
                    .map(|p| format!("{} {}", p.name, p.version))
                    .collect();
                text.push_str(&format!(
                    "{} on {} ({} {}, {} modules)\n",
                    runtime.language,
                    runtime.backend,
                    runtime.implementation,
                    runtime.version,
                    runtime.modules.len()
                ));
                if !packages.is_empty() {
                    text.push_str(&format!("  {}\n", packages.join(", ")));
                }
            }
        }
        router.shutdown(Duration::ZERO).await;
        started.shutdown().await;
        print(&text)
    })
}

fn bench(args: &BenchArgs, environment: &BTreeMap<String, String>) -> Done {
    if let Some(earlier) = &args.from {
        return bench::show(args, earlier);
    }
    let given = bench::Given::read(args)?;
    let mut config = load(&args.common, &args.to_flags(), environment)?;
    // Why a function on AWS does not answer is worth a line; what an emulator says is not.
    let level = if config.cloud.on_aws { "warn" } else { "error" };
    startup::log(level, config.log_format);
    // What thousands of runs leave is of no use to anybody.
    let scratch = bench::scratch(&config.data_dir)
        .map_err(|error| Failure::Ours(format!("cannot make a folder for the outputs: {error}")))?;
    config.data_dir = scratch.path().to_owned();
    config.outputs_dir = scratch.path().join("outputs");
    // So that a new tenant gets a cold environment.
    if !config.cloud.on_aws {
        config.cloud.lambda.tenant_isolation = true;
    }
    block_on(async {
        let stores = bench::StoreTimes::default();
        let started = startup::router_with(&config, Keep::OnDisk, &stores).await?;
        let router = &started.router;
        let done = match bench::Setting::of(&config, router, args).await {
            Ok(setting) => bench::run(router, &stores, args, setting, given).await,
            Err(failure) => Err(failure),
        };
        router.shutdown(Duration::from_secs(5)).await;
        started.shutdown().await;
        done
    })
}
