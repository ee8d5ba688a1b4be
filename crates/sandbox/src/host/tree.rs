//! The tree of files an execution sees. All of it is in memory; nothing in it is the host's.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::content::{Content, Quota};
use super::errno::Errno;

/// The longest path in one call, in bytes.
const MAX_PATH: usize = 4_096;
/// The longest name.
const MAX_NAME: usize = 255;
/// Symbolic links followed in one path.
const MAX_LINKS: u32 = 40;

/// A file or directory: its inode number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(usize);

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
    fn at(now: u64) -> Self {
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
    opens: u32,
}

/// A directory's entries: by name, and in the order they were made, which is the order of reading
/// it: a cookie stays right whatever is added or removed meanwhile.
#[derive(Debug)]
pub(crate) struct Directory {
    parent: NodeId,
    names: BTreeMap<Arc<str>, (NodeId, u64)>,
    order: BTreeMap<u64, Arc<str>>,
    next: u64,
}

impl Directory {
    fn new(parent: NodeId) -> Self {
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

    fn get(&self, name: &str) -> Option<NodeId> {
        self.names.get(name).map(|(node, _)| *node)
    }

    fn insert(&mut self, name: &str, node: NodeId) {
        let name: Arc<str> = name.into();
        self.remove(&name);
        self.order.insert(self.next, Arc::clone(&name));
        self.names.insert(name, (node, self.next));
        self.next += 1;
    }

    fn remove(&mut self, name: &str) {
        if let Some((_, order)) = self.names.remove(name) {
            self.order.remove(&order);
        }
    }

    /// The entries made after the one with cookie `after`, each with its own.
    pub(crate) fn entries_after(&self, after: u64) -> impl Iterator<Item = (u64, &str, NodeId)> {
        self.order
            .range((Bound::Excluded(after), Bound::Unbounded))
            .filter_map(|(cookie, name)| Some((*cookie, &**name, self.get(name)?)))
    }
}

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
        match (self.directory(node), directory) {
            (Ok(found), true) if !found.names.is_empty() => return Err(Errno::Notempty),
            (Ok(_), true) | (Err(_), false) => {}
            (Ok(_), false) => return Err(Errno::Isdir),
            (Err(_), true) => return Err(Errno::Notdir),
        }
        self.directory_mut(place.parent)?.remove(name);
        self.touch(place.parent, now);
        self.unlink(node, now);
        Ok(())
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
            match (self.directory(replaced), moves_directory) {
                (Ok(found), true) if !found.names.is_empty() => return Err(Errno::Notempty),
                (Ok(_), true) | (Err(_), false) => {}
                (Ok(_), false) => return Err(Errno::Isdir),
                (Err(_), true) => return Err(Errno::Notdir),
            }
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
mod tests {
    use super::*;

    fn tree() -> Tree {
        Tree::new(Quota::new(1_000, 10), 0)
    }

    fn at(tree: &Tree, path: &str) -> Place {
        tree.resolve(tree.root(), path, false).unwrap()
    }

    fn file(tree: &mut Tree, path: &str) -> Result<NodeId, Errno> {
        let place = tree.resolve(tree.root(), path, false)?;
        tree.create(&place, Kind::File(Content::empty()), 1)
    }

    #[test]
    fn no_path_leads_out_of_the_tree() {
        let mut tree = tree();
        let inside = file(&mut tree, "/work/x").unwrap();
        for path in [
            "../../../../work/x",
            "/../work/./x",
            "tmp/../work/x",
            "work//x",
            "/work/../../work/x",
        ] {
            assert_eq!(tree.find(tree.root(), path, true), Ok(inside), "{path}");
        }
        for (path, errno) in [
            ("etc/passwd", Errno::Noent),
            ("../../etc/passwd", Errno::Noent),
            ("/work/x/..", Errno::Notdir),
            ("/work/x/", Errno::Notdir),
            ("", Errno::Noent),
            ("work/\0", Errno::Inval),
        ] {
            assert_eq!(tree.find(tree.root(), path, true), Err(errno), "{path:?}");
        }
        assert_eq!(
            tree.find(tree.root(), &"a/".repeat(3_000), true),
            Err(Errno::Nametoolong)
        );
        assert_eq!(
            tree.find(tree.root(), &"a".repeat(256), true),
            Err(Errno::Nametoolong)
        );
    }

    #[test]
    fn symlinks_stay_inside_and_end() {
        let mut tree = tree();
        let inside = file(&mut tree, "/work/x").unwrap();
        for (name, target) in [
            ("/work/up", "../../../../work"),
            ("/work/a", "b"),
            ("/work/b", "a"),
            ("/work/abs", "/work/x"),
        ] {
            let place = at(&tree, name);
            tree.create(&place, Kind::Symlink(target.into()), 1)
                .unwrap();
        }
        assert_eq!(tree.find(tree.root(), "/work/up/x", true), Ok(inside));
        assert_eq!(tree.find(tree.root(), "/work/abs", true), Ok(inside));
        assert_ne!(tree.find(tree.root(), "/work/abs", false), Ok(inside));
        assert_eq!(tree.find(tree.root(), "/work/a", true), Err(Errno::Loop));
    }

    #[test]
    fn only_work_and_tmp_can_be_changed() {
        let mut tree = tree();
        for path in ["/x", "/dev/x", "/work"] {
            assert!(file(&mut tree, path).is_err(), "{path}");
        }
        for path in ["/work", "/tmp", "/dev/null"] {
            let place = at(&tree, path);
            assert_eq!(tree.remove(&place, true, 1), Err(Errno::Rofs), "{path}");
        }
        let (dot, root) = (at(&tree, "/work/."), at(&tree, "/"));
        assert_eq!(tree.remove(&dot, true, 1), Err(Errno::Busy));
        assert_eq!(tree.remove(&root, true, 1), Err(Errno::Busy));
    }

    #[test]
    fn entries_are_counted_and_given_back() {
        let mut tree = tree();
        for index in 0..10 {
            file(&mut tree, &format!("/work/{index}")).unwrap();
        }
        assert_eq!(file(&mut tree, "/work/more"), Err(Errno::Nospc));
        let place = at(&tree, "/work/3");
        tree.remove(&place, false, 1).unwrap();
        assert!(file(&mut tree, "/tmp/more").is_ok());
    }

    #[test]
    fn an_open_file_keeps_its_bytes_until_it_is_closed() {
        let mut tree = tree();
        let id = file(&mut tree, "/work/x").unwrap();
        tree.opened(id);
        let (content, quota) = tree.content_mut(id).unwrap();
        content.write(0, &[1; 600], quota).unwrap();
        let place = at(&tree, "/work/x");
        tree.remove(&place, false, 1).unwrap();
        assert_eq!(tree.quota.bytes_left(), 400);
        tree.closed(id);
        assert_eq!(tree.quota.bytes_left(), 1_000);
    }

    #[test]
    fn a_directory_cannot_move_into_itself() {
        let mut tree = tree();
        for path in ["/work/a", "/work/a/b"] {
            let place = at(&tree, path);
            tree.create_directory(&place, 1).unwrap();
        }
        let (a, below) = (at(&tree, "/work/a"), at(&tree, "/work/a/b/c"));
        assert_eq!(tree.rename(&a, &below, 1), Err(Errno::Inval));
        let (b, up) = (at(&tree, "/work/a/b"), at(&tree, "/tmp/b"));
        tree.rename(&b, &up, 1).unwrap();
        assert_eq!(
            tree.find(tree.root(), "/tmp/b/..", true),
            tree.find(tree.root(), "/tmp", true)
        );
    }

    #[test]
    fn a_removed_directory_takes_no_entries() {
        let mut tree = tree();
        let place = at(&tree, "/work/a");
        let id = tree.create_directory(&place, 1).unwrap();
        tree.opened(id);
        let place = at(&tree, "/work/a");
        tree.remove(&place, true, 1).unwrap();
        let place = tree.resolve(id, "x", false).unwrap();
        assert!(
            tree.create(&place, Kind::File(Content::empty()), 1)
                .is_err()
        );
    }

    #[test]
    fn reading_a_directory_survives_changes() {
        let mut tree = tree();
        for name in ["c", "a", "b"] {
            file(&mut tree, &format!("/work/{name}")).unwrap();
        }
        let first = {
            let work = tree.directory(tree.work()).unwrap();
            work.entries_after(0)
                .next()
                .map(|(cookie, name, _)| (cookie, name.to_owned()))
        };
        let (cookie, name) = first.unwrap();
        let place = at(&tree, &format!("/work/{name}"));
        tree.remove(&place, false, 1).unwrap();
        let work = tree.directory(tree.work()).unwrap();
        let rest: Vec<_> = work
            .entries_after(cookie)
            .map(|(_, name, _)| name)
            .collect();
        assert_eq!((name.as_str(), rest), ("c", vec!["a", "b"]));
    }
}
