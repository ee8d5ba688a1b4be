//! WASI preview 1: every function, by name and signature.

use std::time::Instant;

use wasmtime::{Caller, Linker};

use super::clock::Sleep;
use super::errno::Errno;
use super::{End, Fail, Host, call, fd, lock, path, settle, system, with_memory, yield_now};

const MODULE: &str = "wasi_snapshot_preview1";

/// Adds functions whose body gets the host, the guest's memory and the arguments, and whose work
/// is paid for afterwards.
macro_rules! functions {
    ($linker:ident: $($name:ident ($($arg:ident: $ty:ty),*) => $body:expr;)*) => {
        $($linker.func_wrap_async(
            MODULE,
            stringify!($name),
            |mut caller: Caller<'_, Host>, ($($arg,)*): ($($ty,)*)| {
                Box::new(async move {
                    let errno = call(&mut caller, |host, memory| ($body)(host, memory, $($arg),*))?;
                    settle(&mut caller).await?;
                    Ok(errno)
                })
            },
        )?;)*
    };
}

/// Adds functions that always fail.
macro_rules! refused {
    ($linker:ident: $($name:ident ($($ty:ty),*) => $errno:expr;)*) => {
        $($linker.func_wrap(MODULE, stringify!($name), |$(_: $ty),*| u32::from($errno as u16))?;)*
    };
}

type Done = Result<(), Fail>;
type Memory<'a> = &'a mut [u8];

/// Adds all of it to `linker`.
pub(super) fn add(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    add_descriptors(linker)?;
    add_paths(linker)?;
    add_system(linker)
}

fn add_descriptors(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    functions! { linker:
        fd_advise(fd: u32, at: u64, len: u64, advice: u32) => fd::fd_advise;
        fd_allocate(fd: u32, at: u64, len: u64) => fd::fd_allocate;
        fd_close(fd: u32) => fd::fd_close;
        fd_datasync(fd: u32) => fd::fd_datasync;
        fd_fdstat_get(fd: u32, result: u32) => fd::fd_fdstat_get;
        fd_fdstat_set_flags(fd: u32, flags: u32) => fd::fd_fdstat_set_flags;
        fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64) => fd::fd_fdstat_set_rights;
        fd_filestat_get(fd: u32, result: u32) => fd::fd_filestat_get;
        fd_filestat_set_size(fd: u32, len: u64) => fd::fd_filestat_set_size;
        fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, flags: u32)
            => fd::fd_filestat_set_times;
        fd_pread(fd: u32, iovs: u32, count: u32, at: u64, result: u32) => fd::fd_pread;
        fd_prestat_dir_name(fd: u32, ptr: u32, len: u32) => fd::fd_prestat_dir_name;
        fd_prestat_get(fd: u32, result: u32) => fd::fd_prestat_get;
        fd_pwrite(fd: u32, iovs: u32, count: u32, at: u64, result: u32) => fd::fd_pwrite;
        fd_read(fd: u32, iovs: u32, count: u32, result: u32) => fd::fd_read;
        fd_readdir(fd: u32, ptr: u32, len: u32, cookie: u64, result: u32)
            => |host: &mut Host, memory: Memory<'_>, fd, ptr, len, cookie, result| -> Done {
                fd::fd_readdir(host, memory, fd, (ptr, len), cookie, result)
            };
        fd_renumber(from: u32, to: u32) => fd::fd_renumber;
        fd_seek(fd: u32, delta: i64, whence: u32, result: u32) => fd::fd_seek;
        fd_sync(fd: u32) => fd::fd_sync;
        fd_tell(fd: u32, result: u32) => fd::fd_tell;
        fd_write(fd: u32, iovs: u32, count: u32, result: u32) => fd::fd_write;
    }
    Ok(())
}

fn add_paths(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    functions! { linker:
        path_create_directory(fd: u32, ptr: u32, len: u32)
            => |host: &mut Host, memory: Memory<'_>, fd, ptr, len| -> Done {
                path::path_create_directory(host, memory, fd, (ptr, len))
            };
        path_filestat_get(fd: u32, flags: u32, ptr: u32, len: u32, result: u32)
            => |host: &mut Host, memory: Memory<'_>, fd, flags, ptr, len, result| -> Done {
                path::path_filestat_get(host, memory, fd, flags, (ptr, len), result)
            };
        path_filestat_set_times(
            fd: u32, flags: u32, ptr: u32, len: u32, accessed: u64, modified: u64, which: u32
        ) => |host: &mut Host, memory: Memory<'_>, fd, flags, ptr, len, at, mt, which| -> Done {
                path::path_filestat_set_times(host, memory, fd, flags, (ptr, len), (at, mt), which)
            };
        path_link(
            old_fd: u32, flags: u32, old: u32, old_len: u32, fd: u32, ptr: u32, len: u32
        ) => |host: &mut Host, memory: Memory<'_>, old_fd, flags, old, old_len, fd, ptr, len| -> Done {
                path::path_link(host, memory, (old_fd, flags, (old, old_len)), (fd, (ptr, len)))
            };
        path_open(
            fd: u32, lookup: u32, ptr: u32, len: u32, how: u32, rights: u64, inheriting: u64,
            flags: u32, result: u32
        ) => |host: &mut Host, memory: Memory<'_>, fd, lookup, ptr, len, how, rights, inheriting, flags, result| -> Done {
                let open = path::Open { lookup, how, rights, inheriting, flags };
                path::path_open(host, memory, fd, (ptr, len), open, result)
            };
        path_readlink(fd: u32, ptr: u32, len: u32, buffer: u32, size: u32, result: u32)
            => |host: &mut Host, memory: Memory<'_>, fd, ptr, len, buffer, size, result| -> Done {
                path::path_readlink(host, memory, fd, (ptr, len), (buffer, size), result)
            };
        path_remove_directory(fd: u32, ptr: u32, len: u32)
            => |host: &mut Host, memory: Memory<'_>, fd, ptr, len| -> Done {
                path::path_remove_directory(host, memory, fd, (ptr, len))
            };
        path_rename(fd: u32, from: u32, from_len: u32, to_fd: u32, to: u32, to_len: u32)
            => |host: &mut Host, memory: Memory<'_>, fd, from, from_len, to_fd, to, to_len| -> Done {
                path::path_rename(host, memory, (fd, (from, from_len)), (to_fd, (to, to_len)))
            };
        path_symlink(target: u32, target_len: u32, fd: u32, ptr: u32, len: u32)
            => |host: &mut Host, memory: Memory<'_>, target, target_len, fd, ptr, len| -> Done {
                path::path_symlink(host, memory, (target, target_len), fd, (ptr, len))
            };
        path_unlink_file(fd: u32, ptr: u32, len: u32)
            => |host: &mut Host, memory: Memory<'_>, fd, ptr, len| -> Done {
                path::path_unlink_file(host, memory, fd, (ptr, len))
            };
    }
    Ok(())
}

fn add_system(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    functions! { linker:
        args_sizes_get(count: u32, size: u32) => system::nothing;
        environ_sizes_get(count: u32, size: u32) => system::nothing;
        clock_res_get(id: u32, result: u32) => system::clock_res_get;
        clock_time_get(id: u32, precision: u64, result: u32) => system::clock_time_get;
    }
    for nothing_to_write in ["args_get", "environ_get"] {
        linker.func_wrap(MODULE, nothing_to_write, |_: u32, _: u32| 0_u32)?;
    }
    refused! { linker:
        // There are no other processes, and none of its own to signal.
        proc_raise(u32) => Errno::Notsup;
        sock_accept(u32, u32, u32) => Errno::Notsock;
        sock_recv(u32, u32, u32, u32, u32, u32) => Errno::Notsock;
        sock_send(u32, u32, u32, u32, u32) => Errno::Notsock;
        sock_shutdown(u32, u32) => Errno::Notsock;
    }
    linker.func_wrap(MODULE, "sched_yield", || 0_u32)?;
    linker.func_wrap(MODULE, "proc_exit", |code: u32| -> wasmtime::Result<()> {
        Err(End::Exit(code).into())
    })?;
    linker.func_wrap_async(MODULE, "random_get", |caller, (ptr, len): (u32, u32)| {
        Box::new(random_get(caller, ptr, len))
    })?;
    linker.func_wrap_async(
        MODULE,
        "poll_oneoff",
        |caller, (input, output, count, result): (u32, u32, u32, u32)| {
            Box::new(poll_oneoff(caller, (input, output, count), result))
        },
    )?;
    Ok(())
}

/// Fills in steps: the memory may be a gigabyte, and the deadline is near.
async fn random_get(mut caller: Caller<'_, Host>, ptr: u32, len: u32) -> wasmtime::Result<u32> {
    let mut done = 0;
    loop {
        let step = (len - done).min(system::RANDOM_STEP);
        let errno = call(&mut caller, |host, memory| {
            let at = super::memory::offset(ptr, done)?;
            system::random_get(host, memory, at, step)
        })?;
        settle(&mut caller).await?;
        done += step;
        if errno != 0 || done == len {
            return Ok(errno);
        }
    }
}

/// Waits. The loop that drives the guest does the sleeping, so that it can pass on what was
/// printed before, and wake up for the caller or the deadline.
async fn poll_oneoff(
    mut caller: Caller<'_, Host>,
    (input, output, count): (u32, u32, u32),
    result: u32,
) -> wasmtime::Result<u32> {
    let subscribed = with_memory(&mut caller, |host, memory| {
        system::subscribe(host, memory, input, output, count)
    })?;
    let poll = match subscribed {
        Ok(poll) => poll,
        Err(fail) => return call(&mut caller, |_, _| Err(fail)),
    };
    let sleep = poll.start(caller.data_mut());
    if let Sleep::Until(until) = sleep {
        while Instant::now() < until {
            lock(&caller.data().shared).sleep = Some(until);
            yield_now().await;
        }
    }
    let errno = call(&mut caller, |_, memory| poll.finish(memory, output, result))?;
    settle(&mut caller).await?;
    Ok(errno)
}
