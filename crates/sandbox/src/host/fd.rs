//! WASI's functions on descriptors.

use sandgate_core::OutputStream;

use super::errno::Errno;
use super::files::{APPEND, Descriptor, ROOT_FD, Target, rights};
use super::memory::{OutOfBounds, bytes, bytes_mut, offset, read_u32, write, write_u32, write_u64};
use super::tree::{Kind, Node, NodeId};
use super::{End, Fail, Host, lock};

type Done = Result<(), Fail>;

/// The most pieces in one scattered read or write.
const MAX_IOVS: u32 = 1_024;

const WHENCE_SET: u32 = 0;
const WHENCE_CUR: u32 = 1;
const WHENCE_END: u32 = 2;

/// Flags of a descriptor that mean something: append, and those that ask for what is always so.
const KNOWN_FLAGS: u32 = 0x1f;

/// The pieces of a scattered read or write, checked against the memory, and their whole length.
fn pieces(memory: &[u8], iovs: u32, count: u32) -> Result<(Vec<(u32, u32)>, u32), Fail> {
    if count > MAX_IOVS {
        return Err(Errno::Inval.into());
    }
    let mut found = Vec::with_capacity(count as usize);
    let mut total = 0_u32;
    for index in 0..count {
        let at = offset(iovs, index * 8)?;
        let (ptr, len) = (read_u32(memory, at)?, read_u32(memory, offset(at, 4)?)?);
        bytes(memory, ptr, len)?;
        total = total.checked_add(len).ok_or(Errno::Inval)?;
        found.push((ptr, len));
    }
    Ok((found, total))
}

/// Copies `from` into the pieces, as far as it goes.
fn scatter(memory: &mut [u8], pieces: &[(u32, u32)], mut from: &[u8]) -> Result<u32, OutOfBounds> {
    let mut copied = 0_u32;
    for (ptr, len) in pieces {
        let piece = bytes_mut(memory, *ptr, *len)?;
        let count = piece.len().min(from.len());
        let (now, later) = from.split_at(count);
        piece
            .get_mut(..count)
            .ok_or(OutOfBounds)?
            .copy_from_slice(now);
        from = later;
        copied += u32::try_from(count).map_err(|_| OutOfBounds)?;
        if from.is_empty() {
            break;
        }
    }
    Ok(copied)
}

fn read_at(
    host: &mut Host,
    memory: &mut [u8],
    descriptor: Descriptor,
    (pieces, at): (&[(u32, u32)], u64),
) -> Result<u32, Fail> {
    descriptor.may(rights::FD_READ)?;
    let from = match descriptor.target {
        Target::Stdin => {
            let start = usize::try_from(at).unwrap_or(usize::MAX);
            host.files.stdin.get(start..).unwrap_or_default()
        }
        Target::Output(_) => return Err(Errno::Badf.into()),
        Target::Node(id) => match &host.files.tree.node(id)?.kind {
            Kind::File(content) => content.from(at),
            Kind::Null => &[],
            Kind::Directory(_) => return Err(Errno::Isdir.into()),
            Kind::Symlink(_) => return Err(Errno::Inval.into()),
        },
    };
    let copied = scatter(memory, pieces, from)?;
    host.charge(copied.into());
    Ok(copied)
}

pub(super) fn fd_read(
    host: &mut Host,
    memory: &mut [u8],
    fd: u32,
    iovs: u32,
    count: u32,
    result: u32,
) -> Done {
    let descriptor = *host.files.get(fd)?;
    let (pieces, _) = pieces(memory, iovs, count)?;
    let copied = read_at(host, memory, descriptor, (&pieces, descriptor.position))?;
    host.files.get_mut(fd)?.position += u64::from(copied);
    Ok(write_u32(memory, result, copied)?)
}

pub(super) fn fd_pread(
    host: &mut Host,
    memory: &mut [u8],
    fd: u32,
    iovs: u32,
    count: u32,
    at: u64,
    result: u32,
) -> Done {
    let descriptor = *host.files.get(fd)?;
    // Streams have no places.
    descriptor.node().map_err(|_| Errno::Spipe)?;
    let (pieces, _) = pieces(memory, iovs, count)?;
    let copied = read_at(host, memory, descriptor, (&pieces, at))?;
    Ok(write_u32(memory, result, copied)?)
}

/// Prints the pieces, after what waits in the stdio block.
fn print(host: &mut Host, memory: &mut [u8], stream: OutputStream, pieces: &[(u32, u32)]) -> Done {
    let shared = std::sync::Arc::clone(&host.shared);
    let mut shared = lock(&shared);
    let output = &mut shared.output;
    output.empty(host.block, memory, stream)?;
    for (ptr, len) in pieces {
        output.push(stream, bytes(memory, *ptr, *len)?);
        // Each piece may be the whole memory again: no more than one goes over the limit.
        if output.over_limit() {
            return Err(End::OutputLimit.into());
        }
    }
    Ok(())
}

/// Writes the pieces to a file, at `at` or at its end.
fn write_file(
    host: &mut Host,
    memory: &[u8],
    id: NodeId,
    (pieces, at): (&[(u32, u32)], u64),
) -> Result<u64, Fail> {
    if matches!(host.files.tree.node(id)?.kind, Kind::Null) {
        return Ok(at);
    }
    let now = host.clock.file_time();
    let (content, quota) = host.files.tree.content_mut(id)?;
    let old = content.len();
    let mut at = at;
    for (ptr, len) in pieces {
        content.write(at, bytes(memory, *ptr, *len)?, quota)?;
        at = at.saturating_add(u64::from(*len));
    }
    let grown = content.len().saturating_sub(old);
    let node = host.files.tree.node_mut(id)?;
    node.times.modified = now;
    node.times.changed = now;
    host.charge(grown);
    Ok(at)
}

fn end_of(host: &Host, id: NodeId) -> Result<u64, Errno> {
    Ok(size(host.files.tree.node(id)?))
}

pub(super) fn fd_write(
    host: &mut Host,
    memory: &mut [u8],
    fd: u32,
    iovs: u32,
    count: u32,
    result: u32,
) -> Done {
    let descriptor = *host.files.get(fd)?;
    descriptor.may(rights::FD_WRITE)?;
    let (pieces, total) = pieces(memory, iovs, count)?;
    host.charge(total.into());
    match descriptor.target {
        Target::Stdin => return Err(Errno::Badf.into()),
        Target::Output(stream) => print(host, memory, stream, &pieces)?,
        Target::Node(id) => {
            let at = if descriptor.flags & APPEND == 0 {
                descriptor.position
            } else {
                end_of(host, id)?
            };
            let position = write_file(host, memory, id, (&pieces, at))?;
            host.files.get_mut(fd)?.position = position;
        }
    }
    Ok(write_u32(memory, result, total)?)
}

pub(super) fn fd_pwrite(
    host: &mut Host,
    memory: &mut [u8],
    fd: u32,
    iovs: u32,
    count: u32,
    at: u64,
    result: u32,
) -> Done {
    let descriptor = *host.files.get(fd)?;
    let id = descriptor.node().map_err(|_| Errno::Spipe)?;
    descriptor.may(rights::FD_WRITE)?;
    let (pieces, total) = pieces(memory, iovs, count)?;
    host.charge(total.into());
    write_file(host, memory, id, (&pieces, at))?;
    Ok(write_u32(memory, result, total)?)
}

pub(super) fn fd_seek(
    host: &mut Host,
    memory: &mut [u8],
    fd: u32,
    delta: i64,
    whence: u32,
    result: u32,
) -> Done {
    let descriptor = *host.files.get(fd)?;
    let id = descriptor.node().map_err(|_| Errno::Spipe)?;
    let from = match whence {
        WHENCE_SET => 0,
        WHENCE_CUR => descriptor.position,
        WHENCE_END => end_of(host, id)?,
        _ => return Err(Errno::Inval.into()),
    };
    let position = from
        .checked_add_signed(delta)
        .filter(|position| i64::try_from(*position).is_ok())
        .ok_or(Errno::Inval)?;
    host.files.get_mut(fd)?.position = position;
    Ok(write_u64(memory, result, position)?)
}

pub(super) fn fd_tell(host: &mut Host, memory: &mut [u8], fd: u32, result: u32) -> Done {
    let descriptor = host.files.get(fd)?;
    descriptor.node().map_err(|_| Errno::Spipe)?;
    Ok(write_u64(memory, result, descriptor.position)?)
}

pub(super) fn fd_close(host: &mut Host, _: &mut [u8], fd: u32) -> Done {
    Ok(host.files.close(fd)?)
}

pub(super) fn fd_renumber(host: &mut Host, _: &mut [u8], from: u32, to: u32) -> Done {
    Ok(host.files.renumber(from, to)?)
}

/// Files are in memory: they are as safe as they get.
pub(super) fn fd_sync(host: &mut Host, _: &mut [u8], fd: u32) -> Done {
    Ok(host.files.get(fd).map(|_| ())?)
}

pub(super) fn fd_datasync(host: &mut Host, memory: &mut [u8], fd: u32) -> Done {
    fd_sync(host, memory, fd)
}

pub(super) fn fd_advise(
    host: &mut Host,
    _: &mut [u8],
    fd: u32,
    _at: u64,
    _len: u64,
    advice: u32,
) -> Done {
    host.files.get(fd)?.node().map_err(|_| Errno::Spipe)?;
    if advice > 5 {
        return Err(Errno::Inval.into());
    }
    Ok(())
}

pub(super) fn fd_allocate(host: &mut Host, _: &mut [u8], fd: u32, at: u64, len: u64) -> Done {
    let end = at.checked_add(len).ok_or(Errno::Fbig)?;
    let descriptor = host.files.get(fd)?;
    descriptor.may(rights::FD_ALLOCATE)?;
    let id = descriptor.node().map_err(|_| Errno::Spipe)?;
    if end > end_of(host, id)? {
        resize(host, id, end)?;
    }
    Ok(())
}

fn resize(host: &mut Host, id: NodeId, len: u64) -> Done {
    let now = host.clock.file_time();
    let (content, quota) = host.files.tree.content_mut(id)?;
    let grown = len.saturating_sub(content.len());
    content.resize(len, quota)?;
    host.charge(grown);
    let node = host.files.tree.node_mut(id)?;
    node.times.modified = now;
    node.times.changed = now;
    Ok(())
}

pub(super) fn fd_filestat_set_size(host: &mut Host, _: &mut [u8], fd: u32, len: u64) -> Done {
    let descriptor = host.files.get(fd)?;
    let id = descriptor.node()?;
    descriptor.may(rights::FD_FILESTAT_SET_SIZE)?;
    resize(host, id, len)
}

pub(super) fn fd_fdstat_get(host: &mut Host, memory: &mut [u8], fd: u32, result: u32) -> Done {
    let descriptor = host.files.get(fd)?;
    let mut stat = [0_u8; 24];
    stat[0] = match descriptor.target {
        // Neither a terminal nor anything else with a name in WASI: a pipe.
        Target::Stdin | Target::Output(_) => 0,
        Target::Node(id) => file_type(host.files.tree.node(id)?),
    };
    stat[2..4].copy_from_slice(&descriptor.flags.to_le_bytes());
    stat[8..16].copy_from_slice(&descriptor.rights.to_le_bytes());
    stat[16..24].copy_from_slice(&descriptor.inheriting.to_le_bytes());
    Ok(write(memory, result, &stat)?)
}

pub(super) fn fd_fdstat_set_flags(host: &mut Host, _: &mut [u8], fd: u32, flags: u32) -> Done {
    let descriptor = host.files.get_mut(fd)?;
    descriptor.flags = known_flags(flags)?;
    Ok(())
}

/// Checks a descriptor's flags.
pub(super) fn known_flags(flags: u32) -> Result<u16, Errno> {
    u16::try_from(flags & KNOWN_FLAGS)
        .ok()
        .filter(|known| u32::from(*known) == flags)
        .ok_or(Errno::Inval)
}

pub(super) fn fd_fdstat_set_rights(
    host: &mut Host,
    _: &mut [u8],
    fd: u32,
    base: u64,
    inheriting: u64,
) -> Done {
    let descriptor = host.files.get_mut(fd)?;
    // Rights can only be given up.
    if base & !descriptor.rights != 0 || inheriting & !descriptor.inheriting != 0 {
        return Err(Errno::Acces.into());
    }
    descriptor.rights = base;
    descriptor.inheriting = inheriting;
    Ok(())
}

/// WASI's number for what `node` is.
pub(super) fn file_type(node: &Node) -> u8 {
    match node.kind {
        Kind::Null => 2,
        Kind::Directory(_) => 3,
        Kind::File(_) => 4,
        Kind::Symlink(_) => 7,
    }
}

fn size(node: &Node) -> u64 {
    match &node.kind {
        Kind::File(content) => content.len(),
        Kind::Symlink(target) => target.len() as u64,
        Kind::Directory(_) | Kind::Null => 0,
    }
}

/// WASI's `filestat` of `id`.
pub(super) fn filestat(host: &Host, id: NodeId) -> Result<[u8; 64], Errno> {
    let node = host.files.tree.node(id)?;
    let mut stat = [0_u8; 64];
    let fields = [
        (0, 1),
        (8, id.number()),
        (24, u64::from(node.links)),
        (32, size(node)),
        (40, node.times.accessed),
        (48, node.times.modified),
        (56, node.times.changed),
    ];
    for (at, value) in fields {
        stat[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    stat[16] = file_type(node);
    Ok(stat)
}

pub(super) fn fd_filestat_get(host: &mut Host, memory: &mut [u8], fd: u32, result: u32) -> Done {
    let stat = match host.files.get(fd)?.target {
        Target::Node(id) => filestat(host, id)?,
        Target::Stdin | Target::Output(_) => {
            let mut stat = [0_u8; 64];
            // One link, and an inode of its own, away from those of files.
            stat[8..16].copy_from_slice(&(u64::MAX - u64::from(fd)).to_le_bytes());
            stat[24] = 1;
            stat
        }
    };
    Ok(write(memory, result, &stat)?)
}

pub(super) fn fd_filestat_set_times(
    host: &mut Host,
    _: &mut [u8],
    fd: u32,
    accessed: u64,
    modified: u64,
    flags: u32,
) -> Done {
    let id = host.files.get(fd)?.node()?;
    set_times(host, id, (accessed, modified), flags)
}

/// Sets times as WASI's `fstflags` say.
pub(super) fn set_times(
    host: &mut Host,
    id: NodeId,
    (accessed, modified): (u64, u64),
    flags: u32,
) -> Done {
    let now = host.clock.file_time();
    let node = host.files.tree.node_mut(id)?;
    if !node.writable {
        return Err(Errno::Rofs.into());
    }
    let pick = |set: u32, given| match (flags & set != 0, flags & (set << 1) != 0) {
        (true, true) => Err(Errno::Inval),
        (true, false) => Ok(Some(given)),
        (false, true) => Ok(Some(now)),
        (false, false) => Ok(None),
    };
    let (accessed, modified) = (pick(1, accessed)?, pick(4, modified)?);
    node.times.accessed = accessed.unwrap_or(node.times.accessed);
    node.times.modified = modified.unwrap_or(node.times.modified);
    node.times.changed = now;
    Ok(())
}

pub(super) fn fd_prestat_get(host: &mut Host, memory: &mut [u8], fd: u32, result: u32) -> Done {
    preopened(host, fd)?;
    write_u32(memory, result, 0)?;
    Ok(write_u32(memory, offset(result, 4)?, 1)?)
}

pub(super) fn fd_prestat_dir_name(
    host: &mut Host,
    memory: &mut [u8],
    fd: u32,
    ptr: u32,
    len: u32,
) -> Done {
    preopened(host, fd)?;
    if len < 1 {
        return Err(Errno::Nametoolong.into());
    }
    Ok(write(memory, ptr, b"/")?)
}

fn preopened(host: &Host, fd: u32) -> Result<(), Errno> {
    let root = Target::Node(host.files.tree.root());
    if fd == ROOT_FD && host.files.get(fd)?.target == root {
        Ok(())
    } else {
        Err(Errno::Badf)
    }
}

pub(super) fn fd_readdir(
    host: &mut Host,
    memory: &mut [u8],
    fd: u32,
    (buffer, len): (u32, u32),
    cookie: u64,
    result: u32,
) -> Done {
    let id = host.files.directory(fd)?;
    let tree = &host.files.tree;
    let directory = tree.directory(id)?;
    // Cookies 1 and 2 follow the two entries every directory has; the directory's own come after.
    let dots = [(1, ".", id), (2, "..", directory.parent())];
    let rest = directory
        .entries_after(cookie.saturating_sub(2))
        .map(|(cookie, name, node)| (cookie + 2, name, node));
    let mut used = 0_u32;
    let mut entries = 0_u64;
    for (next, name, node) in dots.into_iter().filter(|dot| dot.0 > cookie).chain(rest) {
        let name_len = u32::try_from(name.len()).map_err(|_| OutOfBounds)?;
        let mut entry = Vec::with_capacity(24 + name.len());
        entry.extend_from_slice(&u64::to_le_bytes(next));
        entry.extend_from_slice(&node.number().to_le_bytes());
        entry.extend_from_slice(&name_len.to_le_bytes());
        entry.extend_from_slice(&[file_type(tree.node(node)?), 0, 0, 0]);
        entry.extend_from_slice(name.as_bytes());
        // The last entry may be cut: the guest reads it again from the cookie before.
        let room = (len - used) as usize;
        let part = entry.get(..room).unwrap_or(&entry);
        write(memory, offset(buffer, used)?, part)?;
        used += u32::try_from(part.len()).map_err(|_| OutOfBounds)?;
        entries += 1;
        if used == len {
            break;
        }
    }
    host.charge(entries.saturating_mul(200).saturating_add(used.into()));
    Ok(write_u32(memory, result, used)?)
}
