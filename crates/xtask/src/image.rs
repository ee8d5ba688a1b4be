//! `cargo xtask image`: the image of the Lambda function, by whichever builder the machine has.

use std::ffi::OsString;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::command;
use crate::console::Console;
use crate::lambda;
use crate::system;
use crate::workspace::{Profile, Workspace};

/// Programs that build images from a Dockerfile, in the order in which they are tried.
const BUILDERS: [&str; 3] = ["docker", "podman", "buildah"];

const DOCKERFILE: &str = "lambda-image/Dockerfile";

/// What to build.
#[derive(Debug)]
pub(crate) struct Request {
    /// The image's name.
    pub(crate) tag: String,
    /// Take the runner that this machine compiles, for base images without a Rust image beside
    /// them. The base has to be as new as this machine.
    pub(crate) prebuilt: bool,
    /// The CloudFormation stack whose repository it is pushed to.
    pub(crate) push: Option<String>,
    /// More arguments for the builder, such as `--build-arg`.
    pub(crate) arguments: Vec<OsString>,
}

/// Builds the image. With a stack to push it to, prints where it is, by its digest.
pub(crate) fn run(request: &Request, workspace: &Workspace, console: &Console) -> Result<()> {
    let builder = builder()?;
    let mut build = Command::new(builder);
    build.current_dir(workspace.root());
    build.args(if builder == "buildah" {
        // Without privileges and without a daemon.
        &["build", "--isolation", "chroot"][..]
    } else {
        &["build"]
    });
    if request.prebuilt {
        let local = lambda::Request {
            profile: Profile::Release,
            with_r: false,
        };
        lambda::build(local, workspace, &Cache::open()?, console)?;
        build.args(["--build-arg", "RUNNER=prebuilt"]);
    }
    build
        .args(["--file", DOCKERFILE, "--tag", &request.tag])
        .args(&request.arguments)
        .arg(".")
        // Standard output is the result's.
        .stdout(std::io::stderr());
    command::run_visible(&mut build)?;
    match &request.push {
        Some(stack) => push(builder, &request.tag, stack, console),
        None => Ok(()),
    }
}

/// A builder that works: the command of docker may be there without its engine.
fn builder() -> Result<&'static str> {
    let works = |builder: &&'static str| {
        let question = if *builder == "docker" {
            "info"
        } else {
            "version"
        };
        system::find(builder).is_some() && command::succeeds(Command::new(builder).arg(question))
    };
    match BUILDERS.into_iter().find(works) {
        Some(builder) => Ok(builder),
        None => bail!(
            "no image builder works here (tried {}): install one, for instance with `apt-get \
             install buildah`, or start docker's engine",
            BUILDERS.join(", ")
        ),
    }
}

fn push(builder: &str, tag: &str, stack: &str, console: &Console) -> Result<()> {
    let query = "Stacks[0].Outputs[?OutputKey==`RepositoryUri`].OutputValue";
    let repository = command::output_of(Command::new("aws").args([
        "cloudformation",
        "describe-stacks",
        "--stack-name",
        stack,
        "--output",
        "text",
        "--query",
        query,
    ]))
    .context("asking for the stack's repository, which needs the AWS command line")?;
    let registry = repository.split('/').next().unwrap_or(&repository);
    let password = command::output_of(Command::new("aws").args(["ecr", "get-login-password"]))?;
    login(builder, registry, &password)?;
    // Tags never move, so each image has its own: what it is built from, and when.
    let commit = command::output_of(Command::new("git").args(["rev-parse", "--short", "HEAD"]))?;
    let seconds = std::time::UNIX_EPOCH.elapsed()?.as_secs();
    let remote = format!("{repository}:{commit}-{seconds}");
    command::output_of(Command::new(builder).args(["tag", tag, &remote]))?;
    console.line(&format!("pushing {remote}"));
    let digests = tempfile::NamedTempFile::new()?;
    let mut push = Command::new(builder);
    push.arg("push");
    if builder == "docker" {
        push.args(["--quiet", &remote]);
        command::output_of(&mut push)?;
        let format = "{{index .RepoDigests 0}}";
        let inspect = ["image", "inspect", "--format", format, &remote];
        let pinned = command::output_of(Command::new(builder).args(inspect))?;
        print_result(&pinned);
        return Ok(());
    }
    push.arg("--digestfile").arg(digests.path()).arg(&remote);
    command::output_of(&mut push)?;
    let digest = fs::read_to_string(digests.path()).context("reading the image's digest")?;
    print_result(&format!("{repository}@{}", digest.trim()));
    Ok(())
}

/// The password goes through a pipe: a command line can be read by everybody on the machine.
fn login(builder: &str, registry: &str, password: &str) -> Result<()> {
    use std::io::Write as _;
    let mut login = Command::new(builder)
        .args(["login", "--username", "AWS", "--password-stdin", registry])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .with_context(|| format!("starting {builder}"))?;
    if let Some(mut input) = login.stdin.take() {
        input.write_all(password.as_bytes())?;
    }
    let status = login.wait()?;
    if !status.success() {
        bail!("{builder} cannot log in to {registry} ({status})");
    }
    Ok(())
}

/// On standard output, so that a shell can keep it.
#[expect(
    clippy::print_stdout,
    reason = "the result of the command, which scripts read"
)]
fn print_result(image: &str) {
    println!("{image}");
}
