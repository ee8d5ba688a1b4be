//! What the image can run: asked of the interpreters while the image is built, read when the
//! router asks.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sandgate_core::{
    BackendKind, Language, ModuleInfo, PackageInfo, RunnerFailure, RunnerFailureKind, Runtime,
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tracing::info;

use crate::layout::Layout;

/// The folder they are in.
const FOLDER: &str = "catalogue";

/// What an interpreter says of itself.
#[derive(Debug, Deserialize)]
struct Said {
    implementation: String,
    version: String,
    modules: Vec<ModuleInfo>,
    packages: Vec<PackageInfo>,
}

/// Writes the catalogue of each language that is there.
///
/// # Errors
/// If a language is there and cannot be asked, or none is.
pub(crate) fn write(layout: &Layout) -> io::Result<()> {
    let folder = layout.part(FOLDER);
    fs::create_dir_all(&folder)?;
    let mut written = 0;
    for (language, inquiry) in layout.inquiries() {
        let path = file(&folder, language);
        let inquiry = match inquiry {
            Ok(inquiry) => inquiry,
            Err(reason) => {
                info!("no {language}: {reason}");
                remove_if_there(&path)?;
                continue;
            }
        };
        let said = ask(inquiry)?;
        let runtime = Runtime {
            backend: BackendKind::Lambda,
            language,
            digest: digest(layout, language, &said)?,
            implementation: said.implementation,
            version: said.version,
            modules: said.modules,
            packages: said.packages,
        };
        info!(
            "{}: {} modules, {} packages",
            runtime.name(),
            runtime.modules.len(),
            runtime.packages.len()
        );
        // Whole or not at all.
        let new = path.with_extension("new");
        fs::write(&new, serde_json::to_vec(&runtime)?)?;
        fs::rename(&new, &path)?;
        written += 1;
    }
    if written == 0 {
        return Err(io::Error::other("the image has no language"));
    }
    Ok(())
}

/// The catalogues.
///
/// # Errors
/// If there is none, or one cannot be read.
pub(crate) fn read(layout: &Layout) -> Result<Vec<Runtime>, RunnerFailure> {
    let folder = layout.part(FOLDER);
    let mut runtimes = Vec::new();
    for language in Language::ALL {
        let path = file(&folder, language);
        match fs::read(&path) {
            Ok(json) => runtimes.push(serde_json::from_slice(&json).map_err(|error| {
                internal(format!("{} cannot be read: {error}", path.display()))
            })?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(internal(format!("{}: {error}", path.display()))),
        }
    }
    if runtimes.is_empty() {
        return Err(internal(format!(
            "{} is empty: run `sandgate-runner catalogue` while the image is built",
            folder.display()
        )));
    }
    Ok(runtimes)
}

fn file(folder: &Path, language: Language) -> PathBuf {
    folder.join(format!("{language}.json"))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn ask(mut inquiry: Command) -> io::Result<Said> {
    let output = inquiry.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!(
            "{} ended with {}",
            inquiry.get_program().display(),
            output.status
        )));
    }
    let mut said: Said = serde_json::from_slice(&output.stdout)?;
    // In the order that `Runtime` promises, whatever the interpreter's own is.
    said.modules.sort_by(|a, b| a.name.cmp(&b.name));
    said.packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(said)
}

/// Stands for all that decides how the language behaves: our own code, and its packages by their
/// versions and, where they have one, the list of their files' hashes.
fn digest(layout: &Layout, language: Language, said: &Said) -> io::Result<String> {
    let mut hash = Hash(Sha256::new());
    hash.part(std::env::consts::ARCH.as_bytes());
    hash.part(language.as_str().as_bytes());
    hash.part(said.implementation.as_bytes());
    hash.part(said.version.as_bytes());
    for package in &said.packages {
        hash.part(package.name.as_bytes());
        hash.part(package.version.as_bytes());
    }
    let ours = match language {
        Language::Python => "python",
        Language::R => "r",
        Language::JavaScript | Language::TypeScript => {
            return Err(io::Error::other(format!("the image has no {language}")));
        }
    };
    hash.files(&layout.part(ours), &|_| true)?;
    if language == Language::Python {
        let records = |path: &Path| path.file_name().is_some_and(|name| name == "RECORD");
        hash.files(&layout.part("venv/lib"), &records)?;
    }
    hash.file(&std::env::current_exe()?)?;
    hash.file(&layout.library)?;
    Ok(hash.finish())
}

struct Hash(Sha256);

impl Hash {
    /// Parts are framed by their length, so that different ones never look the same together.
    fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn file(&mut self, path: &Path) -> io::Result<()> {
        self.part(&Sha256::digest(fs::read(path)?));
        Ok(())
    }

    /// The chosen files below `folder`, by their paths and contents. Compiled Python does not
    /// count: whoever runs a script leaves it behind.
    fn files(&mut self, folder: &Path, choose: &dyn Fn(&Path) -> bool) -> io::Result<()> {
        let mut entries = fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<Vec<_>>>()?;
        entries.sort();
        for path in entries {
            if path.is_dir() {
                if !path.is_symlink() && !path.ends_with("__pycache__") {
                    self.files(&path, choose)?;
                }
            } else if choose(&path) {
                self.part(path.file_name().unwrap_or_default().as_encoded_bytes());
                self.file(&path)?;
            }
        }
        Ok(())
    }

    fn finish(self) -> String {
        self.0
            .finalize()
            .iter()
            .fold(String::with_capacity(64), |mut text, byte| {
                // Writing to a string does not fail.
                let _ = write!(text, "{byte:02x}");
                text
            })
    }
}

fn internal(message: String) -> RunnerFailure {
    RunnerFailure {
        kind: RunnerFailureKind::Internal,
        message,
    }
}
