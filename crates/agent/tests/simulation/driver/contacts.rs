//! Who hears whom, as far as it is certain, and which sites know that they hear nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use dunlin_agent::HostFacts;
use tokio::time::Instant;

use super::{Later, Simulation};

impl Simulation {
    /// Lets the observer look at everything.
    pub(super) fn look(&mut self) {
        let now = Instant::now();
        let lives: Vec<(bool, bool)> = self
            .hosts
            .iter()
            .map(|host| {
                let alone = self.isolated.get(host).is_some_and(|how| !how.is_empty());
                let live = self.live.get(host).filter(|_| !alone);
                (live.is_some(), live.is_some_and(|live| !live.draining))
            })
            .collect();
        let mut truth = self.truth.lock();
        for host in 0..self.hosts.len() {
            for other in 0..self.hosts.len() {
                let hears = host != other
                    && lives[host].0
                    && lives[other].1
                    && !self.lossy
                    && !self.cut.contains(&(other, host));
                let contact = truth.contacts.of(host, other);
                contact.since = hears.then(|| contact.since.unwrap_or(now));
                if contact.since.is_some_and(|since| now - since >= Duration::from_secs(10)) {
                    contact.known = Some(now);
                }
            }
        }
        if self.lossy || !self.cut.is_empty() {
            truth.disturb(None);
        }
        truth.look(&self.alone);
        truth.check_supply();
    }

    /// What the hosts of a site know of their server's link to the hub.
    pub(super) fn linked(&self, site: &str) -> Option<bool> {
        self.knows_link.contains(site).then(|| !self.alone.contains_key(site))
    }

    /// Sites that no message reaches or leaves have no link to the hub; their hosts learn of it a little later.
    pub(super) fn note_links(&mut self) {
        let now = Instant::now();
        let mut alone = BTreeMap::new();
        for site in self.repository.sites.clone() {
            let (inside, outside): (Vec<usize>, Vec<usize>) =
                (0..self.hosts.len()).partition(|at| self.hosts[*at].site == site);
            let apart = |one: &usize, other: &usize| {
                self.cut.contains(&(*one, *other)) && self.cut.contains(&(*other, *one))
            };
            if inside.iter().all(|one| outside.iter().all(|other| apart(one, other))) {
                alone.insert(site.clone(), self.alone.get(&site).copied().unwrap_or(now));
            }
        }
        if alone.keys().ne(self.alone.keys()) {
            let wait = self.millis(0, 2_500);
            self.later(wait, Later::TellLinks);
        }
        self.alone = alone;
    }

    pub(super) fn tell_links(&mut self) {
        let mut truth = self.truth.lock();
        truth.disturb(None);
        for (host, live) in &self.live {
            let linked = self.linked(&host.site);
            live.facts.send_replace(HostFacts { linked, ..HostFacts::default() });
            if let Some(state) = truth.hosts.get_mut(host).filter(|state| state.linked != linked) {
                state.linked = linked;
            }
        }
    }
}
