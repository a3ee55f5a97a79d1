//! A Git repository as a source: fetched now and then and after a nudge, read whole, one commit at a time.
//!
//! - `schedule`, `order`, `judge`: pure; when to look, and whether a head may come into force.
//! - `look`: one look in a thread of its own; `fetch`, `http`, `ssh`, `program`, `credentials` bring the branch,
//!   `clone` keeps it, `read` lists the files of a commit; `bound` limits all of it.
//! - `follow`: from look to look, and from what was seen to what is in force.

mod bound;
mod clone;
mod credentials;
mod fetch;
mod follow;
mod http;
mod judge;
mod local;
mod look;
mod order;
mod program;
mod read;
mod schedule;
mod settings;
mod ssh;
mod trouble;
mod url;

use std::sync::Arc;

use dunlin_manifest::{File, Reading};
use tokio::sync::watch;

pub use bound::GitLimits;
pub use judge::{InForce, would_hold};
pub use read::resolve_link;
pub use settings::{GitSettings, check_branch, read_path};
pub use url::{GitUrl, GitUrlError};

use self::follow::Follower;
use self::look::{Look, Looking, Question};
use self::schedule::Purpose;
use self::trouble::Trouble;
use crate::settle::understand;
use crate::{Commit, LastGood, Source, SourceError, State};

/// Desired state from the `*.yaml` and `*.yml` files of a Git repository's branch.
///
/// What is in force is always one commit, whole. A head that neither descends from it nor replaces it by name is held.
/// Whatever happens to the repository, what is in force stays so, and a condition says why.
#[derive(Debug)]
pub struct GitSource {
    settings: GitSettings,
    nudges: Option<Nudges>,
}

/// How sources of several hosts tell each other of new commits. What carries it is not the source's affair.
#[derive(Debug)]
pub struct Nudges {
    /// The full id of a commit that another host has seen last. What is no id is passed over.
    pub heard: watch::Receiver<Option<String>>,
    /// The full id of the head that this source was the first to see, as far as it knows; in force or held.
    pub seen: watch::Sender<Option<String>>,
}

impl GitSource {
    /// A source with these settings; nothing is looked at before [`Source::start`].
    #[must_use]
    pub fn new(settings: GitSettings) -> Self {
        Self { settings, nudges: None }
    }

    /// The same, which looks at once when another host has seen a commit that it does not have, and tells the others
    /// of commits that it sees first.
    #[must_use]
    pub fn nudged(mut self, nudges: Nudges) -> Self {
        self.nudges = Some(nudges);
        self
    }
}

#[async_trait::async_trait]
impl Source for GitSource {
    fn describe(&self) -> String {
        self.settings.to_string()
    }

    async fn start(
        self: Box<Self>,
        last_good: Option<LastGood>,
    ) -> Result<watch::Receiver<State>, SourceError> {
        let Self { settings, nudges } = *self;
        Follower::start(Arc::new(settings), nudges, last_good).await
    }
}

/// Looks at a repository once, as a [`GitSource`] would: its head, the files in it, and what they say.
///
/// # Errors
/// [`SourceError::Repository`].
pub async fn read_repository(settings: &GitSettings) -> Result<(Commit, Vec<File>, Reading), SourceError> {
    let question = Question { purpose: Purpose::Time, known: None, in_force: None };
    let mut looking = Looking::begin(Arc::new(settings.clone()), question, Arc::default());
    let failed =
        |Trouble { reason, remedy }| SourceError::Repository { what: settings.fetching(), reason, remedy };
    match looking.wait().await.map_err(failed)? {
        (Look::New(seen), _) => {
            let (files, reading) = understand(seen.listing);
            Ok((seen.commit, files, reading))
        }
        // Nothing was known before, so whatever is there is new.
        (Look::Same | Look::Here, _) => Err(failed(Trouble::new("nothing was read", "try again"))),
    }
}
