//! What each host may believe of other sites: the most that the rules of failover allow, by what it surely heard.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dunlin_manifest::HostId;
use dunlin_placement::{CANDIDATE, Demand, Failover, Replicas, before};
use tokio::time::Instant;

use super::{HostTruth, Inner, LATELY};

/// How much older the last beat may be than the observer takes it to be: a beat's interval and its way.
const SLACK: Duration = Duration::from_secs(3);

/// A host heard for so long without doubt was really heard.
const HEARD: Duration = Duration::from_millis(2500);

#[derive(Default)]
pub struct Beliefs {
    /// Since when a host may have heard nothing of a site.
    silent: BTreeMap<(HostId, String), Silent>,
    /// Homes that a host may hold to be stood in for: host, component, home; and since when the home was surely seen
    /// ready.
    over: BTreeMap<(HostId, String, String), Option<Instant>>,
    /// Since when a home may show all that is asked of it, whatever host looks.
    may_be_ready: BTreeMap<(String, String), Instant>,
}

struct Silent {
    since: Instant,
    heard: bool,
}

fn homes<'a>(demand: &'a Demand, host: &'a HostId) -> impl Iterator<Item = &'a String> {
    let asked = demand.sites.iter().filter(|(_, site)| site.replicas != Replicas::Count(0));
    asked.map(|(site, _)| site).filter(|site| **site != host.site)
}

impl Inner {
    /// Looks at everything again; called at least each second and whenever the script does something. `alone` are the
    /// sites that surely hear no other, and since when.
    pub fn look(&mut self, alone: &BTreeMap<String, Instant>) {
        let now = Instant::now();
        let sites = self.contacts.sites();
        let up: Vec<HostId> =
            self.hosts.iter().filter(|(_, truth)| truth.up).map(|(host, _)| host.clone()).collect();
        for host in &up {
            let truth = &self.hosts[host];
            let deaf = truth.isolated_since.is_some_and(|since| now - since >= Duration::from_millis(4500));
            let knows_alone = truth.linked == Some(false)
                && alone.get(&host.site).is_some_and(|since| now - *since >= Duration::from_millis(4500));
            for (site, others) in sites.iter().filter(|(site, _)| **site != host.site) {
                let key = (host.clone(), site.clone());
                let born = Silent { since: now, heard: false };
                if deaf || knows_alone {
                    self.beliefs.silent.insert(key, born);
                    continue;
                }
                let heard = self.contacts.hears_any(host, others, now, HEARD);
                let silent = self.beliefs.silent.entry(key).or_insert(born);
                if heard {
                    *silent = Silent { since: now, heard: true };
                }
            }
        }
        self.note_ready(now);
        self.note_freed(now);
        let steady = self.steady(now);
        for host in &up {
            let Some(snapshot) = self.hosts[host].snapshot.clone() else { continue };
            for demand in snapshot.components.values() {
                let Some(failover) = &demand.failover else { continue };
                for home in homes(demand, host) {
                    self.note_over(host, demand, home, failover, &steady, now);
                }
            }
        }
    }

    fn note_over(
        &mut self,
        host: &HostId,
        demand: &Demand,
        home: &str,
        failover: &Failover,
        steady: &BTreeSet<(String, HostId)>,
        now: Instant,
    ) {
        let key = (host.clone(), demand.component.clone(), home.to_owned());
        if let Some(ready_since) = self.beliefs.over.get(&key) {
            let ready = self.surely_ready(host, demand, home, steady, now);
            let since = ready.then(|| ready_since.unwrap_or(now));
            if since.is_some_and(|since| now - since >= failover.back + SLACK) {
                self.beliefs.over.remove(&key);
            } else {
                self.beliefs.over.insert(key, since);
            }
            return;
        }
        let Some(silent) = self.beliefs.silent.get(&(host.clone(), home.to_owned())) else { return };
        let told = || {
            let neighbours = self.hosts.keys().filter(|other| other.site == host.site && *other != host);
            let mut keys = neighbours.map(|other| (other.clone(), key.1.clone(), key.2.clone()));
            keys.any(|key| self.beliefs.over.contains_key(&key))
        };
        let lost = now - silent.since + SLACK >= failover.after.max(CANDIDATE);
        if lost || (!silent.heard && told()) {
            self.beliefs.over.insert(key, None);
        }
    }

    /// What was ready for so long that whoever hears its host knows it, by component.
    fn steady(&self, now: Instant) -> BTreeSet<(String, HostId)> {
        let instances = self.instances.values().filter(|instance| {
            instance.counts(&self.hosts[&instance.host], now)
                && instance.ready_since.is_some_and(|since| now - since >= SLACK)
                && instance.lost.is_none_or(|lost| now - lost >= SLACK)
        });
        instances.map(|instance| (instance.component.clone(), instance.host.clone())).collect()
    }

    /// Whether a host surely sees a home ready.
    fn surely_ready(
        &self,
        host: &HostId,
        demand: &Demand,
        home: &str,
        steady: &BTreeSet<(String, HostId)>,
        now: Instant,
    ) -> bool {
        let truth = &self.hosts[host];
        let hears = truth.isolated_since.is_none()
            && truth.hears_again_since.is_none_or(|since| now - since >= Duration::from_secs(8));
        let shows = |other: &HostId| {
            steady.contains(&(demand.component.clone(), other.clone()))
                && self.contact(host, other, now) >= SLACK
        };
        let of_home = || self.hosts.keys().filter(|other| other.site == home);
        let ready = of_home().filter(|other| shows(other)).count();
        hears
            && match demand.sites.get(home).map(|site| site.replicas) {
                Some(Replicas::Count(count)) => ready >= count as usize,
                Some(Replicas::All) => ready == of_home().count(),
                None => false,
            }
    }

    /// Notes which homes may show all that is asked of them: what was ready shows for a while after it went.
    fn note_ready(&mut self, now: Instant) {
        let shows = CANDIDATE + SLACK;
        let mut may: BTreeMap<(String, String), BTreeSet<HostId>> = BTreeMap::new();
        for instance in self.instances.values() {
            let host = &self.hosts[&instance.host];
            let alive = host.up && host.life == instance.life && !instance.ended;
            let lately = instance.lost.is_some_and(|lost| now - lost <= shows);
            if (alive && *instance.ready.borrow()) || lately {
                let key = (instance.component.clone(), instance.host.site.clone());
                may.entry(key).or_default().insert(instance.host.clone());
            }
        }
        let mut asked: BTreeMap<(String, String), usize> = BTreeMap::new();
        for truth in self.hosts.values() {
            for demand in truth.snapshot.iter().flat_map(|desired| desired.components.values()) {
                for (site, replicas) in &demand.sites {
                    let count = match replicas.replicas {
                        Replicas::Count(count) => count as usize,
                        Replicas::All => 1,
                    };
                    let least = asked.entry((demand.component.clone(), site.clone())).or_insert(count);
                    *least = count.min(*least);
                }
            }
        }
        asked.retain(|key, count| may.get(key).is_some_and(|hosts| hosts.len() >= *count));
        self.beliefs.may_be_ready.retain(|key, _| asked.contains_key(key));
        for key in asked.into_keys() {
            self.beliefs.may_be_ready.entry(key).or_insert(now);
        }
    }

    /// What stands in for a home that may have been ready for long enough is an unwanted slot from then on, even if the
    /// home is lost again before it can leave.
    fn note_freed(&mut self, now: Instant) {
        for instance in self.instances.values_mut() {
            let Some((demand, failover)) =
                instance.stands_in.as_ref().and_then(|demand| Some((demand, demand.failover.as_ref()?)))
            else {
                continue;
            };
            instance.freed |= homes(demand, &instance.host).any(|home| {
                let ready = self.beliefs.may_be_ready.get(&(demand.component.clone(), home.clone()));
                ready.is_some_and(|since| now - *since + SLACK + LATELY >= failover.back)
            });
        }
    }

    /// A host starts: it knows nothing of what was before.
    pub fn forgets(&mut self, host: &HostId) {
        self.beliefs.silent.retain(|(other, _), _| other != host);
        self.beliefs.over.retain(|(other, _, _), _| other != host);
    }

    /// Whether a component is asked of a host's site only in place of others.
    pub(super) fn stands_in(&self, host: &HostId, demand: &Demand) -> bool {
        demand.sites.get(&host.site).is_none_or(|site| site.replicas == Replicas::Count(0))
    }

    /// A host starts what is not asked of its site itself: some home may be held for lost, and no site comes first that
    /// surely could stand in.
    pub(super) fn check_stand_in(&mut self, host: &HostId, demand: &Demand) {
        let component = &demand.component;
        let Some(failover) = demand.failover.as_ref().filter(|it| it.to.contains(&host.site)) else {
            return self.violated(&format!("{host} starts {component}, which is not asked for in its site"));
        };
        let now = Instant::now();
        let lost: Vec<&String> = homes(demand, host)
            .filter(|home| {
                let neighbours = self.hosts.keys().filter(|other| other.site == host.site);
                let mut keys = neighbours.map(|other| (other.clone(), component.clone(), (*home).clone()));
                keys.any(|key| self.beliefs.over.contains_key(&key))
            })
            .collect();
        if lost.is_empty() {
            let what = format!("{host} starts {component} in place of a site that it cannot hold for lost");
            return self.violated(&what);
        }
        let comes_first = |site: &str| {
            self.hosts.iter().any(|(other, state)| {
                other.site == site
                    && state.up
                    && state.read
                    && state.draining.is_none()
                    && !self.failed.contains(&(other.clone(), component.clone()))
                    && self.contact(host, other, now) >= CANDIDATE + SLACK
            })
        };
        let rightly = |home: &&&String| {
            let before = failover.to.iter().take_while(|site| **site != host.site);
            !before.filter(|site| site != *home).any(|site| comes_first(site))
        };
        if !lost.iter().any(|home| rightly(&home)) {
            self.violated(&format!("{host} starts {component} though another site comes first"));
        }
    }

    /// What stands in stays until its home was ready for long enough, unless others than the home's serve.
    pub(super) fn check_stand_in_leaves(
        &mut self,
        id: u64,
        needed: usize,
        others: &BTreeSet<HostId>,
        now: Instant,
    ) {
        let Some(instance) = self.instances.get(&id) else { return };
        let Some(started) = instance.stands_in.as_ref().filter(|_| !instance.freed) else { return };
        let (host, component) = (instance.host.clone(), instance.component.clone());
        let truth = &self.hosts[&host];
        let same = |desired: &dunlin_placement::Desired| {
            desired.components.get(&component).is_some_and(|demand| {
                (&demand.sites, &demand.failover) == (&started.sites, &started.failover)
            })
        };
        // What was committed meanwhile may have made an unwanted slot of it, if only for a while.
        let unchanged = truth.snapshot.as_ref().is_some_and(same)
            && truth.snapshot_since.is_none_or(|since| since <= instance.started)
            && truth.draining.is_none();
        let homes: Vec<&String> = homes(started, &host).collect();
        let (&[home], Some(failover)) = (&homes[..], &started.failover) else { return };
        // Nor does it stay where an earlier site may be there again, or enough neighbours that come first.
        let may_be_there = |state: &HostTruth| {
            // Of one that was frozen stale beats may arrive even after its end.
            let lately = |since: Option<Instant>| since.is_some_and(|since| now - since <= CANDIDATE + SLACK);
            state.up
                || state.isolated_since.is_some()
                || lately(state.gone_since)
                || lately(state.hears_again_since)
        };
        let earlier = |site: &String| {
            let to = failover.to.iter().take_while(|to| **to != host.site);
            to.filter(|to| *to != home).any(|to| to == site)
        };
        let there = || self.hosts.iter().filter(|(_, state)| may_be_there(state)).map(|(other, _)| other);
        let outranks =
            |other: &&HostId| other.site == host.site && before(&component, (other, 100), (&host, 100));
        let wanted = match started.sites.get(home).map(|asked| asked.replicas) {
            Some(Replicas::Count(count)) => there().filter(outranks).count() < count as usize,
            _ => true,
        };
        let first = wanted && !there().any(|other| earlier(&other.site));
        let elsewhere = others.iter().filter(|other| other.site != *home).count();
        let ready = self.beliefs.may_be_ready.get(&(component.clone(), home.clone()));
        let ready_for = ready.map_or(Duration::ZERO, |since| now - *since + SLACK + LATELY);
        if unchanged && first && elsewhere < needed && ready_for < failover.back {
            let back = failover.back;
            let what = format!(
                "{host} ends {component}, which stands in for {home} until that was ready for {back:?}"
            );
            self.violated(&what);
        }
    }
}
