//! Where desired state comes from, and the last good state.
//!
//! A [`Source`] reads what Git says and hands out [`State`]s: each is whole, with every mistaken object at
//! its last good form. Nothing that happens to a source stops what runs: a directory or repository that vanishes
//! leaves the last state in force and a [`Condition`] that says so.
//!
//! May touch files and fetch from Git servers; knows nothing of hosts, the lattice or what is done with a state.

mod config;
mod directory;
mod files;
mod git;
mod kept;
mod last_good;
mod secrets;
mod settle;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use dunlin_manifest::{Mistake, Snapshot, short_revision};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use config::{ConfigError, resolve_config};
pub use directory::{DirectorySource, directory_revision, read_directory};
pub use files::{
    MAXIMUM_DEPTH, MAXIMUM_FILES, MAXIMUM_NAMES, MAXIMUM_SIZE, MAXIMUM_TOTAL, Unreadable, is_manifest,
    is_passed_over, not_utf8, too_large,
};
pub use git::{
    GitLimits, GitSettings, GitSource, GitUrl, GitUrlError, InForce, Nudges, check_branch, read_path,
    read_repository, resolve_link, would_hold,
};
pub use kept::{KeptError, KeptFile};
pub use last_good::{LastGood, LastGoodError};
pub use secrets::{Consumer, SecretError, SecretFiles};

/// Where desired state comes from. One kind per lattice.
#[async_trait::async_trait]
pub trait Source: Send {
    /// What it reads, in words: `directory apps/todo`.
    fn describe(&self) -> String;

    /// Reads once and then goes on in the background until every receiver is dropped.
    ///
    /// `last_good` is what was in force when this host stopped: mistaken objects fall back to it, and it
    /// stands in for a source that cannot be read.
    ///
    /// # Errors
    /// [`SourceError`] if the source cannot be read and there is no last good state.
    async fn start(
        self: Box<Self>,
        last_good: Option<LastGood>,
    ) -> Result<watch::Receiver<State>, SourceError>;
}

/// What should run, as read last.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Names what was read: for a directory `dir-` and 12 hexadecimal digits of its content, for a Git repository the
    /// commit's full id.
    pub revision: String,
    /// The commit that it was read from, where the source is a Git repository.
    pub commit: Option<Commit>,
    /// Every object that is good, and the last good form of those that are not.
    pub snapshot: Arc<Snapshot>,
    /// Every mistake in what was read.
    pub mistakes: Arc<Vec<Mistake>>,
    /// What keeps the source from being followed, if anything does.
    pub conditions: Vec<Condition>,
    /// Whether the source has been read since the start; else this is the last good state.
    pub read: bool,
}

/// A Git commit, as far as people want to be told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// All 40 (or 64) hexadecimal digits; it is the revision as well.
    pub id: String,
    /// The author's name.
    pub author: String,
    /// When it was committed, in seconds since 1970. For people; nothing depends on it.
    pub time: i64,
    /// The first line of its message.
    pub subject: String,
}

/// Something that keeps a source from being followed. What runs goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// What was read has no component at all, and `Lattice.spec.allowEmpty` does not say that this is meant:
    /// the state before stays in force.
    HeldEmpty,
    /// The head of the branch neither descends from the revision in force nor says that it replaces it: that one stays.
    HeldOrder {
        /// The full id of the head.
        head: String,
        /// The revision in force.
        in_force: String,
        /// The first mistake in the head, if it has one: it may be what hides `replaces`.
        mistake: Option<String>,
    },
    /// Nothing names the sites.
    NoLattice,
    /// The source cannot be read, and why; the state before stays in force.
    Unreadable(String),
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeldEmpty => formatter.write_str(
                "no component is left; the state before stays in force (set allowEmpty: true in the Lattice if this is meant)",
            ),
            Self::HeldOrder { head, in_force, mistake } => {
                write!(
                    formatter,
                    "commit {} is held: {}, which is in force, is none of its ancestors; to follow it, commit \
                     `replaces: {in_force}` to spec of the Lattice",
                    short_revision(head),
                    short_revision(in_force)
                )?;
                match mistake {
                    Some(mistake) => write!(formatter, " (it has mistakes: {mistake})"),
                    None => Ok(()),
                }
            }
            Self::NoLattice => formatter.write_str("no Lattice names the sites; add one"),
            Self::Unreadable(reason) => write!(formatter, "{reason}; the state before stays in force"),
        }
    }
}

/// Why a source could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It cannot be read, and there is no last good state to go on with.
    #[error("cannot read {}: {reason}; {remedy}", .path.display())]
    Unreadable {
        /// What was to be read.
        path: PathBuf,
        /// Why it cannot be.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// The repository cannot be fetched or read, and there is no last good state to go on with.
    #[error("cannot {what}: {reason}; {remedy}")]
    Repository {
        /// What was tried, without secrets: `fetch branch main of https://host/app.git`.
        what: String,
        /// Why it did not work.
        reason: String,
        /// What to do.
        remedy: String,
    },
}
