//! What must hold when an agent starts something.

use std::time::Duration;

use dunlin_manifest::HostId;
use dunlin_placement::{Demand, RESTART_WAIT, Replicas};
use tokio::time::Instant;

use super::{HostTruth, Inner};

/// How long ago a neighbour must have been heard without doubt for a host to know what it wants.
const SURELY: Duration = Duration::from_millis(3500);

impl Inner {
    /// Deaf hosts start nothing, nor do hosts that drain; nobody starts what is suspended or not asked for there.
    pub(super) fn check_start(&mut self, host: &HostId, life: u64, demand: &Demand) {
        let now = Instant::now();
        let truth = self.hosts[host].clone();
        if !truth.up || truth.life != life {
            return;
        }
        let has = self.instances.values().any(|instance| {
            !instance.ended
                && instance.was_ready
                && instance.host == *host
                && instance.life == life
                && instance.component == demand.component
        });
        if has {
            return;
        }
        let component = &demand.component;
        let isolated = truth.isolated_since.is_some_and(|since| now - since >= Duration::from_millis(4500));
        let again = truth.hears_again_since.is_some_and(|since| now - since < Duration::from_millis(4000));
        if (isolated || again) && !truth.ran.contains(component) {
            self.violated(&format!("{host} starts {component} though it is deaf"));
        }
        // One that begins this very moment may not be in force yet.
        if truth.draining.is_some_and(|(since, _)| now - since > Duration::from_millis(5)) {
            self.violated(&format!("{host} starts {component} though it drains"));
        }
        if demand.suspend {
            self.violated(&format!("{host} starts {component} though that is suspended"));
        }
        self.check_hearsay(host, &truth, component);
        let own = demand.sites.get(&host.site).map(|site| site.replicas);
        if own.is_none_or(|own| own == Replicas::Count(0)) {
            self.check_stand_in(host, demand);
        }
    }

    /// A host that has read nothing starts nothing from its last good state before it has waited, nor while a neighbour
    /// is known to want something else; unless a neighbour has confirmed it.
    fn check_hearsay(&mut self, host: &HostId, truth: &HostTruth, component: &str) {
        let Some(known) = truth.snapshot.as_ref().filter(|_| !truth.read) else { return };
        let now = Instant::now();
        let mut refuted = now - truth.born < RESTART_WAIT;
        for (other, state) in self.hosts.iter().filter(|(other, _)| other.site == host.site && *other != host)
        {
            let same = |desired: &dunlin_placement::Desired| desired.digest == known.digest;
            // What it showed may have been under way for a while.
            let lately = |at: Instant| at + SURELY >= truth.born;
            let was = |(digest, at): &(String, Instant)| *digest == known.digest && lately(*at);
            if state.snapshot.as_ref().is_some_and(same) || state.past.iter().any(was) {
                return;
            }
            let settled = state.snapshot_since.is_some_and(|since| now - since >= SURELY);
            refuted |= state.up && state.read && settled && self.contact(host, other, now) >= SURELY;
        }
        if refuted {
            self.violated(&format!(
                "{host} starts {component} on hearsay: no neighbour confirms what it last knew"
            ));
        }
    }
}
