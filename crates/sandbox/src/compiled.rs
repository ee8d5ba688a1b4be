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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const WAT: &str = r#"(module (memory (export "memory") 1)
      (func (export "sandgate_alloc") (param i32) (result i32) (i32.const 8))
      (func (export "sandgate_run") (param i32 i32) (result i32) (i32.const 0)))"#;

    /// A folder with one guest, and a cache beside it.
    struct Setup {
        folder: tempfile::TempDir,
        config: SandboxConfig,
    }

    impl Setup {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let config = SandboxConfig::new(folder.path(), folder.path().join("cache"));
            let wasm = wat::parse_str(WAT).unwrap();
            fs::write(folder.path().join("python.wasm"), &wasm).unwrap();
            let manifest = serde_json::json!({
                "abi": 1, "language": "python", "version": "3", "implementation": "none",
                "wasm": "python.wasm", "blake3": blake3::hash(&wasm).to_hex().as_str(),
                "stdio": 16, "modules": [], "packages": [],
            });
            fs::write(folder.path().join("python.json"), manifest.to_string()).unwrap();
            Self { folder, config }
        }

        /// Opens the guest; gives the compiled form's path and inode.
        fn open(&self) -> Result<(PathBuf, u64), SandboxError> {
            let guests = open_guests(&self.config)?;
            let inode = guests[0].code.metadata().unwrap().ino();
            let compiled = fs::read_dir(&self.config.cache)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .find(|path| {
                    path.extension()
                        .is_some_and(|extension| extension == "cwasm")
                })
                .unwrap();
            Ok((compiled, inode))
        }
    }

    #[test]
    fn a_sound_compiled_form_is_used_again() {
        let setup = Setup::new();
        let (path, first) = setup.open().unwrap();
        // Not needed any more: the compiled form's key names it.
        fs::remove_file(setup.folder.path().join("python.wasm")).unwrap();
        assert_eq!(setup.open().unwrap().1, first);
        for private in [path.clone(), noted(&path)] {
            assert_eq!(fs::metadata(private).unwrap().mode() & 0o777, 0o600);
        }
        assert_eq!(
            fs::metadata(&setup.config.cache).unwrap().mode() & 0o777,
            0o700
        );
    }

    #[test]
    fn a_damaged_compiled_form_is_made_again_and_never_loaded() {
        let setup = Setup::new();
        let (path, _) = setup.open().unwrap();
        let (good, note) = (fs::read(&path).unwrap(), fs::read(noted(&path)).unwrap());
        for damage in ["flip", "cut", "empty", "note", "no note"] {
            match damage {
                "flip" => {
                    let mut bytes = good.clone();
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 1;
                    fs::write(&path, bytes).unwrap();
                }
                "cut" => fs::write(&path, &good[..good.len() - 1]).unwrap(),
                "empty" => fs::write(&path, b"").unwrap(),
                "note" => fs::write(noted(&path), "0".repeat(64)).unwrap(),
                _ => fs::remove_file(noted(&path)).unwrap(),
            }
            assert_eq!(setup.open().unwrap().0, path, "{damage}");
            assert_eq!(fs::read(&path).unwrap(), good, "{damage}");
            assert_eq!(fs::read(noted(&path)).unwrap(), note, "{damage}");
        }
        // Without the wasm file there is nothing to make it from.
        fs::write(&path, b"damaged").unwrap();
        fs::remove_file(setup.folder.path().join("python.wasm")).unwrap();
        assert!(setup.open().is_err());
    }

    #[test]
    fn a_wasm_file_that_is_not_its_manifests_is_refused() {
        let setup = Setup::new();
        let wasm = setup.folder.path().join("python.wasm");
        fs::write(&wasm, b"\0asm\x01\0\0\0").unwrap();
        let error = setup.open().unwrap_err();
        assert!(
            matches!(error, SandboxError::WasmMismatch { .. }),
            "{error}"
        );
        assert!(error.to_string().contains("cargo xtask guests"), "{error}");
    }

    #[test]
    fn a_cache_that_others_can_write_to_is_refused() {
        let setup = Setup::new();
        fs::create_dir(&setup.config.cache).unwrap();
        fs::set_permissions(&setup.config.cache, fs::Permissions::from_mode(0o777)).unwrap();
        let error = setup.open().unwrap_err();
        assert!(error.to_string().contains("nobody else"), "{error}");
    }

    #[test]
    fn a_folder_without_guests_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let config = SandboxConfig::new(folder.path(), folder.path().join("cache"));
        let error = open_guests(&config).unwrap_err();
        assert!(matches!(error, SandboxError::NoGuests(_)), "{error}");
    }

    #[test]
    fn processes_that_compile_at_once_agree() {
        let setup = Setup::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| setup.open().unwrap());
            }
        });
        assert!(setup.open().is_ok());
    }

    #[test]
    fn the_hash_covers_every_byte_and_the_length() {
        let mut file = tempfile::tempfile().unwrap();
        let size = 2 * PIECE as usize + 12_345;
        file.write_all(&vec![7; size]).unwrap();
        let whole = hash(&file).unwrap();
        assert_eq!(hash(&file).unwrap(), whole);
        for at in [0, PIECE - 1, PIECE, 2 * PIECE, size as u64 - 1] {
            file.write_all_at(&[8], at).unwrap();
            assert_ne!(hash(&file).unwrap(), whole, "{at}");
            file.write_all_at(&[7], at).unwrap();
        }
        file.set_len(size as u64 + 1).unwrap();
        assert_ne!(hash(&file).unwrap(), whole);
    }
}
