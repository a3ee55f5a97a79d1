//! Partitions of the network: between hosts or sites, in one direction or both, several at once.

use std::collections::BTreeSet;

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

    pub(super) fn apply_cuts(&self) {
        let faults = self.network.faults();
        let wanted: BTreeSet<&(HostId, HostId)> = self.cuts.values().flatten().collect();
        for from in &self.hosts {
            for to in &self.hosts {
                if wanted.contains(&(from.clone(), to.clone())) {
                    faults.partition(from, to);
                } else {
                    faults.heal(from, to);
                }
            }
        }
    }
}
