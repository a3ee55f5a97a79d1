//! Hosts that should have started something and show nothing of it: the judging host's own stopwatch.

use std::collections::{BTreeMap, BTreeSet};

use dunlin_manifest::HostId;
use dunlin_placement::{HostView, OVERDUE, Wanted};
use tokio::time::Instant;

/// Since when each other host owes the start of a component, as this host sees it.
#[derive(Debug, Default)]
pub(super) struct Overdue {
    owes: BTreeMap<(HostId, String), Debt>,
}

#[derive(Debug, Clone, Copy)]
struct Debt {
    incarnation: u64,
    since: Instant,
    /// Once overdue it stays so until something shows: being passed over, the host is no longer wanted, which must
    /// not make it wanted again.
    overdue: bool,
}

impl Overdue {
    /// The components that a host should have started [`OVERDUE`] ago.
    pub(super) fn of(&self, host: &HostView) -> BTreeSet<String> {
        if self.owes.is_empty() {
            return BTreeSet::new();
        }
        let from = (host.id.clone(), String::new());
        self.owes
            .range(from..)
            .take_while(|((id, _), _)| *id == host.id)
            .filter(|(_, debt)| debt.overdue && debt.incarnation == host.incarnation)
            .map(|((_, component), _)| component.clone())
            .collect()
    }

    /// Takes in who is wanted for one component now.
    pub(super) fn watch(&mut self, component: &str, wanted: &Wanted, others: &[HostView], now: Instant) {
        for host in others {
            if self.owes.is_empty() && !wanted.wants(&host.id) {
                continue;
            }
            let key = (host.id.clone(), component.to_owned());
            let debt = self.owes.get(&key).filter(|debt| debt.incarnation == host.incarnation);
            let owes = host.slot(component).is_none()
                && (wanted.wants(&host.id) || debt.is_some_and(|debt| debt.overdue));
            if !owes {
                self.owes.remove(&key);
                continue;
            }
            let since = debt.map_or(now, |debt| debt.since);
            let overdue = now.saturating_duration_since(since) >= OVERDUE;
            self.owes.insert(key, Debt { incarnation: host.incarnation, since, overdue });
        }
    }

    /// What is not to be watched is owed no longer: components that went, hosts that are forgotten.
    pub(super) fn keep(&mut self, watched: impl Fn(&HostId, &str) -> bool) {
        self.owes.retain(|(host, component), _| watched(host, component));
    }

    /// Nothing can be held against anybody while this host does not hear; what was overdue stays so.
    pub(super) fn forget_running(&mut self) {
        self.owes.retain(|_, debt| debt.overdue);
    }
}
