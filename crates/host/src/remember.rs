//! Keeps on disk what a restart needs: the last good state, what ran, and by which identity.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use dunlin_source::{LastGood, State};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How long after the first failed write the next is tried; twice as long after each further one.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest that a write which failed is put off.
const LONGEST: Duration = Duration::from_secs(60);

/// Identities by component.
pub(crate) type Identities = BTreeMap<String, String>;

/// What is to be remembered, and where it comes from.
pub(crate) struct Remember<F> {
    pub(crate) folder: PathBuf,
    pub(crate) states: watch::Receiver<State>,
    /// The components that a restart starts again.
    pub(crate) ran: watch::Receiver<BTreeSet<String>>,
    /// The identities in this host's slots now; `news` tells when to look.
    pub(crate) slots: F,
    pub(crate) news: watch::Receiver<()>,
    /// For the launcher: the identities that ran here, from before a restart too.
    pub(crate) identities: watch::Sender<Identities>,
}

impl<F: Fn() -> Identities> Remember<F> {
    /// Until the host ends.
    pub(crate) async fn run(mut self) {
        let (mut kept, mut pause) = (None, AGAIN);
        loop {
            // A source that has started was read, or goes on from what was kept: also nothing at all is worth keeping.
            let good = self.good();
            let mut again = None;
            if kept.as_ref() != Some(&good) {
                match save(self.folder.clone(), good.clone()).await {
                    Ok(()) => (kept, pause) = (Some(good), AGAIN),
                    Err(error) => {
                        tracing::warn!(%error, again_in = ?pause, "the last good state cannot be kept; a restart would not know it");
                        again = Some(Instant::now() + pause);
                        pause = (pause * 2).min(LONGEST);
                    }
                }
            }
            if !self.due(again).await {
                return;
            }
        }
    }

    /// What a restart now would need.
    fn good(&mut self) -> LastGood {
        let State { revision, commit, snapshot, .. } = self.states.borrow_and_update().clone();
        let ran = self.ran.borrow_and_update().clone();
        let identities = self.look();
        self.identities.send_replace(identities.clone());
        LastGood { revision, commit, snapshot, ran, identities }
    }

    fn look(&self) -> Identities {
        identities(&self.ran.borrow(), &self.identities.borrow(), &(self.slots)())
    }

    /// Waits until there is something else to remember, or until `again`; `false` once there never will be.
    async fn due(&mut self, again: Option<Instant>) -> bool {
        loop {
            tokio::select! {
                () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => return true,
                changed = self.states.changed() => return changed.is_ok(),
                changed = self.ran.changed() => return changed.is_ok(),
                news = self.news.changed() => {
                    if news.is_err() {
                        return false;
                    }
                    // News come many times a second, and nearly always of something else.
                    if self.look() != *self.identities.borrow() {
                        return true;
                    }
                }
            }
        }
    }
}

async fn save(folder: PathBuf, good: LastGood) -> Result<(), String> {
    let saved = tokio::task::spawn_blocking(move || good.save(&folder)).await;
    saved.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

/// By which identities the components ran that a restart starts again: by what their slots show, else (the slot comes up
/// again after a restart, or has left in a drain) by what is known already.
fn identities(ran: &BTreeSet<String>, known: &Identities, slots: &Identities) -> Identities {
    let of = |name: &String| Some((name.clone(), slots.get(name).or_else(|| known.get(name))?.clone()));
    ran.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    /// A host that remembers `state` in `folder`: the senders of what it ran and of news, and what its slots show.
    struct Bench {
        states: watch::Sender<State>,
        ran: watch::Sender<BTreeSet<String>>,
        news: watch::Sender<()>,
        slots: Arc<std::sync::Mutex<Identities>>,
        _task: tokio_util::task::AbortOnDropHandle<()>,
    }

    fn state(revision: &str) -> State {
        State {
            revision: revision.to_owned(),
            commit: None,
            snapshot: Arc::default(),
            mistakes: Arc::default(),
            conditions: Vec::new(),
            read: true,
        }
    }

    impl Bench {
        fn new(folder: &Path) -> Self {
            let (states, all_states) = watch::channel(state("one"));
            let (ran, all_ran) = watch::channel(BTreeSet::new());
            let (news, all_news) = watch::channel(());
            let slots = Arc::new(std::sync::Mutex::new(Identities::new()));
            let shown = Arc::clone(&slots);
            let remember = Remember {
                folder: folder.to_owned(),
                states: all_states,
                ran: all_ran,
                slots: move || shown.lock().unwrap().clone(),
                news: all_news,
                identities: watch::channel(Identities::new()).0,
            };
            let task = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(remember.run()));
            Self { states, ran, news, slots, _task: task }
        }
    }

    /// Waits until what is on disk is good, at most ten minutes by a clock that jumps.
    async fn kept(folder: &Path, good: impl Fn(&LastGood) -> bool) {
        let begun = Instant::now();
        while !LastGood::load(folder).ok().flatten().is_some_and(|past| good(&past)) {
            assert!(begun.elapsed() < LONGEST * 10, "it was not kept");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_changes_is_kept_and_so_is_nothing_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let bench = Bench::new(folder.path());
        kept(folder.path(), |past| past.revision == "one").await;
        let identity = |identity: &str| Identities::from([("a".to_owned(), identity.to_owned())]);
        *bench.slots.lock().unwrap() = identity("1");
        bench.ran.send_replace(["a".to_owned()].into());
        kept(folder.path(), |past| past.ran.contains("a") && past.identities == identity("1")).await;
        *bench.slots.lock().unwrap() = identity("2");
        bench.news.send_replace(());
        kept(folder.path(), |past| past.identities == identity("2")).await;
        // `allowEmpty`: what is deleted must not come back with a restart.
        bench.slots.lock().unwrap().clear();
        bench.states.send_replace(state("empty"));
        bench.ran.send_replace(BTreeSet::new());
        kept(folder.path(), |past| past.revision == "empty" && past.ran.is_empty()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_failed_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let full = folder.path().join("state");
        std::fs::write(&full, "not a directory").unwrap();
        let _bench = Bench::new(&full);
        tokio::time::sleep(LONGEST * 3).await;
        assert!(full.is_file(), "nothing could be written");
        std::fs::remove_file(&full).unwrap();
        kept(&full, |past| past.revision == "one").await;
    }

    #[test]
    fn what_ran_is_known_by_its_slot_or_from_before() {
        let map = |pairs: &[(&str, &str)]| -> Identities {
            pairs.iter().map(|(name, identity)| ((*name).to_owned(), (*identity).to_owned())).collect()
        };
        for (ran, known, slots, expected, why) in [
            (&["a"][..], &[][..], &[("a", "1")][..], &[("a", "1")][..], "it runs"),
            (&["a"], &[("a", "1")], &[("a", "2")], &[("a", "2")], "it was updated"),
            (&["a"], &[("a", "1")], &[], &[("a", "1")], "it is starting again, or has drained"),
            (&["a"], &[], &[], &[], "an older version kept no identities"),
            (&[], &[("a", "1")], &[], &[], "it left: who comes back later is asked anew"),
        ] {
            let ran = ran.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(identities(&ran, &map(known), &map(slots)), map(expected), "{why}");
        }
    }
}
