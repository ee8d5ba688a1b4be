//! The command that starts an environment, for each kind of isolation.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::shim::{self, Role};
use crate::config::{FunctionConfig, Isolation, Shim};

/// The user and group that Lambda runs functions as.
const USER: &str = "993";
const GROUP: &str = "990";

/// Where the shim's program is inside.
const SHIM: &str = "/run/local-cloud-shim";

/// Where an environment starts: the folder of the function's own code on Lambda.
const DIRECTORY: &str = "/var/task";

/// Where the commands of this module are found.
const TOOLS_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// What programs need of the system besides `/usr`: the loader's cache, the alternatives that
/// Debian links libraries through, fonts and their cache, R's settings.
const SYSTEM: [&str; 6] = [
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/mime.types",
    "/etc/R",
    "/var/cache/fontconfig",
];

/// Links into `/usr` on most systems, folders on some.
const MERGED: [&str; 5] = ["/bin", "/lib", "/lib32", "/lib64", "/sbin"];

/// Makes the root of an environment out of nothing and goes there, in bare namespaces.
///
/// Arguments: the size of `/tmp`, then `bind SOURCE TARGET` and `link TO AT` as often as needed,
/// `--`, and the command. The root is built over `/sys`, which every system has and which nothing is
/// shown from; only this mount namespace sees it. The shell stays the first process of the namespace:
/// that one collects the orphans, and signals work differently for it.
const MAKE_ROOT: &str = r#"
root=/sys size=$1; shift
mount -t tmpfs -o mode=755,size=4m tmpfs "$root"
while [ "$1" != -- ]; do
  target=$root$3
  mkdir -p "${target%/*}"
  if [ "$1" = link ]; then
    ln -s "$2" "$target"
  else
    if [ -d "$2" ]; then mkdir -p "$target"; else : > "$target"; fi
    mount --bind "$2" "$target"
    mount -o remount,bind,ro "$target"
  fi
  shift 3
done
shift
cd "$root"
mkdir -p proc dev/shm tmp var/task old
mount -t proc proc proc
for node in null zero full random urandom; do
  : > "dev/$node"
  mount --bind "/dev/$node" "dev/$node"
done
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=1777,size="$size" tmpfs tmp
mount -t tmpfs -o mode=1777,size="$size" tmpfs dev/shm
pivot_root . old
umount -l old
rmdir old
mount -o remount,bind,ro /
cd /var/task
"$@"
"#;

/// `unshare` with every namespace that an environment needs.
const UNSHARE: [&str; 11] = [
    "setpriv",
    "--pdeathsig",
    "KILL",
    "unshare",
    "--user",
    "--map-root-user",
    "--net",
    "--mount",
    "--ipc",
    "--uts",
    "--pid",
];

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
        } else if works(&[&UNSHARE[..], &["--fork", "--kill-child=KILL"]].concat()) {
            Self::UserNamespaces
        } else {
            Self::None
        }
    }

    /// Whether the end of the outermost process is the end of all.
    pub(crate) fn contains(self) -> bool {
        match self {
            Self::Bubblewrap | Self::UserNamespaces => true,
            Self::None => false,
        }
    }
}

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

/// What a new environment is made of.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    pub(crate) function: &'a FunctionConfig,
    pub(crate) isolation: Isolation,
    pub(crate) shim: &'a Shim,
    /// Ports to listen on inside.
    pub(crate) ports: &'a [u16],
    pub(crate) variables: &'a BTreeMap<String, String>,
}

impl Launch<'_> {
    /// The command, without its standard streams.
    pub(crate) fn command(&self) -> io::Result<Command> {
        let mut command = match self.isolation {
            Isolation::Bubblewrap => self.bubblewrap()?,
            Isolation::UserNamespaces => self.namespaces()?,
            Isolation::None => {
                let mut command = Command::new(&self.shim.program);
                command.current_dir(
                    self.function
                        .image_root
                        .as_deref()
                        .unwrap_or(Path::new("/")),
                );
                command
            }
        };
        command
            .args(&self.shim.args)
            .env_clear()
            .envs(self.variables)
            .env(shim::VARIABLE, serde_json::to_string(&self.role())?);
        Ok(command)
    }

    fn role(&self) -> Role {
        Role {
            ports: self.ports.to_vec(),
            bare: self.isolation == Isolation::UserNamespaces,
            watches: self.isolation == Isolation::None,
            command: self
                .function
                .command
                .iter()
                .map(|argument| self.located(argument))
                .collect(),
        }
    }

    /// An argument that names a file of the image, where that is.
    fn located(&self, argument: &str) -> String {
        let inside = Path::new(argument).strip_prefix(&self.function.image_mount);
        match (self.isolation, &self.function.image_root, inside) {
            (Isolation::None, Some(root), Ok(rest)) => root.join(rest).display().to_string(),
            _ => argument.to_owned(),
        }
    }

    fn bubblewrap(&self) -> io::Result<Command> {
        let mut command = Command::new(tool("bwrap")?);
        command.args([
            "--unshare-all",
            "--unshare-user",
            "--uid",
            USER,
            "--gid",
            GROUP,
        ]);
        command.args(["--die-with-parent", "--new-session", "--cap-drop", "ALL"]);
        command.args(["--proc", "/proc", "--dev", "/dev", "--dir", DIRECTORY]);
        for entry in self.entries()? {
            match entry {
                Entry::Bind { source, target } => {
                    command.arg("--ro-bind").arg(source).arg(target);
                }
                Entry::Link { to, at } => {
                    command.arg("--symlink").arg(to).arg(at);
                }
            }
        }
        command.arg("--size").arg(self.tmp_bytes().to_string());
        command.args(["--tmpfs", "/tmp", "--remount-ro", "/", "--chdir", DIRECTORY]);
        command.args(["--", SHIM]);
        Ok(command)
    }

    fn namespaces(&self) -> io::Result<Command> {
        let mut command = Command::new(tool(UNSHARE[0])?);
        command.args(&UNSHARE[1..]);
        command.args(["--fork", "--kill-child=KILL"]);
        // The variables are the function's, so the path of the tools is set for the script alone.
        let script = format!("set -eu\nfunction_path=$PATH\nPATH={TOOLS_PATH}\n{MAKE_ROOT}");
        let script = script.replace(
            "\n\"$@\"\n",
            "\nPATH=$function_path\nset +e\n\"$@\"\nexit $?\n",
        );
        command.args(["sh", "-c", &script, "sh"]);
        command.arg(self.tmp_bytes().to_string());
        for entry in self.entries()? {
            match entry {
                Entry::Bind { source, target } => {
                    command.arg("bind").arg(source).arg(target);
                }
                Entry::Link { to, at } => {
                    command.arg("link").arg(to).arg(at);
                }
            }
        }
        command.args(["--", SHIM]);
        Ok(command)
    }

    fn tmp_bytes(&self) -> u64 {
        u64::from(self.function.ephemeral_storage_mb) << 20
    }

    /// The machine's files that are there inside, all of them read-only.
    fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = vec![Entry::same("/usr")];
        for path in MERGED.map(Path::new) {
            if let Ok(to) = fs::read_link(path) {
                entries.push(Entry::Link {
                    to,
                    at: path.to_owned(),
                });
            } else if path.is_dir() {
                entries.push(Entry::same(path));
            }
        }
        let extra = self.function.extra_paths.iter().map(PathBuf::as_path);
        let wanted = SYSTEM.iter().map(Path::new).chain(extra);
        entries.extend(wanted.filter(|path| path.exists()).map(Entry::same));
        if let Some(root) = &self.function.image_root {
            entries.push(Entry::Bind {
                source: root.canonicalize()?,
                target: self.function.image_mount.clone(),
            });
        }
        entries.push(Entry::Bind {
            source: self.shim.program.canonicalize()?,
            target: PathBuf::from(SHIM),
        });
        Ok(entries)
    }
}

/// Something that an environment's root has.
#[derive(Debug, PartialEq)]
enum Entry {
    Bind { source: PathBuf, target: PathBuf },
    Link { to: PathBuf, at: PathBuf },
}

impl Entry {
    fn same(path: impl AsRef<Path>) -> Self {
        Self::Bind {
            source: path.as_ref().to_owned(),
            target: path.as_ref().to_owned(),
        }
    }
}

/// Where a command of the system is.
fn tool(name: &str) -> io::Result<PathBuf> {
    std::env::split_paths(TOOLS_PATH)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("no {name} in {TOOLS_PATH}"),
            )
        })
}
