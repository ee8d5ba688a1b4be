//! What the tree is made of.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::super::content::Content;

/// A file or directory: its inode number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(pub(super) usize);

impl NodeId {
    /// The number that guests see.
    pub(crate) fn number(self) -> u64 {
        // Inode 0 reads as "no inode" in some libraries.
        self.0 as u64 + 1
    }
}

/// What a node is.
#[derive(Debug)]
pub(crate) enum Kind {
    File(Content),
    Directory(Directory),
    Symlink(Box<str>),
    /// `/dev/null`.
    Null,
}

/// When a node was last read, changed in content, and changed at all, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) accessed: u64,
    pub(crate) modified: u64,
    pub(crate) changed: u64,
}

impl Times {
    pub(super) fn at(now: u64) -> Self {
        Self {
            accessed: now,
            modified: now,
            changed: now,
        }
    }
}

/// A file, directory or link.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) times: Times,
    /// Whether the guest may change it.
    pub(crate) writable: bool,
    /// Names it has.
    pub(crate) links: u32,
    /// Descriptors it is open on.
    pub(super) opens: u32,
}

/// A directory's entries: by name, and in the order they were made, which is the order of reading
/// it: a cookie stays right whatever is added or removed meanwhile.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(super) parent: NodeId,
    names: BTreeMap<Arc<str>, (NodeId, u64)>,
    order: BTreeMap<u64, Arc<str>>,
    next: u64,
}

impl Directory {
    pub(super) fn new(parent: NodeId) -> Self {
        Self {
            parent,
            names: BTreeMap::new(),
            order: BTreeMap::new(),
            next: 1,
        }
    }

    pub(crate) fn parent(&self) -> NodeId {
        self.parent
    }

    pub(super) fn get(&self, name: &str) -> Option<NodeId> {
        self.names.get(name).map(|(node, _)| *node)
    }

    pub(super) fn insert(&mut self, name: &str, node: NodeId) {
        let name: Arc<str> = name.into();
        self.remove(&name);
        self.order.insert(self.next, Arc::clone(&name));
        self.names.insert(name, (node, self.next));
        self.next += 1;
    }

    pub(super) fn remove(&mut self, name: &str) {
        if let Some((_, order)) = self.names.remove(name) {
            self.order.remove(&order);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The entries made after the one with cookie `after`, each with its own.
    pub(crate) fn entries_after(&self, after: u64) -> impl Iterator<Item = (u64, &str, NodeId)> {
        self.order
            .range((Bound::Excluded(after), Bound::Unbounded))
            .filter_map(|(cookie, name)| Some((*cookie, &**name, self.get(name)?)))
    }
}
