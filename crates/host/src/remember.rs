//! Keeps on disk what a restart needs: the last good state, what ran, and by which identity.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use dunlin_source::{LastGood, State};
use tokio::sync::watch;

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
        let mut kept = None;
        loop {
            let good = self.good();
            let something = !good.snapshot.components.is_empty() || !good.ran.is_empty();
            if something && kept.as_ref() != Some(&good) {
                let (folder, saving) = (self.folder.clone(), good.clone());
                let saved = tokio::task::spawn_blocking(move || saving.save(&folder)).await;
                if let Ok(Err(error)) = saved {
                    tracing::warn!(%error, "the last good state cannot be kept; a restart would not know it");
                } else {
                    kept = Some(good);
                }
            }
            if !self.changed().await {
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

    /// Waits until there is something else to remember; `false` once there never will be.
    async fn changed(&mut self) -> bool {
        loop {
            tokio::select! {
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

/// By which identities the components ran that a restart starts again: by what their slots show, else (the slot comes up
/// again after a restart, or has left in a drain) by what is known already.
fn identities(ran: &BTreeSet<String>, known: &Identities, slots: &Identities) -> Identities {
    let of = |name: &String| Some((name.clone(), slots.get(name).or_else(|| known.get(name))?.clone()));
    ran.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
