//! The YAML files of one commit, found within the same bounds as in a directory. Blocks.

use dunlin_manifest::File;
use gix::objs::tree::EntryKind;
use gix::{ObjectId, Repository, Tree};

use super::trouble::{Trouble, words};
use crate::files::{
    Listing, MAXIMUM_DEPTH, MAXIMUM_FILES, MAXIMUM_NAMES, MAXIMUM_SIZE, Refused, Unreadable, is_manifest,
    is_passed_over, not_utf8, too_large, too_many,
};

/// Links that lead to links are followed this often.
const HOPS: usize = 8;

/// Why the files of a commit cannot be read.
#[derive(Debug)]
pub(super) enum Unread {
    /// The clone lacks objects or holds broken ones.
    Damaged(String),
    /// The commit does not hold what is looked for.
    Not(Trouble),
}

/// Reads every `*.yaml` and `*.yml` under `path` (the root, if it is empty) of the tree of `commit`.
///
/// What a directory's reading passes over is passed over here. A submodule is another repository and not looked
/// into; a symbolic link is followed to a file of the same commit and nowhere else.
pub(super) fn read(clone: &Repository, commit: ObjectId, path: &str) -> Result<Listing, Unread> {
    let root = clone.find_object(commit).and_then(|object| object.peel_to_tree()).map_err(damaged)?;
    let mut tree = root.clone();
    if !path.is_empty() {
        let entry = root.lookup_entry_by_path(path).map_err(damaged)?;
        let Some(entry) = entry.filter(|entry| entry.mode().is_tree()) else {
            return Err(Unread::Not(Trouble::new(
                format!("it has no directory {path}"),
                "commit the manifests there, or name the directory that holds them",
            )));
        };
        tree = tree_of(clone, entry.object_id())?;
    }
    let mut walk = Walk { clone, root, names: 0, listing: Listing::default() };
    walk.directory(&tree, path, 0)?;
    walk.listing.revision = commit.to_string();
    Ok(walk.listing)
}

fn damaged(error: gix::Error) -> Unread {
    Unread::Damaged(words(&error))
}

fn refused(refused: Refused) -> Unread {
    Unread::Not(Trouble::new(refused.reason, refused.remedy))
}

fn tree_of(clone: &Repository, id: ObjectId) -> Result<Tree<'_>, Unread> {
    clone.find_tree(id).map_err(damaged)
}

/// Of a file that cannot be read; its path is for the caller to set.
fn unreadable(found: impl Into<String>) -> Unreadable {
    Unreadable { path: String::new(), found: found.into(), allowed: None, hint: None }
}

struct Walk<'a> {
    clone: &'a Repository,
    root: Tree<'a>,
    names: usize,
    listing: Listing,
}

impl Walk<'_> {
    fn directory(&mut self, tree: &Tree<'_>, path: &str, depth: usize) -> Result<(), Unread> {
        let mut entries = Vec::new();
        for entry in tree.iter() {
            let entry = entry.map_err(damaged)?;
            self.names += 1;
            if self.names > MAXIMUM_NAMES {
                return Err(refused(too_many(MAXIMUM_NAMES, "names")));
            }
            let kind = entry.mode().kind();
            // A name that is not UTF-8 is none that anybody gave a manifest.
            if let Ok(name) = std::str::from_utf8(entry.filename()) {
                entries.push((name.to_owned(), kind, entry.object_id()));
            }
        }
        if depth > 0 && entries.iter().any(|(name, ..)| name == "CACHEDIR.TAG") {
            return Ok(());
        }
        for (name, kind, id) in entries {
            if is_passed_over(&name) {
                continue;
            }
            let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            match kind {
                EntryKind::Tree if depth >= MAXIMUM_DEPTH => {
                    let found = format!("more than {MAXIMUM_DEPTH} directories one in another");
                    self.listing.unreadable.push(Unreadable { path, ..unreadable(found) });
                }
                EntryKind::Tree => self.directory(&tree_of(self.clone, id)?, &path, depth + 1)?,
                EntryKind::Blob | EntryKind::BlobExecutable | EntryKind::Link if is_manifest(&name) => {
                    if self.listing.files.len() + self.listing.unreadable.len() >= MAXIMUM_FILES {
                        return Err(refused(too_many(MAXIMUM_FILES, "YAML files")));
                    }
                    self.file(path, kind, id)?;
                }
                EntryKind::Commit | EntryKind::Blob | EntryKind::BlobExecutable | EntryKind::Link => {}
            }
        }
        Ok(())
    }

    fn file(&mut self, path: String, kind: EntryKind, id: ObjectId) -> Result<(), Unread> {
        let text = match self.target(&path, kind, id)? {
            Ok(id) => self.contents(id)?,
            Err(unreadable) => Err(unreadable),
        };
        match text {
            Ok(text) => self.listing.add(File { path, text }).map_err(refused)?,
            Err(unreadable) => self.listing.unreadable.push(Unreadable { path, ..unreadable }),
        }
        Ok(())
    }

    /// The file that is meant at `path`: what stands there, or what a link there leads to.
    fn target(
        &self,
        path: &str,
        mut kind: EntryKind,
        mut id: ObjectId,
    ) -> Result<Result<ObjectId, Unreadable>, Unread> {
        let mut at = path.to_owned();
        for _ in 0..HOPS {
            if kind != EntryKind::Link {
                return Ok(Ok(id));
            }
            let target = match self.contents(id)? {
                Ok(target) => resolve_link(&at, &target),
                Err(unreadable) => return Ok(Err(unreadable)),
            };
            let Some(target) = target else {
                let hint = Some("put the file itself there".into());
                let found = "a link that leads out of the repository";
                return Ok(Err(Unreadable { hint, ..unreadable(found) }));
            };
            let entry = self.root.lookup_entry_by_path(&target).map_err(damaged)?;
            let Some(entry) = entry.filter(|entry| !entry.mode().is_tree() && !entry.mode().is_commit())
            else {
                return Ok(Err(unreadable(format!("a link to {target}, which is no file of this commit"))));
            };
            (kind, id, at) = (entry.mode().kind(), entry.object_id(), target);
        }
        Ok(Err(unreadable("a link that leads to links without end")))
    }

    /// The text of a file; what is too large is not even unpacked.
    fn contents(&self, id: ObjectId) -> Result<Result<String, Unreadable>, Unread> {
        if self.clone.find_header(id).map_err(damaged)?.size() > MAXIMUM_SIZE {
            return Ok(Err(too_large()));
        }
        let bytes = self.clone.find_blob(id).map_err(damaged)?.take_data();
        Ok(String::from_utf8(bytes).map_err(|error| not_utf8(error.utf8_error())))
    }
}

/// Where a link at `from` leads, as a path in the repository; `None` if that is outside.
#[must_use]
pub fn resolve_link(from: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::resolve_link;

    #[test]
    fn links_stay_in_the_repository() {
        for (from, target, expected) in [
            ("a.yaml", "b.yaml", Some("b.yaml")),
            ("x/a.yaml", "./b.yaml", Some("x/b.yaml")),
            ("x/y/a.yaml", "../../base/b.yaml", Some("base/b.yaml")),
            ("x/a.yaml", "../../b.yaml", None),
            ("a.yaml", "/etc/passwd", None),
            ("a.yaml", "..", None),
            ("x/a.yaml", "..", None),
        ] {
            assert_eq!(resolve_link(from, target).as_deref(), expected, "{from} -> {target}");
        }
    }
}
