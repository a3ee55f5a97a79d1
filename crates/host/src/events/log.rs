//! The events of one host: the newest of each component, within bounds.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use dunlin_manifest::HostId;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Event, What};

/// So many events of one component are kept.
const KEPT: usize = 100;
/// So many components; that of which nothing was heard for longest is forgotten first.
const COMPONENTS: usize = 256;

/// Takes events in and hands them out.
#[derive(Debug)]
pub(crate) struct EventLog {
    host: String,
    revision: ArcSwap<String>,
    kept: Mutex<Kept>,
    newest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    components: BTreeMap<String, VecDeque<Arc<Event>>>,
    /// The number of the event that comes next.
    next: u64,
}

impl EventLog {
    /// A log that goes on after `past`, the events that were kept on disk.
    pub(crate) fn new(host: &HostId, past: Vec<Event>) -> Self {
        let next = past.iter().map(|event| event.number + 1).max().unwrap_or(0);
        let mut kept = Kept { next, ..Kept::default() };
        for event in past {
            kept.components.entry(event.component.clone()).or_default().push_back(Arc::new(event));
        }
        let newest = watch::Sender::new(next);
        Self { host: host.to_string(), revision: ArcSwap::default(), kept: Mutex::new(kept), newest }
    }

    /// From now on the host follows this revision.
    pub(crate) fn set_revision(&self, revision: &str) {
        self.revision.store(Arc::new(revision.to_owned()));
    }

    /// Takes in what happened just now.
    pub(crate) fn note(&self, component: &str, identity: &str, what: What) {
        let revision = self.revision.load_full();
        self.note_at(Instant::now(), component, identity, &revision, what);
    }

    /// Takes in what happened at an instant.
    pub(crate) fn note_at(&self, at: Instant, component: &str, identity: &str, revision: &str, what: What) {
        let mut kept = self.kept();
        let number = kept.next;
        kept.next += 1;
        let event = Event {
            number,
            time: now().saturating_sub(u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX)),
            host: self.host.clone(),
            component: component.to_owned(),
            revision: revision.to_owned(),
            identity: identity.to_owned(),
            what,
        };
        if !kept.components.contains_key(component) && kept.components.len() >= COMPONENTS {
            let newest = |events: &VecDeque<Arc<Event>>| events.back().map(|event| event.number);
            let oldest = kept.components.iter().min_by_key(|(_, events)| newest(events));
            if let Some(name) = oldest.map(|(name, _)| name.clone()) {
                kept.components.remove(&name);
            }
        }
        let events = kept.components.entry(component.to_owned()).or_default();
        if events.len() >= KEPT {
            events.pop_front();
        }
        events.push_back(Arc::new(event));
        drop(kept);
        self.newest.send_replace(number + 1);
    }

    /// Events from number `from` on, the oldest first; only of one component, if one is named.
    pub(crate) fn since(&self, from: u64, component: Option<&str>) -> Vec<Arc<Event>> {
        let kept = self.kept();
        let of = kept.components.iter().filter(|(name, _)| component.is_none_or(|wanted| wanted == *name));
        let mut events: Vec<_> =
            of.flat_map(|(_, events)| events.iter().filter(|event| event.number >= from)).cloned().collect();
        events.sort_by_key(|event| event.number);
        events
    }

    /// The newest `count` events of each component, the oldest first.
    pub(crate) fn newest(&self, count: usize, component: Option<&str>) -> Vec<Arc<Event>> {
        let kept = self.kept();
        let of = kept.components.iter().filter(|(name, _)| component.is_none_or(|wanted| wanted == *name));
        let mut events: Vec<_> =
            of.flat_map(|(_, events)| events.iter().rev().take(count)).cloned().collect();
        events.sort_by_key(|event| event.number);
        events
    }

    /// Changes with every event; its value is the number of the event that comes next.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds since 1970, for people.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> EventLog {
        EventLog::new(&HostId::new("gcp", "gcp-1"), Vec::new())
    }

    #[test]
    fn the_newest_of_each_component_are_kept() {
        let log = log();
        log.set_revision("r1");
        for attempt in 0..KEPT + 10 {
            log.note("todo", &attempt.to_string(), What::Starting);
        }
        log.note("front", "i", What::Unready);
        assert_eq!(log.since(0, Some("todo")).len(), KEPT);
        assert_eq!(log.since(0, Some("todo"))[0].identity, "10");
        let newest: Vec<_> = log.newest(1, None).iter().map(|event| event.component.clone()).collect();
        assert_eq!(newest, ["todo", "front"]);
        assert_eq!(log.since(*log.changes().borrow() - 1, None)[0].what, What::Unready);
        for number in 0..COMPONENTS {
            log.note(&format!("c{number}"), "", What::Starting);
        }
        assert_eq!(log.since(0, Some("todo")), [], "the one that was silent for longest is forgotten");
        assert_eq!(log.kept().components.len(), COMPONENTS);
    }

    #[test]
    fn goes_on_where_it_was() {
        let log = log();
        log.note("todo", "i", What::Starting);
        let past: Vec<Event> = log.newest(10, None).iter().map(|event| Event::clone(event)).collect();
        let json = serde_json::to_string(&past).unwrap();
        assert!(json.contains(r#""event":"starting""#), "{json}");
        let again = EventLog::new(&HostId::new("gcp", "gcp-1"), serde_json::from_str(&json).unwrap());
        again.note("todo", "i", What::Ready { after: 7 });
        let numbers: Vec<_> = again.since(0, None).iter().map(|event| event.number).collect();
        assert_eq!(numbers, [0, 1]);
    }
}
