//! The files a guest left: what is new or changed in its work directory.

use std::collections::HashMap;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use bytes::Bytes;
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, chmodat, fchmod, fstat, openat, statat,
};
use rustix::io::Errno;
use rustix::path::Arg;
use sandgate_core::{Artifact, Task, check_relative_path};
use sandgate_zygote::lowered::{Wall, stands};

/// How it is opened: never through a link, never waiting for somebody else.
fn common() -> OFlags {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    if stands(Wall::PlainFiles) {
        flags | OFlags::NOFOLLOW
    } else {
        flags
    }
}

/// Takes the artifacts out of `work`, sorted by path, and says whether any had to stay behind: for
/// a name that is not safe outside, or over the task's limits. Nothing of the guest may run any
/// more. A guest that spoilt its folder has no artifacts.
pub(crate) fn collect(work: &Path, task: &Task) -> (Vec<Artifact>, bool) {
    let limited = stands(Wall::ArtifactLimits);
    let mut found = Found {
        inputs: task
            .files
            .iter()
            .map(|file| (file.path.as_str(), &file.content))
            .collect(),
        bytes_left: if limited {
            task.limits.file_bytes
        } else {
            u64::MAX
        },
        entries_left: if limited { task.limits.files } else { u32::MAX },
        artifacts: Vec::new(),
        truncated: false,
    };
    match open(CWD, work, OFlags::DIRECTORY) {
        Ok(folder) => found.folder(&folder, ""),
        Err(_) => found.truncated = true,
    }
    found.artifacts.sort_by(|a, b| a.path.cmp(&b.path));
    (found.artifacts, found.truncated)
}

/// Opens what is called `name` in a folder, whatever its owner made of the permissions.
fn open(folder: impl AsFd, name: impl Arg + Copy, more: OFlags) -> io::Result<OwnedFd> {
    let try_it = || openat(&folder, name, common() | more, Mode::empty());
    let opened = try_it().or_else(|error| {
        if error == Errno::ACCESS {
            // No link: that would be another error.
            chmodat(&folder, name, Mode::RWXU, AtFlags::empty())?;
            try_it()
        } else {
            Err(error)
        }
    })?;
    if more.contains(OFlags::DIRECTORY) {
        // A list can be read without it, but nothing that is on it.
        fchmod(&opened, Mode::RWXU)?;
    }
    Ok(opened)
}

struct Found<'a> {
    inputs: HashMap<&'a str, &'a Bytes>,
    bytes_left: u64,
    entries_left: u32,
    artifacts: Vec<Artifact>,
    truncated: bool,
}

impl Found<'_> {
    /// Goes no deeper than a safe path does.
    fn folder(&mut self, folder: &OwnedFd, prefix: &str) {
        let Ok(entries) = Dir::read_from(folder.as_fd()) else {
            self.truncated = true;
            return;
        };
        for entry in entries {
            let Ok(entry) = entry else {
                self.truncated = true;
                return;
            };
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Some(left) = self.entries_left.checked_sub(1) else {
                self.truncated = true;
                return;
            };
            self.entries_left = left;
            if self.entry(folder, name, prefix).is_err() {
                self.truncated = true;
            }
        }
    }

    fn entry(&mut self, folder: &OwnedFd, name: &CStr, prefix: &str) -> io::Result<()> {
        let looked_at = if stands(Wall::PlainFiles) {
            AtFlags::SYMLINK_NOFOLLOW
        } else {
            AtFlags::empty()
        };
        let stat = statat(folder, name, looked_at)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if !matches!(kind, FileType::RegularFile | FileType::Directory) {
            // Links, pipes and the like are no content.
            return Ok(());
        }
        let text = name.to_str().map_err(io::Error::other)?;
        let path = match prefix {
            "" => text.to_owned(),
            above => format!("{above}/{text}"),
        };
        if stands(Wall::SafeNames) {
            check_relative_path(&path).map_err(io::Error::other)?;
        }
        if kind == FileType::Directory {
            let inner = open(folder, name, OFlags::DIRECTORY)?;
            self.folder(&inner, &path);
            return Ok(());
        }
        self.file(open(folder, name, OFlags::empty())?, path)
    }

    fn file(&mut self, file: OwnedFd, path: String) -> io::Result<()> {
        let size = u64::try_from(fstat(&file)?.st_size).unwrap_or(u64::MAX);
        let input = self.inputs.get(path.as_str());
        let may_be_input = input.is_some_and(|input| input.len() as u64 == size);
        if size > self.bytes_left && !may_be_input {
            return Err(io::Error::other("over the limit"));
        }
        let mut content = Vec::new();
        File::from(file).take(size).read_to_end(&mut content)?;
        if input.is_some_and(|input| **input == content) {
            return Ok(());
        }
        self.bytes_left = self
            .bytes_left
            .checked_sub(content.len() as u64)
            .ok_or_else(|| io::Error::other("over the limit"))?;
        self.artifacts.push(Artifact::new(path, content.into()));
        Ok(())
    }
}
