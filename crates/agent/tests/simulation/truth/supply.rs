//! What must be there when nothing was wrong for a while: all that is asked of a site, for itself and in place of others.

use std::collections::BTreeMap;
use std::time::Duration;

use dunlin_manifest::HostId;
use dunlin_placement::{CANDIDATE, Demand, Replicas};
use tokio::time::Instant;

use super::{HostTruth, Inner};

/// How long a start takes at most, with a step of the agent before it and another until it is ready.
const STARTS: Duration = Duration::from_millis(4600);

/// What failover may take on top of `after`.
const PROMPT: Duration = Duration::from_secs(2);

/// When each site was last disturbed.
pub struct Calm {
    all: Instant,
    sites: BTreeMap<String, Instant>,
}

impl Calm {
    pub fn new(now: Instant) -> Self {
        Self { all: now, sites: BTreeMap::new() }
    }

    pub fn disturb(&mut self, site: &str) {
        self.sites.insert(site.to_owned(), Instant::now());
    }

    pub fn disturb_all(&mut self) {
        self.all = Instant::now();
    }

    fn since(&self, site: &str) -> Instant {
        self.sites.get(site).map_or(self.all, |at| self.all.max(*at))
    }
}

fn count(replicas: Replicas) -> usize {
    match replicas {
        Replicas::Count(count) => count as usize,
        Replicas::All => usize::MAX,
    }
}

impl Inner {
    /// Where nothing was wrong for as long as the rules take, all that is asked must be ready.
    pub fn check_supply(&mut self) {
        let now = Instant::now();
        let mut sites: BTreeMap<String, Vec<HostId>> = BTreeMap::new();
        for host in self.hosts.keys() {
            sites.entry(host.site.clone()).or_default().push(host.clone());
        }
        for (site, hosts) in &sites {
            let calm = now - self.calm.since(site);
            if calm < CANDIDATE + PROMPT + STARTS {
                continue;
            }
            let live: Vec<&HostId> =
                hosts.iter().filter(|host| self.hosts[*host].gone_since.is_none()).collect();
            let Some(first) = live.first().map(|host| &self.hosts[*host]) else { continue };
            let agree = |host: &&HostId| {
                let truth = &self.hosts[*host];
                let revision = |truth: &HostTruth| truth.snapshot.as_ref().map(|it| it.revision.clone());
                truth.read
                    && !truth.old
                    && truth.isolated_since.is_none()
                    && revision(truth) == revision(first)
                    && now - truth.born >= CANDIDATE + PROMPT + STARTS
            };
            if !live.iter().all(agree) {
                continue;
            }
            let demands: Vec<Demand> =
                first.snapshot.iter().flat_map(|desired| desired.components.values().cloned()).collect();
            for demand in demands.iter().filter(|demand| !demand.suspend) {
                let failed =
                    |host: &&HostId| self.failed.contains(&((*host).clone(), demand.component.clone()));
                if self.broken.contains(&demand.identity) || hosts.iter().any(|host| failed(&host)) {
                    continue;
                }
                let expected = self.asked_of(site, demand, &sites, calm, now).min(live.len());
                let ready = live.iter().filter(|host| self.is_ready(host, &demand.component)).count();
                if ready < expected {
                    return self.violated(&format!(
                        "{site} has {ready} of {expected} {} though nothing was wrong there for {calm:?}",
                        demand.component
                    ));
                }
            }
        }
    }

    /// What a site is surely asked for, for itself and in place of others.
    fn asked_of(
        &self,
        site: &str,
        demand: &Demand,
        sites: &BTreeMap<String, Vec<HostId>>,
        calm: Duration,
        now: Instant,
    ) -> usize {
        let own = demand.sites.get(site).map_or(0, |asked| count(asked.replicas));
        let Some(failover) = demand.failover.as_ref().filter(|it| it.to.iter().any(|to| to == site)) else {
            return own;
        };
        let gone_for = |site: &String| {
            let gone =
                |host: &HostId| self.hosts[host].gone_since.map_or(Duration::ZERO, |since| now - since);
            sites.get(site).and_then(|hosts| hosts.iter().map(gone).min()).unwrap_or(Duration::ZERO)
        };
        let after = failover.after.max(CANDIDATE) + PROMPT + STARTS;
        let mut asked = own;
        for (home, of_home) in demand.sites.iter().filter(|(home, _)| *home != site) {
            let before = || failover.to.iter().take_while(|to| *to != site).filter(|to| *to != home);
            let first = before().all(|to| gone_for(to) >= CANDIDATE + PROMPT + STARTS);
            if first && calm >= after && gone_for(home) >= after {
                asked = asked.saturating_add(count(of_home.replicas));
            }
        }
        asked
    }

    fn is_ready(&self, host: &HostId, component: &str) -> bool {
        let truth = &self.hosts[host];
        self.instances.values().any(|instance| {
            instance.host == *host
                && instance.component == component
                && instance.life == truth.life
                && !instance.ended
                && *instance.ready.borrow()
        })
    }
}
