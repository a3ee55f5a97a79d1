//! What must hold when an agent ends a slot.

use std::collections::BTreeSet;
use std::time::Duration;

use dunlin_manifest::HostId;
use dunlin_placement::{Demand, Desired, Replicas};
use tokio::time::Instant;

use super::{HostTruth, Inner, LATELY};

impl Inner {
    /// A component never has fewer ready slots than before or asked, whichever is smaller; and an agent that ends a
    /// slot relies on as many others that stay as are asked for.
    pub(super) fn check_leave(&mut self, id: u64) {
        let now = Instant::now();
        let Some(instance) = self.instances.get(&id) else { return };
        let (host, life, component) = (instance.host.clone(), instance.life, instance.component.clone());
        let truth = self.hosts[&host].clone();
        let served = *instance.ready.borrow() && instance.was_ready;
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.ended = true;
        }
        if !truth.up || truth.life != life {
            return;
        }
        self.tell(&format!("{host} ends #{id} of {component}"));
        let others = self.counting(&component, now);
        if !served || others.contains(&host) {
            // It was not ready, or its successor is.
            return;
        }
        if truth.draining.is_some_and(|(_, deadline)| now >= deadline) {
            self.tell(&format!("{host} ends #{id} since its grace period is over"));
            return;
        }
        let demand = |desired: &Desired| desired.components.get(&component).cloned();
        let now_asked = truth.snapshot.as_ref().and_then(demand);
        // A snapshot that came this very moment may not be in force yet.
        let just_before = truth
            .former
            .as_ref()
            .filter(|(_, at)| now - *at < Duration::from_millis(5))
            .map(|(former, _)| demand(former));
        let asked = [Some(now_asked), just_before].into_iter().flatten();
        let needs: Vec<usize> =
            asked.map(|demand| demand.map_or(0, |demand| self.needed(&demand, &host, &truth, now))).collect();
        let needed = needs.iter().copied().min().unwrap_or(0);

        self.check_stand_in_leaves(id, needed, &others, now);
        let after = others.len();
        let before = after + 1;
        if after < needed.min(before) {
            self.violated(&format!("{host} leaves {component} to {after} others, though {needed} are asked"));
        }
        let stays =
            |other: &&HostId| self.hosts[*other].draining.is_none_or(|(since, _)| now - since <= LATELY);
        let staying = others.iter().filter(stays).count();
        if staying < needed {
            self.violated(&format!(
                "{host} leaves {component} to {staying} others that stay ({after} with those that drain), though {needed} are asked"
            ));
        }
    }

    /// The hosts with a ready slot, those included that the script took away within the last second.
    fn counting(&self, component: &str, now: Instant) -> BTreeSet<HostId> {
        self.instances
            .values()
            .filter(|instance| instance.component == component)
            .filter(|instance| instance.counts(&self.hosts[&instance.host], now))
            .map(|instance| instance.host.clone())
            .collect()
    }

    /// How many others a host must rely on: all that are asked; a host that drains, no more than there can be.
    fn needed(&self, demand: &Demand, host: &HostId, truth: &HostTruth, now: Instant) -> usize {
        let asked = |(site, asked): (&String, &dunlin_placement::SiteDemand)| match asked.replicas {
            Replicas::Count(count) => count as usize,
            Replicas::All => {
                let must_know = |other: &&HostId| {
                    other.site == *site
                        && self.hosts[*other].draining.is_none()
                        && (*other == host || self.known(host, other, now))
                        && (*other != host || truth.draining.is_none())
                };
                self.hosts.keys().filter(must_know).count().max(1)
            }
        };
        let total: usize = demand.sites.iter().map(asked).sum();
        if truth.draining.is_none() {
            return total;
        }
        let possible = |(site, asked): (&String, &dunlin_placement::SiteDemand)| {
            let able = |other: &&HostId| {
                let state = &self.hosts[*other];
                *other != host
                    && other.site == *site
                    && state.up
                    && state.draining.is_none()
                    && !self.failed.contains(&((*other).clone(), demand.component.clone()))
                    && self.contact(host, other, now) >= Duration::from_secs(15)
            };
            let able = self.hosts.keys().filter(able).count();
            match asked.replicas {
                Replicas::All => able,
                Replicas::Count(count) => able.min(count as usize),
            }
        };
        let possible: usize = if demand.suspend { 0 } else { demand.sites.iter().map(possible).sum() };
        total.min(possible)
    }
}
