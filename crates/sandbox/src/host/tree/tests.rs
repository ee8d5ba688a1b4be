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
