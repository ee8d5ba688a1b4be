//! Turns a guest module into a snapshot: starts its interpreter once, at build time, and writes a
//! module that begins where the interpreter was ready.
//!
//! Clocks and randomness are constants while the interpreter starts. So the same module and root
//! always give the same snapshot, and no snapshot can freeze real entropy.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sandgate_core::{Language, ModuleInfo, OutputStream, PackageInfo};
use serde::Deserialize;
use wasmtime::{Caller, Config, Engine, Instance, Linker, Module, Store, Val};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{
    Deterministic, FsPerms, HostMonotonicClock, HostWallClock, I32Exit, WasiCtxBuilder,
};
use wasmtime_wizer::{InstanceState, SnapshotVal, ValType, Wizer};

use crate::host::memory;
use crate::host::stdio::StdioBlock;
use crate::manifest::{ABI_VERSION, Manifest};

const WASI: &str = "wasi_snapshot_preview1";
const SUCCESS: i32 = 0;
const ERRNO_BADF: i32 = 8;

/// Enough for an interpreter that imports its whole library; the build machine's own, so generous.
const WASM_STACK: usize = 32 << 20;
const THREAD_STACK: usize = 64 << 20;

/// 2026-01-01, in seconds since 1970: what the clock says while a snapshot is made.
const SNAPSHOT_TIME: u64 = 1_767_225_600;

/// What to make a snapshot of.
#[derive(Clone, Debug)]
pub struct SnapshotOptions {
    /// The reactor module.
    pub module: PathBuf,
    /// The folder that the guest sees, read-only, as `/` while it starts.
    pub root: PathBuf,
    /// The folder for `<language>.wasm` and `<language>.json`.
    pub out: PathBuf,
    /// The guest's language.
    pub language: Language,
}

/// What a snapshot came to.
#[derive(Clone, Debug)]
pub struct SnapshotReport {
    /// The snapshot.
    pub wasm: PathBuf,
    /// Its manifest.
    pub manifest: PathBuf,
    /// Size of the snapshot's file.
    pub wasm_bytes: usize,
    /// Size of its linear memory.
    pub memory_bytes: usize,
    /// Importable modules in its catalogue.
    pub modules: usize,
    /// The guest drew entropy while it started. What it drew was constant, so a generator seeded
    /// with it is the same in every execution: it has to be seeded again on first use.
    pub drew_entropy: bool,
    /// What the guest wrote to stderr while it started.
    pub stderr: String,
}

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SnapshotError(String);

impl SnapshotError {
    fn new(what: impl std::fmt::Display, cause: impl std::fmt::Display) -> Self {
        // The alternate form of the engine's errors is the whole chain of causes.
        Self(format!("{what}: {cause:#}"))
    }
}

/// What `sandgate_init` prints: the guest's own part of the manifest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalogue {
    language: Language,
    version: String,
    implementation: String,
    modules: Vec<ModuleInfo>,
    packages: Vec<PackageInfo>,
}

struct BuildHost {
    wasi: WasiP1Ctx,
    stdio: Option<StdioBlock>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    error: Option<String>,
    drew_entropy: bool,
}

impl BuildHost {
    fn stream(&mut self, stream: OutputStream) -> &mut Vec<u8> {
        match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
        }
    }

    /// Takes what waits in the stdio block, so that it keeps its place before what comes next.
    fn drain(&mut self, memory: &mut [u8]) -> Result<(), memory::OutOfBounds> {
        if let Some(block) = self.stdio {
            for stream in [OutputStream::Stdout, OutputStream::Stderr] {
                let to = self.stream(stream);
                to.extend_from_slice(block.waiting(memory, stream, 0)?);
                block.empty(memory, stream)?;
            }
        }
        Ok(())
    }
}

/// A clock that stands still.
struct Still;

impl HostWallClock for Still {
    fn resolution(&self) -> Duration {
        Duration::from_micros(1)
    }

    fn now(&self) -> Duration {
        Duration::from_secs(SNAPSHOT_TIME)
    }
}

impl HostMonotonicClock for Still {
    fn resolution(&self) -> u64 {
        1_000
    }

    fn now(&self) -> u64 {
        0
    }
}

/// Makes the snapshot and its manifest.
///
/// # Errors
/// Says what failed, with what the guest wrote to stderr.
pub fn snapshot(options: &SnapshotOptions) -> Result<SnapshotReport, SnapshotError> {
    // The interpreter's start runs on the calling stack: give it one of its own.
    let options = options.clone();
    std::thread::Builder::new()
        .name("snapshot".to_owned())
        .stack_size(THREAD_STACK)
        .spawn(move || make(&options))
        .map_err(|error| SnapshotError::new("cannot start a thread", error))?
        .join()
        .map_err(|_| SnapshotError("the snapshot's thread panicked".to_owned()))?
}

fn make(options: &SnapshotOptions) -> Result<SnapshotReport, SnapshotError> {
    let module = read(&options.module)?;
    let mut wizer = Wizer::new();
    // Removes the export: nobody can start the interpreter twice.
    wizer.init_func("sandgate_init");
    let (context, instrumented) = wizer
        .instrument(&module)
        .map_err(|e| SnapshotError::new("the module cannot be snapshotted", e))?;

    let mut config = Config::new();
    config
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(WASM_STACK + (1 << 20));
    let engine = Engine::new(&config).map_err(|e| SnapshotError::new("no engine", e))?;
    let module = Module::new(&engine, &instrumented)
        .map_err(|e| SnapshotError::new("cannot compile the module", e))?;
    let mut store = Store::new(&engine, build_host(&options.root)?);
    let instance = linker(&engine)
        .and_then(|linker| linker.instantiate(&mut store, &module))
        .map_err(|e| SnapshotError::new("cannot instantiate the module", e))?;

    let address = start(&mut store, instance)?;
    let guest_memory = instance
        .get_memory(&mut store, "memory")
        .ok_or_else(|| SnapshotError("the module exports no `memory`".to_owned()))?;
    let memory_bytes = guest_memory.data_size(&store);
    // After this the block is empty in the snapshot too.
    let (data, host) = guest_memory.data_and_store_mut(&mut store);
    host.drain(data)
        .map_err(|e| SnapshotError::new("the stdio block is not usable", e))?;

    let snapshot = wait(wizer.snapshot(
        &context,
        &mut State {
            store: &mut store,
            instance,
        },
    ))
    .map_err(|e| SnapshotError::new("cannot take the snapshot", e))?;

    let host = store.into_data();
    let manifest = manifest(options.language, &host.stdout, &snapshot, address)?;
    write(options, &manifest, &snapshot).map(|(wasm, path)| SnapshotReport {
        wasm,
        manifest: path,
        wasm_bytes: snapshot.len(),
        memory_bytes,
        modules: manifest.modules.len(),
        drew_entropy: host.drew_entropy,
        stderr: String::from_utf8_lossy(&host.stderr).into_owned(),
    })
}

fn build_host(root: &Path) -> Result<BuildHost, SnapshotError> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.secure_random(Deterministic::new(vec![0x5a, 0x13, 0xc7, 0x2e]))
        .insecure_random(Deterministic::new(vec![0x5a, 0x13, 0xc7, 0x2e]))
        .insecure_random_seed(0)
        .wall_clock(Still)
        .monotonic_clock(Still)
        .preopened_dir(root, "/", FsPerms::ReadOnly)
        .map_err(|e| SnapshotError::new(format!("cannot open {}", root.display()), e))?;
    Ok(BuildHost {
        wasi: wasi.build_p1(),
        stdio: None,
        stdout: Vec::new(),
        stderr: Vec::new(),
        error: None,
        drew_entropy: false,
    })
}

/// Calls `_initialize`, `sandgate_stdio` and `sandgate_init`; gives the stdio block's address.
fn start(store: &mut Store<BuildHost>, instance: Instance) -> Result<u32, SnapshotError> {
    if instance.get_func(&mut *store, "_initialize").is_some() {
        call::<()>(store, instance, "_initialize")?;
    }
    let address: u32 = call(store, instance, "sandgate_stdio")?;
    store.data_mut().stdio = Some(StdioBlock(address));
    call::<()>(store, instance, "sandgate_init")?;
    if let Some(error) = store.data_mut().error.take() {
        return Err(SnapshotError(format!("sandgate_init reported {error}")));
    }
    Ok(address)
}

fn call<R: wasmtime::WasmResults>(
    store: &mut Store<BuildHost>,
    instance: Instance,
    name: &str,
) -> Result<R, SnapshotError> {
    let function = instance
        .get_typed_func::<(), R>(&mut *store, name)
        .map_err(|e| SnapshotError::new(format!("the module needs an export `{name}`"), e))?;
    function.call(&mut *store, ()).map_err(|error| {
        if let Some(memory) = instance.get_memory(&mut *store, "memory") {
            let (data, host) = memory.data_and_store_mut(&mut *store);
            // The call failed already; output that cannot be read changes nothing.
            let _ = host.drain(data);
        }
        let host = store.data();
        let printed = String::from_utf8_lossy(&host.stdout).into_owned()
            + &String::from_utf8_lossy(&host.stderr)
            + host.error.as_deref().unwrap_or_default();
        match error.downcast_ref::<I32Exit>() {
            Some(exit) => SnapshotError(format!("{name} exited with {}\n{printed}", exit.0)),
            None => SnapshotError(format!("{name} failed: {error:?}\n{printed}")),
        }
    })
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<BuildHost>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p1::add_to_linker_sync(&mut linker, |host: &mut BuildHost| &mut host.wasi)?;
    // The one WASI function that has to know the stdio block. The root is read-only, so there is
    // nothing else to write to.
    linker.allow_shadowing(true);
    linker.func_wrap(WASI, "fd_write", fd_write)?;
    linker.func_wrap(
        "sandgate",
        "entropy",
        |mut caller: Caller<'_, BuildHost>| {
            caller.data_mut().drew_entropy = true;
            0x005e_ed00_005e_ed00_i64
        },
    )?;
    linker.func_wrap("sandgate", "result", |_: u32, _: u32| {})?;
    linker.func_wrap(
        "sandgate",
        "error",
        |mut caller: Caller<'_, BuildHost>, ptr: u32, len: u32| -> wasmtime::Result<()> {
            let (data, host) = data_and_host(&mut caller)?;
            let text = memory::bytes(data, ptr, len)?;
            host.error = Some(String::from_utf8_lossy(text).into_owned());
            Ok(())
        },
    )?;
    Ok(linker)
}

fn data_and_host<'a>(
    caller: &'a mut Caller<'_, BuildHost>,
) -> wasmtime::Result<(&'a mut [u8], &'a mut BuildHost)> {
    let memory = caller
        .get_export("memory")
        .and_then(wasmtime::Extern::into_memory)
        .ok_or_else(|| wasmtime::Error::msg("the module exports no `memory`"))?;
    Ok(memory.data_and_store_mut(caller))
}

fn fd_write(
    mut caller: Caller<'_, BuildHost>,
    fd: u32,
    iovs: u32,
    count: u32,
    written: u32,
) -> wasmtime::Result<i32> {
    let stream = match fd {
        1 => OutputStream::Stdout,
        2 => OutputStream::Stderr,
        _ => return Ok(ERRNO_BADF),
    };
    let (data, host) = data_and_host(&mut caller)?;
    host.drain(data)?;
    let mut total = 0_u32;
    for index in 0..count {
        let at = memory::offset(iovs, index.checked_mul(8).ok_or(memory::OutOfBounds)?)?;
        let ptr = memory::read_u32(data, at)?;
        let len = memory::read_u32(data, memory::offset(at, 4)?)?;
        host.stream(stream)
            .extend_from_slice(memory::bytes(data, ptr, len)?);
        total = memory::offset(total, len)?;
    }
    memory::write_u32(data, written, total)?;
    Ok(SUCCESS)
}

/// Polls a future that never waits for anything.
fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

struct State<'a> {
    store: &'a mut Store<BuildHost>,
    instance: Instance,
}

impl InstanceState for State<'_> {
    async fn global_get(&mut self, name: &str, hint: ValType) -> SnapshotVal {
        let global = self.instance.get_global(&mut *self.store, name);
        match global.map(|global| global.get(&mut *self.store)) {
            Some(Val::I32(x)) => SnapshotVal::I32(x),
            Some(Val::I64(x)) => SnapshotVal::I64(x),
            Some(Val::F32(x)) => SnapshotVal::F32(x),
            Some(Val::F64(x)) => SnapshotVal::F64(x),
            Some(Val::V128(x)) => SnapshotVal::V128(x.as_u128()),
            // Wizer's contract: it asks only for globals it exported itself, and refused modules
            // with any other type of mutable global before.
            other => panic!("global `{name}` of type {hint} is {other:?}"),
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        match self.instance.get_memory(&mut *self.store, name) {
            Some(memory) => contents(memory.data(&*self.store)),
            None => panic!("memory `{name}` is not exported"),
        }
    }
}

fn manifest(
    language: Language,
    stdout: &[u8],
    snapshot: &[u8],
    stdio: u32,
) -> Result<Manifest, SnapshotError> {
    let catalogue: Catalogue = serde_json::from_slice(stdout).map_err(|error| {
        let start = String::from_utf8_lossy(stdout.get(..400).unwrap_or(stdout)).into_owned();
        SnapshotError(format!(
            "sandgate_init must print its catalogue as one JSON object: {error}\nit printed: {start}"
        ))
    })?;
    if catalogue.language != language {
        return Err(SnapshotError(format!(
            "the guest says it runs {}, not {language}",
            catalogue.language
        )));
    }
    Ok(Manifest {
        abi: ABI_VERSION,
        language,
        version: catalogue.version,
        implementation: catalogue.implementation,
        wasm: format!("{language}.wasm"),
        blake3: blake3::hash(snapshot).to_hex().to_string(),
        stdio,
        modules: catalogue.modules,
        packages: catalogue.packages,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, SnapshotError> {
    std::fs::read(path)
        .map_err(|e| SnapshotError::new(format!("cannot read {}", path.display()), e))
}

fn write(
    options: &SnapshotOptions,
    manifest: &Manifest,
    snapshot: &[u8],
) -> Result<(PathBuf, PathBuf), SnapshotError> {
    let failed =
        |path: &Path, error| SnapshotError::new(format!("cannot write {}", path.display()), error);
    std::fs::create_dir_all(&options.out).map_err(|e| failed(&options.out, e))?;
    let wasm = options.out.join(&manifest.wasm);
    let path = options.out.join(format!("{}.json", manifest.language));
    let mut json = serde_json::to_vec_pretty(manifest)
        .map_err(|e| SnapshotError::new("cannot write the manifest", e))?;
    json.push(b'\n');
    std::fs::write(&wasm, snapshot).map_err(|e| failed(&wasm, e))?;
    std::fs::write(&path, json).map_err(|e| failed(&path, e))?;
    Ok((wasm, path))
}
