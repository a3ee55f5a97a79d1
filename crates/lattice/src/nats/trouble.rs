//! What is wrong with the bus, in words: gathered from all connections, shown as one text, logged when it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// How many refused subjects of one connection are remembered.
const REFUSED: usize = 16;

/// The troubles of all connections of one bus.
pub(super) struct Troubles {
    each: Mutex<BTreeMap<u64, Trouble>>,
    shown: watch::Sender<Option<String>>,
}

/// What is wrong with one connection.
#[derive(Default)]
struct Trouble {
    down: Option<String>,
    refused: BTreeSet<String>,
}

impl Default for Troubles {
    fn default() -> Self {
        Self { each: Mutex::default(), shown: watch::Sender::new(None) }
    }
}

impl Troubles {
    /// All of it in one text; `None` while all is well.
    pub(super) fn shown(&self) -> watch::Receiver<Option<String>> {
        self.shown.subscribe()
    }

    /// A connection does not stand, and why.
    pub(super) fn down(&self, connection: u64, reason: String) {
        self.change(|each| each.entry(connection).or_default().down = Some(reason));
    }

    /// A connection stands, and may do something that the server refuses.
    pub(super) fn refused(&self, connection: u64, what: String) {
        self.change(|each| {
            let refused = &mut each.entry(connection).or_default().refused;
            if refused.len() < REFUSED {
                refused.insert(what);
            }
        });
    }

    /// A connection was made, or is no longer wanted.
    pub(super) fn forget(&self, connection: u64) {
        self.change(|each| drop(each.remove(&connection)));
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<u64, Trouble>)) {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut each);
        // What several connections suffer from is said once.
        let words: BTreeSet<&str> =
            each.values().flat_map(|of| of.down.iter().chain(&of.refused)).map(String::as_str).collect();
        let words: Vec<&str> = words.into_iter().collect();
        let now = (!words.is_empty()).then(|| words.join("; "));
        self.shown.send_if_modified(|shown| {
            let changed = *shown != now;
            if changed {
                match &now {
                    Some(trouble) => tracing::warn!(trouble, "the bus has trouble"),
                    None => tracing::info!("the bus has no trouble any more"),
                }
                *shown = now;
            }
            changed
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_told_once_until_it_changes() {
        let troubles = Troubles::default();
        let mut shown = troubles.shown();
        for connection in 1..=3 {
            troubles.down(connection, "refused".into());
        }
        assert_eq!(shown.borrow_and_update().as_deref(), Some("refused"));
        troubles.down(2, "refused".into());
        troubles.forget(1);
        assert!(!shown.has_changed().unwrap());
        troubles.refused(1, "may not listen to a".into());
        assert_eq!(shown.borrow_and_update().as_deref(), Some("may not listen to a; refused"));
        for connection in 1..=3 {
            troubles.forget(connection);
        }
        assert_eq!(*shown.borrow_and_update(), None);
    }

    #[test]
    fn is_bounded() {
        let troubles = Troubles::default();
        for number in 0..1000 {
            troubles.refused(1, number.to_string());
        }
        assert_eq!(troubles.each.lock().unwrap()[&1].refused.len(), REFUSED);
    }
}
