//! What a bucket holds, page by page.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use s3s::dto::{CommonPrefix, Object, Timestamp};

use super::keys::key_of;

/// Most entries of a page, as S3 has it.
const MAX_KEYS: i32 = 1000;

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub(super) prefix: String,
    pub(super) delimiter: Option<String>,
    /// Keys up to this one are left out.
    pub(super) start_after: Option<String>,
    /// Where the page before ended: a key or a common prefix.
    pub(super) marker: Option<String>,
    pub(super) max_keys: Option<i32>,
}

/// A part of the answer.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) objects: Vec<Object>,
    pub(super) prefixes: Vec<CommonPrefix>,
    /// The marker of the next page, if there is one.
    pub(super) next: Option<String>,
    pub(super) max_keys: i32,
}

impl Page {
    /// How many entries it has.
    pub(super) fn len(&self) -> i32 {
        i32::try_from(self.objects.len() + self.prefixes.len()).unwrap_or(i32::MAX)
    }
}

/// Reads the bucket's folder and picks the page out.
pub(super) fn list(bucket: &Path, query: &Query) -> io::Result<Page> {
    Ok(page(read(bucket)?, query))
}

fn read(bucket: &Path) -> io::Result<Vec<Object>> {
    let mut objects = Vec::new();
    let mut folders = vec![bucket.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // Somebody removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder != bucket => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                folders.push(path);
                continue;
            }
            let (Some(key), Ok(metadata)) = (key_of(bucket, &path), entry.metadata()) else {
                continue;
            };
            objects.push(Object {
                key: Some(key),
                last_modified: metadata.modified().ok().map(Timestamp::from),
                size: i64::try_from(metadata.len()).ok(),
                ..Object::default()
            });
        }
    }
    Ok(objects)
}

fn page(objects: Vec<Object>, query: &Query) -> Page {
    let mut entries: BTreeMap<String, Option<Object>> = BTreeMap::new();
    for object in objects {
        let Some(key) = object.key.clone() else {
            continue;
        };
        let Some(rest) = key.strip_prefix(&query.prefix) else {
            continue;
        };
        if query
            .start_after
            .as_ref()
            .is_some_and(|after| key <= *after)
        {
            continue;
        }
        let delimiter = query
            .delimiter
            .as_deref()
            .filter(|delimiter| !delimiter.is_empty());
        let group = delimiter.and_then(|delimiter| {
            let end = rest.find(delimiter)? + delimiter.len();
            Some(format!("{}{}", query.prefix, &rest[..end]))
        });
        match group {
            Some(group) => entries.insert(group, None),
            None => entries.insert(key, Some(object)),
        };
    }
    let max_keys = query.max_keys.unwrap_or(MAX_KEYS).clamp(0, MAX_KEYS);
    let mut page = Page {
        max_keys,
        ..Page::default()
    };
    let mut last = None;
    for (name, object) in entries {
        if query.marker.as_ref().is_some_and(|marker| name <= *marker) {
            continue;
        }
        if page.len() == max_keys {
            // A page of no entries has no end to go on from.
            page.next = last;
            break;
        }
        match object {
            Some(object) => page.objects.push(object),
            None => page.prefixes.push(CommonPrefix {
                prefix: Some(name.clone()),
            }),
        }
        last = Some(name);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(page: &Page) -> (Vec<&str>, Vec<&str>) {
        let keys = page
            .objects
            .iter()
            .filter_map(|object| object.key.as_deref());
        let prefixes = page
            .prefixes
            .iter()
            .filter_map(|prefix| prefix.prefix.as_deref());
        (keys.collect(), prefixes.collect())
    }

    fn objects() -> Vec<Object> {
        ["b/1", "a", "b/2", "c", "b/x/1", "d/"]
            .into_iter()
            .map(|key| Object {
                key: Some(key.to_owned()),
                ..Object::default()
            })
            .collect()
    }

    #[test]
    fn groups_and_keys_come_in_one_order_page_by_page() {
        let mut query = Query {
            delimiter: Some("/".to_owned()),
            max_keys: Some(2),
            ..Query::default()
        };
        let first = page(objects(), &query);
        assert_eq!(names(&first), (vec!["a"], vec!["b/"]));
        assert_eq!(first.next.as_deref(), Some("b/"));
        query.marker = first.next;
        let second = page(objects(), &query);
        assert_eq!(names(&second), (vec!["c"], vec!["d/"]));
        assert_eq!(second.next, None);
    }

    #[test]
    fn a_prefix_narrows_and_a_start_leaves_out() {
        let query = Query {
            prefix: "b/".to_owned(),
            delimiter: Some("/".to_owned()),
            start_after: Some("b/1".to_owned()),
            ..Query::default()
        };
        assert_eq!(names(&page(objects(), &query)), (vec!["b/2"], vec!["b/x/"]));
    }

    #[test]
    fn a_page_of_nothing_is_the_last() {
        let query = Query {
            max_keys: Some(0),
            ..Query::default()
        };
        let page = page(objects(), &query);
        assert_eq!((page.len(), page.next), (0, None));
    }
}
