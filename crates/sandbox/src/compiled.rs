//! Compiled guests: made once, kept on disk, never loaded unverified.
//!
//! Loading compiled code is as good as running it outside the sandbox. So a compiled form is used
//! only from a folder that nobody else can write to, and only when it has the hash that was noted
//! beside it when it was made; anything else is made again from the verified wasm file. The open
//! file that was verified is the one that is loaded, here or in a worker.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::Hash;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sandgate_core::{Language, Runtime};

use crate::manifest::Manifest;
use crate::runner::{GuestInfo, LoadedGuest};
use crate::{SandboxConfig, SandboxError, engine};

/// Files are hashed in pieces of this size, several at a time.
const PIECE: u64 = 8 << 20;

/// Compiled forms that nobody touched for this long, and that are not of the present build, go.
const STALE: Duration = Duration::from_secs(7 * 24 * 3600);

/// A guest whose compiled form is verified and open.
#[derive(Debug)]
pub(crate) struct CompiledGuest {
    /// What a runner has to know of it.
    pub(crate) info: GuestInfo,
    /// Its catalogue.
    pub(crate) runtime: Arc<Runtime>,
    /// The compiled form, verified, opened for reading only.
    pub(crate) code: File,
}

impl CompiledGuest {
    /// A handle for one more runner.
    pub(crate) fn load(&self) -> Result<LoadedGuest, SandboxError> {
        let code = self
            .code
            .try_clone()
            .map_err(|source| SandboxError::System {
                action: "duplicate the descriptor of a compiled guest",
                source,
            })?;
        Ok(LoadedGuest {
            info: self.info.clone(),
            code,
        })
    }
}

/// Opens every guest of `config`, compiling those whose compiled form is missing, stale or damaged.
pub(crate) fn open_guests(config: &SandboxConfig) -> Result<Vec<CompiledGuest>, SandboxError> {
    let cache = Cache::open(&config.cache)?;
    let mut guests: Vec<CompiledGuest> = Vec::new();
    for path in manifests(&config.guests)? {
        let manifest = Manifest::read(&path)?;
        if guests
            .iter()
            .any(|guest| guest.info.language == manifest.language)
        {
            return Err(SandboxError::DuplicateLanguage(manifest.language));
        }
        let code = cache.compiled(&manifest, &path.with_file_name(&manifest.wasm))?;
        guests.push(CompiledGuest {
            info: GuestInfo {
                language: manifest.language,
                stdio: manifest.stdio,
            },
            runtime: Arc::new(manifest.into_runtime()),
            code,
        });
    }
    if guests.is_empty() {
        return Err(SandboxError::NoGuests(config.guests.clone()));
    }
    Ok(guests)
}

/// The `<language>.json` files of `folder`, in order.
fn manifests(folder: &Path) -> Result<Vec<PathBuf>, SandboxError> {
    let mut found = Vec::new();
    for language in Language::ALL {
        let path = folder.join(format!("{language}.json"));
        match fs::exists(&path) {
            Ok(true) => found.push(path),
            Ok(false) => {}
            Err(source) => return Err(io("read", &path)(source)),
        }
    }
    Ok(found)
}

fn io<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl Fn(std::io::Error) -> SandboxError + use<'a> {
    move |source| SandboxError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

/// The folder of compiled forms.
struct Cache {
    folder: PathBuf,
    engine: wasmtime::Engine,
    /// Identifies engine and settings.
    engine_key: blake3::Hash,
}

impl Cache {
    fn open(folder: &Path) -> Result<Self, SandboxError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(io("create", folder))?;
        let facts = fs::metadata(folder).map_err(io("read", folder))?;
        if facts.uid() != rustix::process::geteuid().as_raw() || facts.mode() & 0o022 != 0 {
            return Err(SandboxError::Config(format!(
                "the cache folder {} must belong to the user who runs the sandbox and be writable by nobody else",
                folder.display()
            )));
        }
        let engine = engine::compiler()?;
        let mut hasher = StableHasher(blake3::Hasher::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        engine::SETTINGS_VERSION.hash(&mut hasher);
        Ok(Self {
            folder: folder.to_owned(),
            engine_key: hasher.0.finalize(),
            engine,
        })
    }

    /// The compiled form of the guest, from the cache or made now.
    fn compiled(&self, manifest: &Manifest, wasm: &Path) -> Result<File, SandboxError> {
        let mut key = blake3::Hasher::new();
        key.update(self.engine_key.as_bytes());
        key.update(manifest.blake3.to_ascii_lowercase().as_bytes());
        let key = key.finalize().to_hex();
        let language = manifest.language;
        let code = self.folder.join(format!("{language}-{key}.cwasm"));
        if let Some(file) = open_verified(&code)? {
            return Ok(file);
        }
        // Of several processes that find it missing, one compiles and the others wait.
        let lock_path = self.folder.join(format!("{language}.lock"));
        let lock = private(&lock_path).map_err(io("create", &lock_path))?;
        lock.lock().map_err(io("lock", &lock_path))?;
        if let Some(file) = open_verified(&code)? {
            return Ok(file);
        }
        self.compile(manifest, wasm, &code)?;
        self.sweep(language, &code);
        open_verified(&code)?.ok_or_else(|| SandboxError::Io {
            action: "read back",
            path: code.clone(),
            source: std::io::Error::other("it does not have the hash it was written with"),
        })
    }

    fn compile(&self, manifest: &Manifest, wasm: &Path, code: &Path) -> Result<(), SandboxError> {
        let started = std::time::Instant::now();
        let module = fs::read(wasm).map_err(io("read", wasm))?;
        let found = blake3::hash(&module).to_hex();
        if !found.eq_ignore_ascii_case(&manifest.blake3) {
            return Err(SandboxError::WasmMismatch {
                path: wasm.to_owned(),
                expected: manifest.blake3.clone(),
                found: found.to_string(),
            });
        }
        let compiled = self
            .engine
            .precompile_module(&module)
            .map_err(|error| SandboxError::engine("compile a guest", error))?;
        self.replace(code, &compiled)?;
        let file = File::open(code).map_err(io("read", code))?;
        let hash = hash(&file).map_err(io("read", code))?;
        self.replace(&noted(code), hash.to_hex().as_bytes())?;
        tracing::info!(
            language = %manifest.language,
            bytes = compiled.len(),
            seconds = started.elapsed().as_secs_f64(),
            "compiled a guest"
        );
        Ok(())
    }

    /// Puts `content` at `path` in one step, so that nobody sees half of it.
    fn replace(&self, path: &Path, content: &[u8]) -> Result<(), SandboxError> {
        let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
        let written = private(&unfinished).and_then(|mut file| {
            file.set_len(0)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&unfinished, path)
        });
        written.map_err(|source| {
            // Whatever is left of it only takes space.
            let _ = fs::remove_file(&unfinished);
            io("create", path)(source)
        })
    }

    /// Removes what earlier builds of the guest left, when nobody used it for a while.
    fn sweep(&self, language: Language, keep: &Path) {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        let prefix = format!("{language}-");
        for entry in entries.flatten() {
            let path = entry.path();
            let old = entry
                .metadata()
                .and_then(|facts| facts.modified())
                .is_ok_and(|at| {
                    SystemTime::now()
                        .duration_since(at)
                        .is_ok_and(|age| age > STALE)
                });
            let ours = entry.file_name().to_string_lossy().starts_with(&prefix);
            if ours && old && path != keep && path != noted(keep) {
                // Somebody else may have been faster; and what stays does no harm.
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// Where the hash of the compiled form at `code` is noted.
fn noted(code: &Path) -> PathBuf {
    code.with_extension("cwasm.blake3")
}

fn private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// The compiled form at `code`, if it is there and has the hash noted beside it.
fn open_verified(code: &Path) -> Result<Option<File>, SandboxError> {
    let Some(file) = present(File::open(code)).map_err(io("read", code))? else {
        return Ok(None);
    };
    let note = noted(code);
    let Some(expected) = present(fs::read(&note)).map_err(io("read", &note))? else {
        return Ok(None);
    };
    let found = hash(&file).map_err(io("read", code))?;
    if found.to_hex().as_bytes() != expected.as_slice() {
        tracing::warn!(file = %code.display(), "a compiled guest is damaged and will be made again");
        return Ok(None);
    }
    Ok(Some(file))
}

fn present<T>(result: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The hash of a whole file: BLAKE3 over the BLAKE3 of its pieces, so that all cores can share the
/// work at start-up.
fn hash(file: &File) -> std::io::Result<blake3::Hash> {
    let length = file.metadata()?.len();
    let pieces = length.div_ceil(PIECE);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let share = pieces.div_ceil(threads).max(1);
    let mut root = blake3::Hasher::new();
    root.update(&length.to_le_bytes());
    let parts: Vec<std::io::Result<Vec<blake3::Hash>>> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..pieces)
            .step_by(usize::try_from(share).unwrap_or(usize::MAX))
            .map(|first| {
                scope.spawn(move || {
                    let last = (first + share).min(pieces);
                    (first..last).map(|piece| hash_piece(file, piece)).collect()
                })
            })
            .collect();
        handles
            .into_iter()
            .map(|handle| {
                handle
                    .join()
                    .unwrap_or_else(|_| Err(std::io::Error::other("a hashing thread panicked")))
            })
            .collect()
    });
    for part in parts {
        for piece in part? {
            root.update(piece.as_bytes());
        }
    }
    Ok(root.finalize())
}

fn hash_piece(file: &File, piece: u64) -> std::io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    let mut at = piece * PIECE;
    let end = at + PIECE;
    while at < end {
        let room = usize::try_from(end - at).map_or(buffer.len(), |left| left.min(buffer.len()));
        let read = file.read_at(buffer.get_mut(..room).unwrap_or_default(), at)?;
        if read == 0 {
            break;
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
        at += read as u64;
    }
    Ok(hasher.finalize())
}

/// Feeds the engine's compatibility hash into BLAKE3: unlike the standard hasher's, the result is
/// the same in every process.
struct StableHasher(blake3::Hasher);

impl std::hash::Hasher for StableHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let hash = self.0.finalize();
        hash.as_bytes()
            .first_chunk()
            .map_or(0, |first| u64::from_le_bytes(*first))
    }
}
