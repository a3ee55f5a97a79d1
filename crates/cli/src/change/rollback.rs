//! `dunlin rollback`: gives objects the fields that they had before the last commit that changed them. Other objects, and
//! what others changed since, stay.

use std::process::ExitCode;

use anyhow::{Error, Result};
use dunlin_manifest::ObjectReference;

use super::edit::Edit;
use super::history::{self, Former};
use super::place::{Manifests, Where, in_words, parse_object, with};
use super::publish::Message;
use super::{How, carry_out, gone, reading_after, seen, tree, well};
use crate::git::{Git, short};
use crate::printer::WrongInput;

/// What to roll back.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  dunlin rollback todo                       what it would mean; writes nothing\n  \
    dunlin rollback todo --commit              a commit that undoes the last change of todo\n  \
    dunlin rollback todo --to 3f2a91c --push   as it was at that commit\n  \
    dunlin rollback --commit                   whatever the last commit changed\n\n\
    It is a commit like any other: what follows it is what follows every change."
)]
pub(crate) struct Options {
    /// The object, as `todo` or `provider/redis`; without one, all that the last commit changed.
    #[arg(value_parser = parse_object)]
    object: Option<ObjectReference>,
    /// The commit to go back to.
    #[arg(long, value_name = "REVISION", requires = "object")]
    to: Option<String>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    how: How,
}

/// Shows what it would mean, and goes as far as it was told.
///
/// # Errors
/// There is nothing to go back to, the file cannot be edited, or something is in the way of the commit.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let Options { object, to, place, how } = options;
    let manifests = Manifests::before(&place.find()?, how.extent)?;
    object.iter().try_for_each(|object| manifests.in_one_file(object))?;
    let git = Git::needed(&manifests.directory)?;
    let directory = tree::name_of(&git, &manifests.directory)?;
    let former = match (&object, &to) {
        (Some(object), Some(revision)) => vec![history::at(&git, &directory, object, revision)?],
        (Some(object), None) => vec![history::before_last_change(&git, &directory, object)?],
        (None, _) => history::before_last_commit(&git, &directory)?,
    };
    let edits = edits(&manifests, &git, &directory, &former)?;
    reading_after(&manifests, &edits)
        .map_err(|error| if to.is_none() { elsewhere(error, &former) } else { error })?;
    let seen = seen::of(&manifests, place.process).await;
    carry_out(&manifests, &edits, &how, message(&former, to.is_some()), seen.as_ref()).map(well)
}

/// The edits that give each object what it had; several objects may be in one file.
fn edits(manifests: &Manifests, git: &Git, directory: &str, former: &[Former]) -> Result<Vec<Edit>> {
    let mut files = manifests.files.clone();
    for Former { object, text, .. } in former {
        manifests.in_one_file(object)?;
        let found = files.iter().find(|file| dunlin_manifest::objects_in(&file.text).contains(object));
        let Some(file) = found else {
            let what = format!("{} is not in {}", in_words(object), manifests.directory.display());
            let unread = manifests.unread();
            let head = tree::read(git, "HEAD", directory)?;
            let text = match (history::find(&head.files, object), unread.is_empty()) {
                (None, _) => format!("{what}; {}", gone::way(git, directory, &head, object)?),
                (Some(_), false) => format!("{what}{unread}; mend it first"),
                (Some(_), true) => {
                    format!("{what}, but in the head; bring it back first: `git diff HEAD` shows how it went")
                }
            };
            return Err(WrongInput(text).into());
        };
        let after = dunlin_manifest::restore(&file.text, text, object)
            .map_err(|error| WrongInput(format!("{}: {error}", file.path)))?;
        files = with(&files, &file.path.clone(), &after);
    }
    let changed = manifests.files.iter().zip(files);
    Ok(changed.filter_map(|(old, new)| super::edited(&old.path, &old.text, new.text)).collect())
}

/// Why what was before the last change is no way back, and which other there is.
fn elsewhere(error: Error, former: &[Former]) -> Error {
    let Some(Former { commit, .. }) = former.first().filter(|_| error.is::<WrongInput>()) else {
        return error;
    };
    let object = match former {
        [one] => in_words(&one.object),
        _ => "OBJECT".to_owned(),
    };
    let commit = short(commit);
    WrongInput(format!(
        "what was before {commit}, the last change, is no better: {error}; name an older commit: \
         `dunlin rollback {object} --to REVISION`"
    ))
    .into()
}

fn message(former: &[Former], to: bool) -> Message {
    let names: Vec<_> = former.iter().map(|former| former.object.name.as_str()).collect();
    let commit = former.first().map(|former| former.commit.as_str()).unwrap_or_default();
    let objects: Vec<_> = former.iter().map(|former| in_words(&former.object)).collect();
    let what = if to { "back to" } else { "undo" };
    Message {
        subject: format!("{}: {what} {}", names.join(", "), short(commit)),
        body: if to {
            format!("This gives {} what {commit} had.", objects.join(", "))
        } else {
            format!("This takes back what commit {commit} changed in {}.", objects.join(", "))
        },
    }
}
