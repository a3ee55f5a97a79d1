//! Which commit changed an object last, and what the object was before: what a rollback goes back to.

use anyhow::Result;
use dunlin_manifest::{File, ObjectReference, did_you_mean, object_in, objects_in};

use super::gone::{self, Gone};
use super::place::in_words;
use super::tree::{self, Listing};
use crate::git::{Git, literally, short};
use crate::printer::WrongInput;

/// The most commits that are looked through.
pub(super) const MOST_COMMITS: &str = "500";

/// What an object was.
#[derive(Debug, Clone)]
pub(crate) struct Former {
    pub(crate) object: ObjectReference,
    /// The commit whose change of the object is undone, or the one that was asked for.
    pub(crate) commit: String,
    /// The text of the file that had the object.
    pub(crate) text: String,
}

/// What `object` was before the last commit that changed it.
///
/// # Errors
/// Wrong input: no commit changed it, or the one that did made it.
pub(crate) fn before_last_change(git: &Git, directory: &str, object: &ObjectReference) -> Result<Former> {
    let head = tree::read(git, "HEAD", directory)?;
    let Some(now) = find(&head.files, object) else {
        let text = format!("{} is not in the head of {}", in_words(object), git.root.display());
        let way = gone::way(git, directory, &head, object)?;
        return Err(WrongInput(format!("{text}; {way}")).into());
    };
    for commit in commits(git, directory)? {
        let before = match parent(git, &commit)? {
            Some(parent) => tree::read(git, &parent, directory)?,
            None => Listing::default(),
        };
        match find(&before.files, object) {
            None => {
                if let Some(unread) = unread(&before) {
                    return Err(WrongInput(format!(
                        "what {} was before {} is not known: {unread}; name a commit that has it with --to",
                        in_words(object),
                        short(&commit)
                    ))
                    .into());
                }
                return Err(made(git, directory, object, &commit)?.into());
            }
            Some(before) if object_in(&before, object)? != object_in(&now, object)? => {
                return Ok(Former { object: object.clone(), commit, text: before });
            }
            Some(_) => {}
        }
    }
    Err(WrongInput(format!(
        "none of the last {MOST_COMMITS} commits changed {}; name one with --to",
        in_words(object)
    ))
    .into())
}

/// That an object was made by a commit and not changed since; or was brought back by it, and is older.
fn made(git: &Git, directory: &str, object: &ObjectReference, by: &str) -> Result<WrongInput> {
    let (named, made) = (in_words(object), short(by));
    Ok(WrongInput(match gone::removed(git, directory, object, by)? {
        Some(Gone { commit, before }) => format!(
            "{named} was brought back by {made} and not changed since: it is older, but {} had removed it; \
             `dunlin rollback {named} --to {}` gives it what it had before",
            short(&commit),
            short(&before)
        ),
        None => format!(
            "{named} was made by {made} and not changed since: there is nothing to go back to; `git revert {made}` takes it away"
        ),
    }))
}

/// What every object was that the last commit that changed any of them changed.
///
/// # Errors
/// Wrong input: no commit changed any, or it made or removed some.
pub(crate) fn before_last_commit(git: &Git, directory: &str) -> Result<Vec<Former>> {
    for commit in commits(git, directory)? {
        let after = tree::read(git, &commit, directory)?;
        let before = match parent(git, &commit)? {
            Some(parent) => tree::read(git, &parent, directory)?,
            None => Listing::default(),
        };
        let mut objects: Vec<_> =
            after.files.iter().chain(&before.files).flat_map(|file| objects_in(&file.text)).collect();
        objects.sort();
        objects.dedup();
        let mut former = Vec::new();
        for object in objects {
            match (find(&before.files, &object), find(&after.files, &object)) {
                (Some(old), Some(new)) => {
                    if object_in(&old, &object)? != object_in(&new, &object)? {
                        former.push(Former { object, commit: commit.clone(), text: old });
                    }
                }
                (old, _) => {
                    let revert = format!("`git revert {}` undoes it", short(&commit));
                    let to = "name an object, and a commit that has it with --to".to_owned();
                    let (what, side, way) = match old {
                        Some(_) => ("removed", &after, format!("mend it, or {revert}")),
                        None => ("made", &before, to),
                    };
                    if let Some(unread) = unread(side) {
                        return Err(WrongInput(format!(
                            "what {} changed in {} is not known: {unread}; {way}",
                            short(&commit),
                            in_words(&object)
                        ))
                        .into());
                    }
                    return Err(WrongInput(format!(
                        "{} {what} {}, which is more than a change of fields; {revert}",
                        short(&commit),
                        in_words(&object)
                    ))
                    .into());
                }
            }
        }
        if !former.is_empty() {
            return Ok(former);
        }
    }
    let way = "name an object, and a commit with --to";
    Err(WrongInput(format!(
        "none of the last {MOST_COMMITS} commits changed an object in {directory:?}; {way}"
    ))
    .into())
}

/// What `object` was at a revision.
///
/// # Errors
/// Wrong input: no such revision, or the object was not there.
pub(crate) fn at(git: &Git, directory: &str, object: &ObjectReference, revision: &str) -> Result<Former> {
    let commit = git.commit(revision)?;
    let listing = tree::read(git, &commit, directory)?;
    match find(&listing.files, object) {
        Some(text) => Ok(Former { object: object.clone(), commit, text }),
        None => {
            let unread = unread(&listing).map(|unread| format!("{unread}; name another commit with --to"));
            let way = unread.or_else(|| nearest(&listing.files, object)).unwrap_or_else(|| {
                let place = named(directory);
                format!("name a commit that has it with --to: `git log --oneline -- {place}` lists them")
            });
            Err(WrongInput(format!("{} is not in {}; {way}", in_words(object), short(&commit))).into())
        }
    }
}

/// A directory as git takes it; the top of the repository has no name.
fn named(directory: &str) -> &str {
    if directory.is_empty() { "." } else { directory }
}

/// Why what is not found in a commit may be there all the same.
fn unread(listing: &Listing) -> Option<String> {
    listing.reading().unread().map(|mistake| format!("not read: {mistake}"))
}

/// The commits that touched the directory, the last one first.
fn commits(git: &Git, directory: &str) -> Result<Vec<String>> {
    let place = literally(directory);
    let arguments = ["log", "--first-parent", "--format=%H", "-n", MOST_COMMITS, "HEAD", "--", &place];
    Ok(git.run(arguments)?.lines().map(str::to_owned).collect())
}

pub(super) fn parent(git: &Git, commit: &str) -> Result<Option<String>> {
    let said = git.attempt(["rev-parse", "--verify", "--quiet", &format!("{commit}^")])?;
    Ok(said.well.then(|| said.output.trim().to_owned()))
}

/// The object of the same kind whose name is nearly that, as a question.
pub(super) fn nearest(files: &[File], object: &ObjectReference) -> Option<String> {
    let all: Vec<_> = files.iter().flat_map(|file| objects_in(&file.text)).collect();
    let alike = all.iter().filter(|other| other.kind == object.kind);
    did_you_mean(&object.name, alike.map(|other| other.name.as_str()))
}

/// The text of the file that has the object.
pub(super) fn find(files: &[File], object: &ObjectReference) -> Option<String> {
    files.iter().find(|file| object_in(&file.text, object).is_ok()).map(|file| file.text.clone())
}
