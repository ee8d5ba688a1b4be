//! Where the parts of the image are.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sandgate_core::Language;

use crate::zygote::Recipe;

/// The folder that the image's contents are in: `python/`, `venv/`, `r/`, `catalogue/`, `cache/`.
const HOME: &str = "SANDGATE_RUNNER_HOME";

/// The folder for temporary files. It must be the runner's alone: whatever appears in it is
/// removed after each invocation.
const TEMPORARY: &str = "SANDGATE_RUNNER_TMP";

/// The shared library that interpreters load.
const LIBRARY: &str = "libsandgate_zygote.so";

/// The list of fonts, made with the image.
const FONTS: &str = "cache/matplotlib";

/// Where Debian and others put R.
const RSCRIPT: [&str; 2] = ["/usr/bin/Rscript", "/usr/local/bin/Rscript"];

/// The image's contents.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// The folder with all of it.
    pub(crate) home: PathBuf,
    /// The shared library that interpreters load.
    pub(crate) library: PathBuf,
    /// The folder for temporary files, where one belongs to the runner alone.
    pub(crate) temporary: Option<PathBuf>,
}

impl Layout {
    /// The folder that `SANDGATE_RUNNER_HOME` names, or the one above this program's.
    ///
    /// # Errors
    /// If the folder or the library is not there.
    pub(crate) fn find() -> io::Result<Self> {
        let program = env::current_exe()?;
        let folder = program.parent().unwrap_or(Path::new("/"));
        let home = match env::var_os(HOME) {
            Some(home) => PathBuf::from(home),
            None => folder.parent().unwrap_or(folder).to_owned(),
        };
        let home = home.canonicalize().map_err(|error| {
            io::Error::other(format!("the folder {} ({HOME}): {error}", home.display()))
        })?;
        let library = folder.join(LIBRARY);
        if !library.is_file() {
            return Err(io::Error::other(format!(
                "{} is missing: it belongs beside the runner",
                library.display()
            )));
        }
        // It is preloaded, see below, and the list of what is preloaded is parted by these.
        if library
            .as_os_str()
            .as_encoded_bytes()
            .iter()
            .any(|byte| b" :".contains(byte))
        {
            return Err(io::Error::other(format!(
                "{} has a space or a colon in its path: put the runner in a folder without",
                library.display()
            )));
        }
        Ok(Self {
            home,
            library,
            temporary: env::var_os(TEMPORARY).map(PathBuf::from),
        })
    }

    /// A part of the image.
    pub(crate) fn part(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// How to start each language's interpreter, or why it cannot be.
    pub(crate) fn recipes(&self) -> Vec<(Language, Result<Recipe, String>)> {
        vec![
            (Language::Python, self.python_module("zygote")),
            (Language::R, self.r_script("zygote.R")),
        ]
    }

    /// What guests may read besides the system's own folders: the image's contents, and where
    /// they lead.
    pub(crate) fn readable(&self) -> Vec<PathBuf> {
        let venv = self.part("venv");
        let mut readable = vec![self.home.clone(), self.library.clone()];
        readable.extend(venv.canonicalize().ok());
        // The interpreter that the virtual environment was made from: <prefix>/bin/python3.
        if let Ok(python) = venv.join("bin/python").canonicalize() {
            readable.extend(python.ancestors().nth(2).map(Path::to_owned));
        }
        readable
    }

    /// The environment of every guest, apart from its folders.
    pub(crate) fn guest_environment(&self) -> BTreeMap<String, String> {
        self.environment()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_string_lossy().into_owned()))
            .collect()
    }

    fn environment(&self) -> Vec<(&'static str, OsString)> {
        let mut path = self.part("venv/bin").into_os_string();
        path.push(":/usr/local/bin:/usr/bin:/bin");
        let mut environment = vec![
            ("PATH", path),
            ("LANG", "C.UTF-8".into()),
            ("MPLBACKEND", "Agg".into()),
        ];
        // Only a process with one thread can be forked whole.
        let threads = [
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "MKL_NUM_THREADS",
            "NUMEXPR_NUM_THREADS",
            "R_DATATABLE_NUM_THREADS",
        ];
        environment.extend(threads.map(|name| (name, OsString::from("1"))));
        // Semaphores between processes need /dev/shm, which Lambda does not have.
        environment.push(("JOBLIB_MULTIPROCESSING", "0".into()));
        environment
    }

    fn zygote_environment(&self) -> Vec<(&'static str, OsString)> {
        let mut environment = self.environment();
        environment.push(("SANDGATE_LIBRARY", self.library.clone().into()));
        environment.push(("SANDGATE_FONTS", self.part(FONTS).into()));
        // What a fork copies and its end takes down is page tables. Large pages need few: forking
        // the Python zygote takes 2 ms instead of 5, and its children start on warm memory.
        // pymalloc would keep its objects in areas too small for them.
        environment.push(("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1".into()));
        environment.push(("PYTHONMALLOC", "malloc".into()));
        // A task may set its calendar, see `clock.rs`.
        environment.push(("LD_PRELOAD", self.library.clone().into()));
        #[cfg(feature = "lowered-walls")]
        if let Some(walls) = env::var_os(sandgate_zygote::lowered::LOWERED) {
            environment.push((sandgate_zygote::lowered::LOWERED, walls));
        }
        environment
    }

    /// How to ask each language what it has, or why it cannot be asked.
    pub(crate) fn inquiries(&self) -> Vec<(Language, Result<Command, String>)> {
        let command = |recipe: Recipe| {
            let mut command = Command::new(recipe.program);
            command
                .args(recipe.arguments)
                .env_clear()
                .envs(recipe.environment)
                // Looking for fonts takes matplotlib seconds. It notes them here.
                .env("MPLCONFIGDIR", self.part(FONTS))
                .stdin(Stdio::null());
            command
        };
        vec![
            (
                Language::Python,
                self.python_module("catalogue").map(command),
            ),
            (Language::R, self.r_script("catalogue.R").map(command)),
        ]
    }

    /// Runs one of our modules.
    fn python_module(&self, name: &str) -> Result<Recipe, String> {
        let program = self.part("venv/bin/python");
        let folder = self.part("python");
        if !program.exists() {
            return Err(format!("{} is missing", program.display()));
        }
        let start = format!(
            "import sys; sys.path.insert(0, {:?}); import sandgate_child.{name}",
            folder.to_string_lossy()
        );
        Ok(Recipe {
            program,
            // Isolated (the environment is ours), and without writing compiled files.
            arguments: ["-s", "-P", "-B", "-c", &start]
                .map(OsString::from)
                .to_vec(),
            environment: self.zygote_environment(),
        })
    }

    /// Runs one of our scripts.
    fn r_script(&self, name: &str) -> Result<Recipe, String> {
        let program = RSCRIPT
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
            .ok_or("Rscript is not installed (Debian: r-base-core)")?;
        let script = self.part("r").join(name);
        if !script.exists() {
            return Err(format!("{} is missing", script.display()));
        }
        Ok(Recipe {
            program,
            arguments: vec!["--vanilla".into(), script.into()],
            environment: self.zygote_environment(),
        })
    }
}
