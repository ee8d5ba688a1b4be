//! WASI's functions on paths.

use super::content::Content;
use super::errno::Errno;
use super::fd::{filestat, known_flags, set_times};
use super::files::{Descriptor, Target, rights};
use super::memory::{bytes, write, write_u32};
use super::tree::{Kind, NodeId, Place};
use super::{Fail, Host};

type Done = Result<(), Fail>;

const FOLLOW: u32 = 1;

const CREATE: u32 = 1;
const DIRECTORY: u32 = 2;
const EXCLUSIVE: u32 = 4;
const TRUNCATE: u32 = 8;

/// A path in the guest's memory: its address and length.
pub(super) type Path = (u32, u32);

/// No path is longer; the tree says so again.
const MAX_PATH: u32 = 4_096;

fn text(memory: &[u8], (ptr, len): Path) -> Result<&str, Fail> {
    let raw = bytes(memory, ptr, len)?;
    if len > MAX_PATH {
        return Err(Errno::Nametoolong.into());
    }
    Ok(std::str::from_utf8(raw).map_err(|_| Errno::Ilseq)?)
}

fn resolve(
    host: &mut Host,
    memory: &[u8],
    fd: u32,
    path: Path,
    follow: bool,
) -> Result<Place, Fail> {
    let path = text(memory, path)?;
    host.charge(path.len() as u64 * 20);
    let base = host.files.directory(fd)?;
    Ok(host.files.tree.resolve(base, path, follow)?)
}

fn find(host: &mut Host, memory: &[u8], fd: u32, path: Path, flags: u32) -> Result<NodeId, Fail> {
    let place = resolve(host, memory, fd, path, flags & FOLLOW != 0)?;
    Ok(place.node.ok_or(Errno::Noent)?)
}

pub(super) fn path_create_directory(
    host: &mut Host,
    memory: &mut [u8],
    fd: u32,
    path: Path,
) -> Done {
    let place = resolve(host, memory, fd, path, false)?;
    let now = host.clock.file_time();
    host.files.tree.create_directory(&place, now)?;
    Ok(())
}

pub(super) fn path_filestat_get(
    host: &mut Host,
    memory: &mut [u8],
    fd: u32,
    flags: u32,
    path: Path,
    result: u32,
) -> Done {
    let id = find(host, memory, fd, path, flags)?;
    let stat = filestat(host, id)?;
    Ok(write(memory, result, &stat)?)
}

pub(super) fn path_filestat_set_times(
    host: &mut Host,
    memory: &mut [u8],
    fd: u32,
    flags: u32,
    path: Path,
    times: (u64, u64),
    which: u32,
) -> Done {
    let id = find(host, memory, fd, path, flags)?;
    set_times(host, id, times, which)
}

pub(super) fn path_link(
    host: &mut Host,
    memory: &mut [u8],
    (old_fd, flags, old): (u32, u32, Path),
    (fd, path): (u32, Path),
) -> Done {
    let id = find(host, memory, old_fd, old, flags)?;
    let place = resolve(host, memory, fd, path, false)?;
    let now = host.clock.file_time();
    Ok(host.files.tree.link(id, &place, now)?)
}

pub(super) fn path_symlink(
    host: &mut Host,
    memory: &mut [u8],
    target: Path,
    fd: u32,
    path: Path,
) -> Done {
    let target: Box<str> = text(memory, target)?.into();
    if target.is_empty() || target.contains('\0') {
        return Err(Errno::Inval.into());
    }
    let place = resolve(host, memory, fd, path, false)?;
    let now = host.clock.file_time();
    host.files.tree.create(&place, Kind::Symlink(target), now)?;
    Ok(())
}

pub(super) fn path_readlink(
    host: &mut Host,
    memory: &mut [u8],
    fd: u32,
    path: Path,
    (buffer, len): (u32, u32),
    result: u32,
) -> Done {
    let id = find(host, memory, fd, path, 0)?;
    let target = match &host.files.tree.node(id)?.kind {
        Kind::Symlink(target) => target.as_bytes(),
        Kind::File(_) | Kind::Directory(_) | Kind::Null => return Err(Errno::Inval.into()),
    };
    let part = target.get(..len as usize).unwrap_or(target);
    write(memory, buffer, part)?;
    let count = u32::try_from(part.len()).map_err(|_| Errno::Inval)?;
    Ok(write_u32(memory, result, count)?)
}

pub(super) fn path_remove_directory(
    host: &mut Host,
    memory: &mut [u8],
    fd: u32,
    path: Path,
) -> Done {
    remove(host, memory, fd, path, true)
}

pub(super) fn path_unlink_file(host: &mut Host, memory: &mut [u8], fd: u32, path: Path) -> Done {
    remove(host, memory, fd, path, false)
}

fn remove(host: &mut Host, memory: &[u8], fd: u32, path: Path, directory: bool) -> Done {
    let place = resolve(host, memory, fd, path, false)?;
    let now = host.clock.file_time();
    Ok(host.files.tree.remove(&place, directory, now)?)
}

pub(super) fn path_rename(
    host: &mut Host,
    memory: &mut [u8],
    (from_fd, from): (u32, Path),
    (to_fd, to): (u32, Path),
) -> Done {
    let from = resolve(host, memory, from_fd, from, false)?;
    let to = resolve(host, memory, to_fd, to, false)?;
    let now = host.clock.file_time();
    Ok(host.files.tree.rename(&from, &to, now)?)
}

/// How a file shall be opened.
#[derive(Clone, Copy)]
pub(super) struct Open {
    pub(super) lookup: u32,
    pub(super) how: u32,
    pub(super) rights: u64,
    pub(super) inheriting: u64,
    pub(super) flags: u32,
}

pub(super) fn path_open(
    host: &mut Host,
    memory: &mut [u8],
    fd: u32,
    path: Path,
    open: Open,
    result: u32,
) -> Done {
    let flags = known_flags(open.flags)?;
    let parent_rights = host.files.get(fd)?.inheriting;
    let (create, exclusive) = (open.how & CREATE != 0, open.how & EXCLUSIVE != 0);
    let follow = open.lookup & FOLLOW != 0 && !(create && exclusive);
    let place = resolve(host, memory, fd, path, follow)?;
    let wants_directory = open.how & DIRECTORY != 0;
    let node = match place.node {
        Some(_) if create && exclusive => return Err(Errno::Exist.into()),
        Some(node) => node,
        None if create && !wants_directory => {
            let now = host.clock.file_time();
            host.files
                .tree
                .create(&place, Kind::File(Content::empty()), now)?
        }
        None => return Err(Errno::Noent.into()),
    };
    let found = host.files.tree.node(node)?;
    let (writable, writes) = (found.writable, open.rights & rights::FD_WRITE != 0);
    let mut granted = open.rights & parent_rights;
    match found.kind {
        Kind::Symlink(_) => return Err(Errno::Loop.into()),
        Kind::File(_) | Kind::Null if wants_directory => return Err(Errno::Notdir.into()),
        Kind::Directory(_) if open.how & TRUNCATE != 0 => return Err(Errno::Isdir.into()),
        Kind::Directory(_) => granted &= !rights::WRITING,
        Kind::File(_) | Kind::Null => {
            if !writable && (writes || open.how & TRUNCATE != 0) {
                return Err(Errno::Rofs.into());
            }
            if !writes {
                granted &= !rights::WRITING;
            }
        }
    }
    let descriptor = Descriptor {
        target: Target::Node(node),
        position: 0,
        flags,
        rights: granted,
        inheriting: open.inheriting & parent_rights,
    };
    let opened = host.files.open(descriptor)?;
    if open.how & TRUNCATE != 0
        && let Ok((content, quota)) = host.files.tree.content_mut(node)
    {
        content.resize(0, quota)?;
        let now = host.clock.file_time();
        host.files.tree.node_mut(node)?.times.modified = now;
    }
    Ok(write_u32(memory, result, opened)?)
}
