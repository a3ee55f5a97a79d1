//! Who hears whom, as far as it is certain.

use std::collections::BTreeMap;
use std::time::Duration;

use dunlin_manifest::HostId;
use tokio::time::Instant;

use super::Inner;

/// For each two hosts, how long the first has heard the second.
#[derive(Default)]
pub struct Contacts {
    index: BTreeMap<HostId, usize>,
    all: Vec<Contact>,
}

/// How long a host has heard another without a gap, and when it last did for long enough to know it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Contact {
    pub since: Option<Instant>,
    pub known: Option<Instant>,
}

impl Contacts {
    pub fn new(hosts: &[HostId]) -> Self {
        let index: BTreeMap<HostId, usize> = hosts.iter().cloned().zip(0..).collect();
        Self { all: vec![Contact::default(); index.len() * index.len()], index }
    }

    pub fn of(&mut self, host: usize, other: usize) -> &mut Contact {
        let hosts = self.index.len();
        &mut self.all[host * hosts + other]
    }

    pub fn get(&self, host: &HostId, other: &HostId) -> Contact {
        let hosts = self.index.len();
        let at = self.index.get(host).zip(self.index.get(other));
        at.map(|(host, other)| self.all[host * hosts + other]).unwrap_or_default()
    }

    /// The numbers of the hosts of each site.
    pub fn sites(&self) -> BTreeMap<String, Vec<usize>> {
        let mut sites: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (host, number) in &self.index {
            sites.entry(host.site.clone()).or_default().push(*number);
        }
        sites
    }

    /// Whether a host has heard any of some others for so long without a gap.
    pub fn hears_any(&self, host: &HostId, others: &[usize], now: Instant, long: Duration) -> bool {
        let hosts = self.index.len();
        let Some(host) = self.index.get(host) else { return false };
        let since = |other: &usize| self.all[host * hosts + other].since;
        others.iter().filter_map(since).any(|since| now - since >= long)
    }

    /// Nobody hears this host any more, nor, if it is `gone`, does it hear anybody.
    pub fn lose(&mut self, host: &HostId, gone: bool) {
        let Some(at) = self.index.get(host).copied() else { return };
        for other in 0..self.index.len() {
            *self.of(other, at) = Contact::default();
            if gone {
                *self.of(at, other) = Contact::default();
            }
        }
    }
}

impl Inner {
    /// Whether a host must know of another: it heard it for long enough within the last minutes.
    pub(super) fn known(&self, host: &HostId, other: &HostId, now: Instant) -> bool {
        let known = self.contacts.get(host, other).known;
        known.is_some_and(|at| now - at < Duration::from_secs(280))
    }

    pub(super) fn contact(&self, host: &HostId, other: &HostId, now: Instant) -> Duration {
        let since = self.contacts.get(host, other).since;
        since.map_or(Duration::ZERO, |since| now - since)
    }
}
