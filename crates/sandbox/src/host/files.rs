//! The descriptors an execution has open.

use bytes::Bytes;
use sandgate_core::{Limits, OutputStream, TaskFile, check_relative_path};

use super::content::{Content, Quota};
use super::errno::Errno;
use super::tree::{Kind, NodeId, Place, Tree};

/// How many descriptors may be open at once.
const MAX_OPEN: usize = 256;

/// The preopened root.
pub(crate) const ROOT_FD: u32 = 3;

/// WASI's rights, as far as they mean something here.
pub(crate) mod rights {
    pub(crate) const FD_READ: u64 = 1 << 1;
    pub(crate) const FD_SEEK: u64 = 1 << 2;
    pub(crate) const FD_TELL: u64 = 1 << 5;
    pub(crate) const FD_WRITE: u64 = 1 << 6;
    pub(crate) const FD_ALLOCATE: u64 = 1 << 8;
    pub(crate) const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;
    /// Everything.
    pub(crate) const ALL: u64 = (1 << 30) - 1;
    /// What only a descriptor open for writing has.
    pub(crate) const WRITING: u64 = FD_WRITE | FD_ALLOCATE | FD_FILESTAT_SET_SIZE;
}

/// The flag of a descriptor that writes at the end.
pub(crate) const APPEND: u16 = 1;

/// What a descriptor is open on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Stdin,
    Output(OutputStream),
    Node(NodeId),
}

/// An open descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Descriptor {
    pub(crate) target: Target,
    pub(crate) position: u64,
    pub(crate) flags: u16,
    pub(crate) rights: u64,
    pub(crate) inheriting: u64,
}

impl Descriptor {
    fn stdio(target: Target, rights: u64) -> Self {
        Self {
            target,
            position: 0,
            flags: 0,
            rights: rights & !(rights::FD_SEEK | rights::FD_TELL),
            inheriting: 0,
        }
    }

    pub(crate) fn may(&self, right: u64) -> Result<(), Errno> {
        if self.rights & right == right {
            Ok(())
        } else {
            Err(Errno::Badf)
        }
    }

    /// The node it is open on.
    pub(crate) fn node(&self) -> Result<NodeId, Errno> {
        match self.target {
            Target::Node(node) => Ok(node),
            Target::Stdin | Target::Output(_) => Err(Errno::Inval),
        }
    }
}

/// The files of an execution: the tree, and what is open of it.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) tree: Tree,
    table: Vec<Option<Descriptor>>,
    pub(crate) stdin: Bytes,
}

impl Files {
    /// The tree with `inputs` in its work directory, and the four descriptors that are open from
    /// the start.
    pub(crate) fn new(inputs: &[TaskFile], stdin: Bytes, limits: &Limits, now: u64) -> Self {
        let mut tree = Tree::new(Quota::new(limits.file_bytes, limits.files), now);
        for input in inputs {
            // Requests were validated: what does not fit here has been refused before.
            let _ = place(&mut tree, input, now);
        }
        let root = Descriptor {
            target: Target::Node(tree.root()),
            position: 0,
            flags: 0,
            rights: rights::ALL & !rights::WRITING,
            inheriting: rights::ALL,
        };
        tree.opened(tree.root());
        let output = |stream| Descriptor::stdio(Target::Output(stream), rights::FD_WRITE);
        Self {
            tree,
            table: vec![
                Some(Descriptor::stdio(Target::Stdin, rights::FD_READ)),
                Some(output(OutputStream::Stdout)),
                Some(output(OutputStream::Stderr)),
                Some(root),
            ],
            stdin,
        }
    }

    pub(crate) fn get(&self, fd: u32) -> Result<&Descriptor, Errno> {
        usize::try_from(fd)
            .ok()
            .and_then(|index| self.table.get(index)?.as_ref())
            .ok_or(Errno::Badf)
    }

    pub(crate) fn get_mut(&mut self, fd: u32) -> Result<&mut Descriptor, Errno> {
        usize::try_from(fd)
            .ok()
            .and_then(|index| self.table.get_mut(index)?.as_mut())
            .ok_or(Errno::Badf)
    }

    /// The directory that paths relative to `fd` start in.
    pub(crate) fn directory(&self, fd: u32) -> Result<NodeId, Errno> {
        let node = self.get(fd)?.node().map_err(|_| Errno::Notdir)?;
        self.tree.directory(node).map(|_| node)
    }

    /// Opens a descriptor, on the lowest free number.
    pub(crate) fn open(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        let free = self.table.iter().position(Option::is_none);
        let index = free.unwrap_or(self.table.len());
        if index >= MAX_OPEN {
            return Err(Errno::Mfile);
        }
        if let Target::Node(node) = descriptor.target {
            self.tree.opened(node);
        }
        match self.table.get_mut(index) {
            Some(slot) => *slot = Some(descriptor),
            None => self.table.push(Some(descriptor)),
        }
        u32::try_from(index).map_err(|_| Errno::Mfile)
    }

    pub(crate) fn close(&mut self, fd: u32) -> Result<(), Errno> {
        let closed = usize::try_from(fd)
            .ok()
            .and_then(|index| self.table.get_mut(index)?.take())
            .ok_or(Errno::Badf)?;
        if let Target::Node(node) = closed.target {
            self.tree.closed(node);
        }
        Ok(())
    }

    /// Moves the descriptor `from` to the number `to`, closing what was open there.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Result<(), Errno> {
        self.get(from)?;
        self.get(to)?;
        if from == to {
            return Ok(());
        }
        self.close(to)?;
        let moved = usize::try_from(from)
            .ok()
            .and_then(|index| self.table.get_mut(index)?.take());
        if let Some(slot) = usize::try_from(to)
            .ok()
            .and_then(|index| self.table.get_mut(index))
        {
            *slot = moved;
        }
        Ok(())
    }
}

/// Puts an input file in the work directory. Its bytes stay shared with the request.
fn place(tree: &mut Tree, input: &TaskFile, now: u64) -> Result<(), Errno> {
    check_relative_path(&input.path).map_err(|_| Errno::Inval)?;
    let work = tree.work();
    let make_directory = |tree: &mut Tree, at: Place| match at.node {
        Some(_) => Ok(()),
        None => tree.create_directory(&at, now).map(|_| ()),
    };
    for (end, _) in input.path.match_indices('/') {
        let parent = input.path.get(..end).ok_or(Errno::Inval)?;
        let at = tree.resolve(work, parent, false)?;
        make_directory(tree, at)?;
    }
    let at = tree.resolve(work, &input.path, false)?;
    tree.quota.take_bytes(input.content.len() as u64)?;
    let content = Content::Shared(input.content.clone());
    tree.create(&at, Kind::File(content), now).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        let inputs = [
            ("data/a.csv", &b"1,2"[..]),
            ("../escape", b"x"),
            ("/etc/passwd", b"x"),
        ];
        let inputs = inputs.map(|(path, content)| TaskFile {
            path: path.to_owned(),
            content: Bytes::from_static(content),
        });
        Files::new(&inputs, Bytes::new(), &Limits::DEFAULT, 0)
    }

    #[test]
    fn inputs_are_in_the_work_directory_and_nowhere_else() {
        let files = files();
        let root = files.tree.root();
        assert!(files.tree.find(root, "/work/data/a.csv", true).is_ok());
        for path in ["/escape", "/etc", "/work/etc"] {
            assert_eq!(
                files.tree.find(root, path, true),
                Err(Errno::Noent),
                "{path}"
            );
        }
    }

    #[test]
    fn descriptors_are_bounded_and_reused() {
        let mut files = files();
        let node = files
            .tree
            .find(files.tree.root(), "/work/data/a.csv", true)
            .unwrap();
        let descriptor = Descriptor {
            target: Target::Node(node),
            position: 0,
            flags: 0,
            rights: rights::ALL,
            inheriting: 0,
        };
        for expected in 4..256 {
            assert_eq!(files.open(descriptor), Ok(expected));
        }
        assert_eq!(files.open(descriptor), Err(Errno::Mfile));
        files.close(17).unwrap();
        assert_eq!(files.close(17), Err(Errno::Badf));
        assert_eq!(files.open(descriptor), Ok(17));
        files.renumber(17, 1).unwrap();
        assert!(files.get(17).is_err());
        assert_eq!(
            files.get(1).map(|d| d.target).ok(),
            Some(Target::Node(node))
        );
        assert_eq!(files.renumber(17, 1), Err(Errno::Badf));
        assert_eq!(files.close(u32::MAX), Err(Errno::Badf));
    }
}
