//! The tree of files an execution sees. All of it is in memory; nothing in it is the host's.

mod node;

pub(crate) use self::node::{Directory, Kind, Node, NodeId, Times};
use super::content::{Content, Quota};
use super::errno::Errno;

/// The longest path in one call, in bytes.
const MAX_PATH: usize = 4_096;
/// The longest name.
const MAX_NAME: usize = 255;
/// Symbolic links followed in one path.
const MAX_LINKS: u32 = 40;

/// Where a path leads.
#[derive(Debug)]
pub(crate) struct Place {
    /// The directory that holds, or would hold, the name.
    pub(crate) parent: NodeId,
    /// The last name; none where the path ends in `.`, `..` or `/`.
    pub(crate) name: Option<String>,
    /// What is there.
    pub(crate) node: Option<NodeId>,
    /// The path can only mean a directory.
    pub(crate) wants_directory: bool,
}

/// The tree.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Option<Node>>,
    free: Vec<usize>,
    pub(crate) quota: Quota,
    work: NodeId,
}

impl Tree {
    /// `/`, with `/work` and `/tmp` for the guest and a `/dev/null`. All else is read-only.
    pub(crate) fn new(quota: Quota, now: u64) -> Self {
        let mut tree = Self {
            nodes: Vec::with_capacity(8),
            free: Vec::new(),
            quota,
            work: NodeId(0),
        };
        let root = tree.add(Kind::Directory(Directory::new(NodeId(0))), false, now);
        let mut attach = |parent, name: &str, kind, writable| {
            let node = tree.add(kind, writable, now);
            if let Ok(directory) = tree.directory_mut(parent) {
                directory.insert(name, node);
            }
            node
        };
        let work = attach(root, "work", Kind::Directory(Directory::new(root)), true);
        attach(root, "tmp", Kind::Directory(Directory::new(root)), true);
        let dev = attach(root, "dev", Kind::Directory(Directory::new(root)), false);
        attach(dev, "null", Kind::Null, true);
        tree.work = work;
        tree
    }

    pub(crate) fn root(&self) -> NodeId {
        NodeId(0)
    }

    /// The work directory.
    pub(crate) fn work(&self) -> NodeId {
        self.work
    }

    fn add(&mut self, kind: Kind, writable: bool, now: u64) -> NodeId {
        let node = Some(Node {
            kind,
            times: Times::at(now),
            writable,
            links: 1,
            opens: 0,
        });
        match self.free.pop() {
            Some(index) if index < self.nodes.len() => {
                if let Some(slot) = self.nodes.get_mut(index) {
                    *slot = node;
                }
                NodeId(index)
            }
            _ => {
                self.nodes.push(node);
                NodeId(self.nodes.len() - 1)
            }
        }
    }

    pub(crate) fn node(&self, id: NodeId) -> Result<&Node, Errno> {
        self.nodes
            .get(id.0)
            .and_then(Option::as_ref)
            .ok_or(Errno::Noent)
    }

    pub(crate) fn node_mut(&mut self, id: NodeId) -> Result<&mut Node, Errno> {
        self.nodes
            .get_mut(id.0)
            .and_then(Option::as_mut)
            .ok_or(Errno::Noent)
    }

    /// A file's content and the quota it is under.
    pub(crate) fn content_mut(&mut self, id: NodeId) -> Result<(&mut Content, &mut Quota), Errno> {
        let node = self
            .nodes
            .get_mut(id.0)
            .and_then(Option::as_mut)
            .ok_or(Errno::Noent)?;
        match &mut node.kind {
            Kind::File(content) => Ok((content, &mut self.quota)),
            Kind::Directory(_) => Err(Errno::Isdir),
            Kind::Symlink(_) | Kind::Null => Err(Errno::Inval),
        }
    }

    pub(crate) fn directory(&self, id: NodeId) -> Result<&Directory, Errno> {
        match &self.node(id)?.kind {
            Kind::Directory(directory) => Ok(directory),
            Kind::File(_) | Kind::Symlink(_) | Kind::Null => Err(Errno::Notdir),
        }
    }

    fn directory_mut(&mut self, id: NodeId) -> Result<&mut Directory, Errno> {
        match &mut self.node_mut(id)?.kind {
            Kind::Directory(directory) => Ok(directory),
            Kind::File(_) | Kind::Symlink(_) | Kind::Null => Err(Errno::Notdir),
        }
    }

    fn is_directory(&self, id: NodeId) -> bool {
        self.directory(id).is_ok()
    }

    /// Follows `path` from the directory `base`. `..` above the root is the root, and links lead
    /// within the tree like any other path, so there is nowhere else to get to.
    pub(crate) fn resolve(&self, base: NodeId, path: &str, follow: bool) -> Result<Place, Errno> {
        if path.is_empty() {
            return Err(Errno::Noent);
        }
        if path.len() > MAX_PATH {
            return Err(Errno::Nametoolong);
        }
        if path.contains('\0') {
            return Err(Errno::Inval);
        }
        let start = |path: &str, from| {
            if path.starts_with('/') {
                self.root()
            } else {
                from
            }
        };
        let wants_directory = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
        let mut place = Place {
            parent: base,
            name: None,
            node: Some(start(path, base)),
            wants_directory,
        };
        let mut links = 0;
        let mut rest: Vec<&str> = components(path).rev().collect();
        while let Some(component) = rest.pop() {
            let here = place.node.ok_or(Errno::Noent)?;
            let directory = self.directory(here)?;
            if component == "." || component == ".." {
                place.node = Some(if component == "." {
                    here
                } else {
                    directory.parent
                });
                place.parent = here;
                place.name = None;
                continue;
            }
            if component.len() > MAX_NAME {
                return Err(Errno::Nametoolong);
            }
            let found = directory.get(component);
            let through = !rest.is_empty() || follow || wants_directory;
            if through && let Some(Kind::Symlink(target)) = found.map(|id| self.kind(id)) {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Errno::Loop);
                }
                rest.extend(components(target).rev());
                place.node = Some(start(target, here));
                place.name = None;
                continue;
            }
            place.parent = here;
            place.name = Some(component.to_owned());
            place.node = found;
        }
        if wants_directory && place.node.is_some_and(|id| !self.is_directory(id)) {
            return Err(Errno::Notdir);
        }
        Ok(place)
    }

    fn kind(&self, id: NodeId) -> &Kind {
        self.node(id).map_or(&Kind::Null, |node| &node.kind)
    }

    /// What is at `path`.
    #[cfg(test)]
    pub(crate) fn find(&self, base: NodeId, path: &str, follow: bool) -> Result<NodeId, Errno> {
        self.resolve(base, path, follow)?.node.ok_or(Errno::Noent)
    }

    fn check_writable(&self, id: NodeId) -> Result<(), Errno> {
        if self.node(id)?.writable {
            Ok(())
        } else {
            Err(Errno::Rofs)
        }
    }

    /// Adds the name `place` ends in, for a new node.
    pub(crate) fn create(&mut self, place: &Place, kind: Kind, now: u64) -> Result<NodeId, Errno> {
        let name = place.name.as_deref().ok_or(Errno::Exist)?;
        if place.node.is_some() {
            return Err(Errno::Exist);
        }
        if place.wants_directory && !matches!(kind, Kind::Directory(_)) {
            return Err(Errno::Noent);
        }
        self.check_attached(place.parent)?;
        self.quota.take_entry()?;
        let node = self.add(kind, true, now);
        self.directory_mut(place.parent)?.insert(name, node);
        self.touch(place.parent, now);
        Ok(node)
    }

    pub(crate) fn create_directory(&mut self, place: &Place, now: u64) -> Result<NodeId, Errno> {
        let kind = Kind::Directory(Directory::new(place.parent));
        self.create(place, kind, now)
    }

    /// Whether entries may be added to the directory: it is the guest's, and was not removed.
    fn check_attached(&self, directory: NodeId) -> Result<(), Errno> {
        self.check_writable(directory)?;
        if self.node(directory)?.links == 0 {
            return Err(Errno::Noent);
        }
        Ok(())
    }

    fn touch(&mut self, id: NodeId, now: u64) {
        if let Ok(node) = self.node_mut(id) {
            node.times.modified = now;
            node.times.changed = now;
        }
    }

    /// Removes the name `place` ends in: of a directory, or of anything else.
    pub(crate) fn remove(&mut self, place: &Place, directory: bool, now: u64) -> Result<(), Errno> {
        let node = place.node.ok_or(Errno::Noent)?;
        let name = place.name.as_deref().ok_or(Errno::Busy)?;
        self.check_writable(place.parent)?;
        self.check_removable(node, directory)?;
        self.directory_mut(place.parent)?.remove(name);
        self.touch(place.parent, now);
        self.unlink(node, now);
        Ok(())
    }

    /// Whether a name of `node` may go: where a directory's is meant, of an empty directory; else of
    /// anything else.
    fn check_removable(&self, node: NodeId, directory: bool) -> Result<(), Errno> {
        match (self.directory(node), directory) {
            (Ok(found), true) if !found.is_empty() => Err(Errno::Notempty),
            (Ok(_), true) | (Err(_), false) => Ok(()),
            (Ok(_), false) => Err(Errno::Isdir),
            (Err(_), true) => Err(Errno::Notdir),
        }
    }

    /// One name less for `node`.
    fn unlink(&mut self, node: NodeId, now: u64) {
        self.quota.give_entry();
        if let Ok(found) = self.node_mut(node) {
            found.links = found.links.saturating_sub(1);
            found.times.changed = now;
        }
        self.collect(node);
    }

    /// Gives `node` a second name.
    pub(crate) fn link(&mut self, node: NodeId, place: &Place, now: u64) -> Result<(), Errno> {
        let name = place.name.as_deref().ok_or(Errno::Exist)?;
        if place.node.is_some() {
            return Err(Errno::Exist);
        }
        if self.is_directory(node) || !self.node(node)?.writable {
            return Err(Errno::Perm);
        }
        self.check_attached(place.parent)?;
        self.quota.take_entry()?;
        self.directory_mut(place.parent)?.insert(name, node);
        self.node_mut(node)?.links += 1;
        self.touch(place.parent, now);
        Ok(())
    }

    /// Moves the name at `from` to `to`, replacing what can be replaced.
    pub(crate) fn rename(&mut self, from: &Place, to: &Place, now: u64) -> Result<(), Errno> {
        let node = from.node.ok_or(Errno::Noent)?;
        let (Some(old), Some(new)) = (from.name.as_deref(), to.name.as_deref()) else {
            return Err(Errno::Busy);
        };
        self.check_writable(from.parent)?;
        self.check_attached(to.parent)?;
        let moves_directory = self.is_directory(node);
        if to.wants_directory && !moves_directory {
            return Err(Errno::Notdir);
        }
        if moves_directory && self.is_within(to.parent, node) {
            return Err(Errno::Inval);
        }
        if to.node == Some(node) {
            return Ok(());
        }
        if let Some(replaced) = to.node {
            self.check_removable(replaced, moves_directory)?;
        }
        self.directory_mut(from.parent)?.remove(old);
        self.directory_mut(to.parent)?.insert(new, node);
        if let Ok(directory) = self.directory_mut(node) {
            directory.parent = to.parent;
        }
        if let Some(replaced) = to.node {
            self.unlink(replaced, now);
        }
        self.touch(from.parent, now);
        self.touch(to.parent, now);
        Ok(())
    }

    /// Whether `id` is `ancestor` or below it.
    fn is_within(&self, mut id: NodeId, ancestor: NodeId) -> bool {
        while id != ancestor {
            match self.directory(id) {
                Ok(directory) if id != self.root() => id = directory.parent,
                Ok(_) | Err(_) => return false,
            }
        }
        true
    }

    /// One descriptor more on `id`.
    pub(crate) fn opened(&mut self, id: NodeId) {
        if let Ok(node) = self.node_mut(id) {
            node.opens += 1;
        }
    }

    /// One descriptor less on `id`.
    pub(crate) fn closed(&mut self, id: NodeId) {
        if let Ok(node) = self.node_mut(id) {
            node.opens = node.opens.saturating_sub(1);
        }
        self.collect(id);
    }

    /// Frees a node that nothing refers to any more.
    fn collect(&mut self, id: NodeId) {
        let Some(slot) = self.nodes.get_mut(id.0) else {
            return;
        };
        if let Some(node) = slot.take_if(|node| node.links == 0 && node.opens == 0) {
            if let Kind::File(content) = node.kind {
                self.quota.give_bytes(content.len());
            }
            self.free.push(id.0);
        }
    }

    /// Takes a file's content out of the tree.
    pub(crate) fn take_content(&mut self, id: NodeId) -> Option<Content> {
        match &mut self.node_mut(id).ok()?.kind {
            Kind::File(content) => {
                // A file with several names gives its bytes to each of them.
                let bytes = std::mem::replace(content, Content::empty()).into_bytes();
                *content = Content::Shared(bytes.clone());
                Some(Content::Shared(bytes))
            }
            Kind::Directory(_) | Kind::Symlink(_) | Kind::Null => None,
        }
    }
}

fn components(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|component| !component.is_empty())
}

#[cfg(test)]
mod tests;
