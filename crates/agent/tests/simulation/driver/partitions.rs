//! Partitions of the network: between hosts or sites, in one direction or both, several at once.

use std::collections::{BTreeMap, BTreeSet};

use dunlin_manifest::HostId;
use rand::RngExt;

use super::{Later, Simulation};

impl Simulation {
    pub(super) fn partition(&mut self) {
        let (a, b) = (self.any_host(), self.any_host());
        let sites = self.random.random_bool(0.5);
        let side = |end: &HostId, host: &HostId| if sites { host.site == end.site } else { host == end };
        let mut pairs = Vec::new();
        let one_way = self.random.random_bool(0.3);
        for from in &self.hosts {
            for to in &self.hosts {
                let apart = if sites {
                    side(&a, from) && !side(&a, to)
                } else {
                    side(&a, from) && (side(&b, to) || a == b)
                };
                if apart && from != to {
                    pairs.push((from.clone(), to.clone()));
                    if !one_way {
                        pairs.push((to.clone(), from.clone()));
                    }
                }
            }
        }
        self.count += 1;
        let number = self.count;
        self.truth.tell(format!("cut {number}: {a} {b} sites: {sites} one way: {one_way}"));
        self.cuts.insert(number, pairs);
        self.apply_cuts();
        let after = self.millis(1_000, 30_000);
        self.later(after, Later::Heal(number));
    }

    /// No site hears another: the hub is gone.
    pub(super) fn hub_outage(&mut self) {
        let mut pairs = Vec::new();
        for from in &self.hosts {
            let others = self.hosts.iter().filter(|to| to.site != from.site);
            pairs.extend(others.map(|to| (from.clone(), to.clone())));
        }
        self.count += 1;
        let number = self.count;
        self.truth.tell(format!("cut {number}: the hub"));
        self.cuts.insert(number, pairs);
        self.apply_cuts();
        let after = self.millis(1_000, 50_000);
        self.later(after, Later::Heal(number));
    }

    pub(super) fn apply_cuts(&mut self) {
        let faults = self.network.faults();
        let index: BTreeMap<&HostId, usize> = self.hosts.iter().zip(0..).collect();
        let pairs = self.cuts.values().flatten();
        let wanted: BTreeSet<(usize, usize)> = pairs.map(|(from, to)| (index[from], index[to])).collect();
        for (from, to) in wanted.difference(&self.cut) {
            faults.partition(&self.hosts[*from], &self.hosts[*to]);
        }
        for (from, to) in self.cut.difference(&wanted) {
            faults.heal(&self.hosts[*from], &self.hosts[*to]);
        }
        self.cut = wanted;
        self.truth.lock().disturb(None);
        self.note_links();
    }
}
