//! Nudges: a host that sees a new commit tells all others, who then need not wait for their own next look.
//!
//! A nudge is a hint and nothing else: it carries a commit's id, and whoever hears it looks into the repository for
//! itself. A forged or lost one changes no desired state. A host looks at most so often, whatever it hears; that is for
//! whoever receives from [`Nudger`] to keep.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dunlin_manifest::{HostId, is_commit};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::subjects::Subjects;
use crate::wire::{self, WireError};
use crate::{BusError, Connection, Message, Subscription};

/// How long until a subscription that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Why a message on the subjects of nudges was passed over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Its subject is no nudge's.
    #[error("no subject of a nudge")]
    Subject,
    /// Its payload is no frame of ours.
    #[error(transparent)]
    Frame(#[from] WireError),
    /// What it carries is no commit's full id.
    #[error("no commit: expected 40 or 64 digits 0-9 and a-f")]
    Commit,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Frame {
    #[prost(string, tag = "1")]
    commit: String,
}

/// The payload of a nudge for `commit`.
#[must_use]
pub fn encode(commit: &str) -> Bytes {
    wire::encode(&Frame { commit: commit.to_owned() })
}

/// Reads a nudge as the host that sent it and the commit it tells of.
///
/// # Errors
/// [`Refused`]; nothing of it is to be believed then.
pub fn read(subjects: &Subjects, subject: &str, payload: Bytes) -> Result<(HostId, String), Refused> {
    let from = subjects.parse_nudge(subject).ok_or(Refused::Subject)?;
    let Frame { commit } = wire::decode(payload)?;
    if is_commit(&commit) { Ok((from, commit)) } else { Err(Refused::Commit) }
}

/// Says what this host sees and hears what others see. Dropping it ends that.
#[derive(Debug)]
pub struct Nudger {
    refused: Arc<AtomicU64>,
    task: tokio::task::AbortHandle,
}

impl Nudger {
    /// Publishes each commit that `seen` shows from now on, and puts the last one that another host told of into
    /// `heard`.
    pub fn start(
        connection: Arc<dyn Connection>,
        subjects: Subjects,
        me: HostId,
        mut seen: watch::Receiver<Option<String>>,
        heard: watch::Sender<Option<String>>,
    ) -> Self {
        let refused = Arc::<AtomicU64>::default();
        let mut nudging = Nudging { connection, subjects, me, heard, refused: Arc::clone(&refused) };
        let task = tokio::spawn(async move {
            loop {
                match nudging.connection.subscribe(&nudging.subjects.nudges()).await {
                    Ok(mut nudges) => {
                        if nudging.serve(&mut nudges, &mut seen).await.is_none() {
                            return;
                        }
                    }
                    Err(BusError::Disconnected) => {}
                    Err(error) => {
                        tracing::warn!(%error, "nudges cannot be listened to; commits are seen later")
                    }
                }
                sleep(AGAIN).await;
            }
        });
        Self { refused, task: task.abort_handle() }
    }

    /// Messages on the subjects of nudges that were passed over.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Nudger {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Nudging {
    connection: Arc<dyn Connection>,
    subjects: Subjects,
    me: HostId,
    heard: watch::Sender<Option<String>>,
    refused: Arc<AtomicU64>,
}

impl Nudging {
    /// Until the subscription ends; `None` once nobody sees commits here any more.
    async fn serve(
        &mut self,
        nudges: &mut Subscription,
        seen: &mut watch::Receiver<Option<String>>,
    ) -> Option<()> {
        loop {
            tokio::select! {
                message = nudges.next() => match message {
                    Some(message) => self.hear(message),
                    None => return Some(()),
                },
                changed = seen.changed() => {
                    changed.ok()?;
                    let commit = seen.borrow_and_update().clone();
                    if let Some(commit) = commit {
                        self.say(&commit).await;
                    }
                }
            }
        }
    }

    fn hear(&self, message: Message) {
        match read(&self.subjects, &message.subject, message.payload) {
            Ok((from, _)) if from == self.me => {}
            Ok((from, commit)) => {
                tracing::debug!(%from, commit, "another host has seen a commit");
                self.heard.send_replace(Some(commit));
            }
            Err(refused) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(subject = %message.subject, %refused, "refused a nudge");
            }
        }
    }

    async fn say(&self, commit: &str) {
        // Lost is lost: the others look by themselves now and then.
        if let Err(error) =
            self.connection.publish(&self.subjects.nudge(&self.me), None, encode(commit)).await
        {
            tracing::debug!(%error, "the other hosts were not told of a commit");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn only_a_commits_full_id_is_a_nudge() {
        let subjects = Subjects::new("todo").unwrap();
        let from = HostId::new("gcp", "gcp-1");
        let subject = subjects.nudge(&from);
        assert_eq!(subject, "todo.nudge.gcp.gcp-1");
        assert_eq!(read(&subjects, &subject, encode(COMMIT)), Ok((from, COMMIT.to_owned())));
        for commit in ["", "abc", "main", &COMMIT.to_uppercase(), &format!("{COMMIT}0"), &"../".repeat(20)] {
            assert_eq!(read(&subjects, &subject, encode(commit)), Err(Refused::Commit), "{commit}");
        }
        for subject in
            ["todo.nudge.gcp", "todo.nudge.gcp.gcp-1.x", "other.nudge.gcp.gcp-1", "todo.nudge.GCP.x"]
        {
            assert_eq!(read(&subjects, subject, encode(COMMIT)), Err(Refused::Subject), "{subject}");
        }
        assert_eq!(read(&subjects, &subject, Bytes::new()), Err(WireError::Empty.into()));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let subjects = Subjects::new("todo").unwrap();
            if let Ok((_, commit)) = read(&subjects, "todo.nudge.gcp.gcp-1", bytes.into()) {
                prop_assert!(commit.len() == 40 || commit.len() == 64);
            }
        }
    }
}
