//! One look at the repository, in a thread of its own: fetch, and read what is new. Bounded, and given up when dropped.

use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

use dunlin_manifest::is_commit;
use gix::{ObjectId, Repository};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::bound::{Bound, Stopped};
use super::read::{self, Unread};
use super::schedule::Purpose;
use super::settings::GitSettings;
use super::trouble::{Trouble, words};
use super::{clone, fetch};
use crate::Commit;
use crate::files::Listing;

/// How often a look's bound is checked.
const CHECK: Duration = Duration::from_millis(50);
/// How long a look that was stopped may take to end.
const END: Duration = Duration::from_secs(60);

/// What is asked of a look.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) purpose: Purpose,
    /// The head that has been judged already.
    pub(super) known: Option<String>,
    /// The revision that is in force.
    pub(super) in_force: Option<String>,
}

/// What a look saw.
#[derive(Debug)]
pub(super) enum Look {
    /// The commit that a nudge told of is here already; nothing was fetched.
    Here,
    /// The branch is where it was.
    Same,
    /// The branch points to this.
    New(Box<Seen>),
}

/// A head that was not known before, read whole.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) commit: Commit,
    pub(super) listing: Listing,
    /// Whether the revision in force is among its ancestors.
    pub(super) descends: bool,
}

/// A look that is under way. Dropping it gives it up.
pub(super) struct Looking {
    pub(super) purpose: Purpose,
    result: oneshot::Receiver<Result<(Look, bool), Trouble>>,
    bound: Arc<Bound>,
}

impl Looking {
    /// Begins a look. `turn` is held until it has ended, so that no two are in one clone.
    pub(super) fn begin(settings: Arc<GitSettings>, question: Question, turn: Arc<Mutex<()>>) -> Self {
        let bound = Bound::new(settings.limits);
        let (purpose, inside) = (question.purpose.clone(), Arc::clone(&bound));
        let (sender, result) = oneshot::channel();
        // Not a thread of the runtime's: that would wait for it when it ends, and this one may hang for a while.
        let thread = std::thread::Builder::new().name("git".into());
        let spawned = thread.spawn(move || {
            let looked = match turn.try_lock() {
                Ok(_) | Err(TryLockError::Poisoned(_)) => look(&settings, &question, &inside),
                Err(TryLockError::WouldBlock) => {
                    Err(Trouble::new("the look before has not ended yet", "it is tried again"))
                }
            };
            let _ = sender.send(looked);
        });
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread to look at the repository");
        }
        Self { purpose, result, bound }
    }

    /// Waits for what it saw, and for whether the commit that a nudge told of is here. May be given up and called again.
    pub(super) async fn wait(&mut self) -> Result<(Look, bool), Trouble> {
        let mut stopped = Duration::ZERO;
        loop {
            tokio::select! {
                result = &mut self.result => {
                    return result.unwrap_or_else(|_| Err(Trouble::new("looking at it broke off", "it is tried again")));
                }
                () = sleep(CHECK) => self.bound.check(),
            }
            if let Some(why) = self.bound.stopped() {
                stopped += CHECK;
                if stopped > END {
                    return Err(Trouble::stopped(why, self.bound.limits()));
                }
            }
        }
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.bound.stop(Stopped::Unwanted);
    }
}

fn look(settings: &GitSettings, question: &Question, bound: &Arc<Bound>) -> Result<(Look, bool), Trouble> {
    let path = settings.clone.as_path();
    if clone::is_worn(path, settings.limits.bytes) {
        let beside = clone::beside(path);
        clone::discard(&beside)?;
        // Only once the new one is whole does the old one go.
        return match look_in(&beside, settings, question, bound) {
            Ok(looked) => clone::replace(path).map(|()| looked),
            Err(Unread::Damaged(reason)) => Err(unusable(reason)),
            Err(Unread::Not(trouble)) => Err(trouble),
        };
    }
    match look_in(path, settings, question, bound) {
        Err(Unread::Damaged(reason)) => {
            tracing::warn!(clone = %path.display(), %reason, "the clone is damaged; cloning anew");
            clone::discard(path)?;
            look_in(path, settings, question, bound).map_err(|unread| match unread {
                Unread::Damaged(reason) => unusable(reason),
                Unread::Not(trouble) => trouble,
            })
        }
        Err(Unread::Not(trouble)) => Err(trouble),
        Ok(looked) => Ok(looked),
    }
}

fn unusable(reason: String) -> Trouble {
    Trouble::new(format!("what was fetched cannot be read: {reason}"), "look at the repository with git fsck")
}

fn look_in(
    path: &std::path::Path,
    settings: &GitSettings,
    question: &Question,
    bound: &Arc<Bound>,
) -> Result<(Look, bool), Unread> {
    let repository = clone::open(path, &settings.configuration).map_err(Unread::Not)?;
    let here = |repository: &Repository| match &question.purpose {
        Purpose::Nudge(commit) => is_here(repository, commit),
        Purpose::Time => true,
    };
    if matches!(question.purpose, Purpose::Nudge(_)) && here(&repository) {
        return Ok((Look::Here, true));
    }
    let id = fetch::fetch(&repository, settings, bound)?;
    // What was fetched has to be seen by those who look into the clone from now on.
    let repository = clone::open(path, &settings.configuration).map_err(Unread::Not)?;
    let found = here(&repository);
    let commit = commit(&repository, id)?;
    if question.known.as_deref() == Some(commit.id.as_str()) {
        return Ok((Look::Same, found));
    }
    let head =
        ObjectId::from_hex(commit.id.as_bytes()).map_err(|error| Unread::Damaged(error.to_string()))?;
    let listing = read::read(&repository, head, &settings.path)?;
    let descends = match &question.in_force {
        Some(ancestor) => descends(&repository, head, ancestor)?,
        None => false,
    };
    Ok((Look::New(Box::new(Seen { commit, listing, descends })), found))
}

fn is_here(repository: &Repository, commit: &str) -> bool {
    ObjectId::from_hex(commit.as_bytes()).is_ok_and(|id| repository.has_object(id))
}

/// Whether `ancestor` is among the ancestors of `head`; a revision that is not in the repository is none.
fn descends(repository: &Repository, head: ObjectId, ancestor: &str) -> Result<bool, Unread> {
    if !is_commit(ancestor) || !is_here(repository, ancestor) {
        return Ok(false);
    }
    let damaged = |error: gix::Error| Unread::Damaged(words(&error));
    let Ok(ancestor) = ObjectId::from_hex(ancestor.as_bytes()) else { return Ok(false) };
    let base = repository.merge_base(ancestor, head).map_err(damaged)?;
    Ok(base.is_some_and(|base| base == ancestor))
}

/// What people are told of a commit.
fn commit(repository: &Repository, id: ObjectId) -> Result<Commit, Unread> {
    let damaged = |error: gix::Error| Unread::Damaged(words(&error));
    let object = repository.find_object(id).map_err(damaged)?;
    let commit = object.peel_to_commit().map_err(damaged)?;
    let line = |text: String| text.chars().filter(|char| !char.is_control()).take(200).collect();
    let author = commit.author().map(|author| line(author.name.to_string())).unwrap_or_default();
    let subject = commit.message_raw_sloppy().to_string().trim_start().lines().next().map(str::to_owned);
    Ok(Commit {
        id: commit.id.to_string(),
        author,
        time: commit.time().map(|time| time.seconds).unwrap_or_default(),
        subject: line(subject.unwrap_or_default()),
    })
}
