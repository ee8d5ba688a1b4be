//! The `sandgate` imports (ABI.md).

use wasmtime::{Caller, Linker};

use super::memory::bytes;
use super::{Fail, Host, settle, with_memory};

const MODULE: &str = "sandgate";

/// Takes a JSON text out of the guest's memory.
async fn text(
    mut caller: Caller<'_, Host>,
    ptr: u32,
    len: u32,
    take: impl FnOnce(&mut Host, &[u8]) + Send,
) -> wasmtime::Result<()> {
    let taken = with_memory(&mut caller, |host, memory| {
        let json = bytes(memory, ptr, len)?;
        // Parsing costs more than copying.
        host.charge(u64::from(len).saturating_mul(4));
        take(host, json);
        Ok::<_, super::End>(())
    })?;
    taken?;
    settle(&mut caller).await
}

/// Adds them to `linker`.
pub(super) fn add(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap_async(MODULE, "result", |caller, (ptr, len): (u32, u32)| {
        Box::new(text(caller, ptr, len, |host, json| {
            host.report.result(json)
        }))
    })?;
    linker.func_wrap_async(MODULE, "error", |caller, (ptr, len): (u32, u32)| {
        Box::new(text(caller, ptr, len, |host, json| host.report.error(json)))
    })?;
    linker.func_wrap(MODULE, "entropy", |mut caller: Caller<'_, Host>| {
        let drawn = caller.data_mut().entropy.word();
        // 64 bits, which wasm knows only as signed.
        drawn.map(u64::cast_signed).map_err(wasmtime::Error::from)
    })?;
    Ok(())
}

/// A failure of the host's own random source is nothing a guest can do about.
pub(super) fn no_entropy(_: std::io::Error) -> Fail {
    Fail::Errno(super::Errno::Notsup)
}
