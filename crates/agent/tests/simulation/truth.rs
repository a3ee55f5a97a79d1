//! The observer who sees everything, and checks each step of every agent against the rules.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use dunlin_manifest::HostId;
use dunlin_placement::{Demand, Desired, Replicas};
use tokio::sync::watch;
use tokio::time::Instant;

/// What is to come of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Starts,
    Hangs,
    FailsHere,
    FailsEverywhere,
}

#[derive(Clone)]
pub struct Truth {
    inner: Arc<Mutex<Inner>>,
}

pub struct Inner {
    began: Instant,
    pub hosts: BTreeMap<HostId, HostTruth>,
    instances: BTreeMap<u64, Instance>,
    next: u64,
    pub fates: BTreeMap<(HostId, String), Fate>,
    pub broken: BTreeSet<String>,
    /// Starts that ever failed: the host may show that for minutes after it could start again.
    failed: BTreeSet<(HostId, String)>,
    pub busy: BTreeSet<String>,
    /// How long each host has heard each other without a gap, and when it last did for long enough to know it.
    pub contacts: BTreeMap<(HostId, HostId), Contact>,
    story: VecDeque<String>,
    hash: DefaultHasher,
    pub violation: Option<String>,
    /// Slots that were started or ended, to see oscillation.
    pub movements: u64,
}

#[derive(Debug, Clone, Default)]
pub struct HostTruth {
    pub life: u64,
    pub up: bool,
    pub draining: Option<(Instant, Instant)>,
    pub snapshot: Option<Desired>,
    pub former: Option<(Desired, Instant)>,
    pub read: bool,
    pub ran: BTreeSet<String>,
    /// Cut off from the bus, its own beats included, since then.
    pub isolated_since: Option<Instant>,
    /// When the last isolation that was long enough to make deaf ended.
    pub hears_again_since: Option<Instant>,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Contact {
    pub since: Option<Instant>,
    pub known: Option<Instant>,
}

struct Instance {
    host: HostId,
    life: u64,
    component: String,
    identity: String,
    ready: watch::Sender<bool>,
    was_ready: bool,
    ended: bool,
    /// When readiness was last taken from it by the script.
    lost: Option<Instant>,
}

impl Instance {
    /// Ready, or only just made unready by the script: no agent can know that yet.
    fn counts(&self, host: &HostTruth, now: Instant) -> bool {
        let lately = self.lost.is_some_and(|lost| now - lost <= LATELY);
        let alive = host.up && host.life == self.life;
        !self.ended && ((alive && *self.ready.borrow()) || (self.was_ready && lately))
    }
}

/// A yes may be this old when it is counted.
const LATELY: Duration = Duration::from_millis(1001);

impl Truth {
    pub fn new() -> Self {
        let inner = Inner {
            began: Instant::now(),
            hosts: BTreeMap::new(),
            instances: BTreeMap::new(),
            next: 1,
            fates: BTreeMap::new(),
            broken: BTreeSet::new(),
            failed: BTreeSet::new(),
            busy: BTreeSet::new(),
            contacts: BTreeMap::new(),
            story: VecDeque::new(),
            hash: DefaultHasher::new(),
            violation: None,
            movements: 0,
        };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub fn tell(&self, what: impl AsRef<str>) {
        self.lock().tell(what.as_ref());
    }

    /// A hash of all that happened.
    pub fn hash(&self) -> u64 {
        self.lock().hash.finish()
    }

    pub fn is_busy(&self, component: &str) -> bool {
        self.lock().busy.contains(component)
    }

    /// An agent starts something.
    pub fn starts(&self, host: &HostId, life: u64, demand: &Demand) -> Fate {
        let mut inner = self.lock();
        inner.tell(&format!("{host} starts {} {}", demand.component, demand.identity));
        inner.movements += 1;
        inner.check_start(host, life, demand);
        let key = (host.clone(), demand.component.clone());
        let fate = if inner.broken.contains(&demand.identity) {
            Fate::FailsEverywhere
        } else {
            inner.fates.get(&key).copied().unwrap_or(Fate::Starts)
        };
        if fate != Fate::Starts {
            inner.failed.insert(key);
        }
        fate
    }

    pub fn started(&self, host: &HostId, life: u64, demand: &Demand, ready: &watch::Sender<bool>) -> u64 {
        let mut inner = self.lock();
        let id = inner.next;
        inner.next += 1;
        let instance = Instance {
            host: host.clone(),
            life,
            component: demand.component.clone(),
            identity: demand.identity.clone(),
            ready: ready.clone(),
            was_ready: *ready.borrow(),
            ended: false,
            lost: None,
        };
        inner.instances.insert(id, instance);
        inner.tell(&format!("{host} has {} {} as #{id}", demand.component, demand.identity));
        id
    }

    /// The script makes an instance ready or unready.
    pub fn set_ready(&self, id: u64, ready: bool) {
        let mut inner = self.lock();
        let Some(instance) = inner.instances.get_mut(&id) else { return };
        let was = instance.ready.send_replace(ready);
        if was && !ready {
            instance.lost = Some(Instant::now());
        }
        instance.was_ready |= ready;
        let line = format!("#{id} ({} at {}) ready: {ready}", instance.component, instance.host);
        inner.tell(&line);
    }

    /// An agent ends an instance.
    pub fn leaves(&self, id: u64) {
        let mut inner = self.lock();
        inner.movements += 1;
        inner.check_leave(id);
    }

    pub fn dropped(&self, id: u64) {
        // One that a kill took away still counts for a moment.
        let mut inner = self.lock();
        if inner.instances.get(&id).is_some_and(|instance| instance.ended) {
            inner.instances.remove(&id);
        }
    }

    /// The script kills a host: what it ran is lost, which is nobody's decision.
    pub fn killed(&self, host: &HostId) {
        let mut inner = self.lock();
        inner.tell(&format!("KILL {host}"));
        let now = Instant::now();
        for instance in inner.instances.values_mut().filter(|instance| instance.host == *host) {
            if *instance.ready.borrow() {
                instance.lost = Some(now);
            }
        }
        if let Some(truth) = inner.hosts.get_mut(host) {
            truth.up = false;
        }
    }

    pub fn set_snapshot(&self, host: &HostId, desired: &Desired) {
        let mut inner = self.lock();
        let Some(truth) = inner.hosts.get_mut(host) else { return };
        truth.former = truth.snapshot.replace(desired.clone()).map(|former| (former, Instant::now()));
        truth.read = true;
        inner.tell(&format!("{host} reads {}", desired.revision));
    }

    /// Instances that serve, by component: host and identity.
    pub fn serving(&self) -> BTreeMap<String, BTreeMap<HostId, String>> {
        let inner = self.lock();
        let mut all: BTreeMap<String, BTreeMap<HostId, String>> = BTreeMap::new();
        for instance in inner.instances.values() {
            let host = &inner.hosts[&instance.host];
            if !instance.ended && host.up && host.life == instance.life && *instance.ready.borrow() {
                let hosts = all.entry(instance.component.clone()).or_default();
                hosts.insert(instance.host.clone(), instance.identity.clone());
            }
        }
        all
    }

    /// The instances that run now.
    pub fn running(&self) -> Vec<u64> {
        let inner = self.lock();
        let runs = |instance: &Instance| {
            let host = &inner.hosts[&instance.host];
            !instance.ended && host.up && host.life == instance.life
        };
        inner.instances.iter().filter(|(_, instance)| runs(instance)).map(|(id, _)| *id).collect()
    }
}

impl Inner {
    pub fn tell(&mut self, what: &str) {
        let line = format!("{:9.3} {what}", (Instant::now() - self.began).as_secs_f64());
        line.hash(&mut self.hash);
        self.story.push_back(line);
        if self.story.len() > 400 {
            self.story.pop_front();
        }
    }

    pub fn violated(&mut self, what: &str) {
        self.tell(&format!("VIOLATION: {what}"));
        if self.violation.is_none() {
            let story: Vec<&str> = self.story.iter().map(String::as_str).collect();
            self.violation = Some(story.join("\n"));
        }
    }

    /// Deaf hosts start nothing, nor do hosts that drain; nobody starts what is suspended or not asked for there.
    fn check_start(&mut self, host: &HostId, life: u64, demand: &Demand) {
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
        if !demand.sites.contains_key(&host.site) {
            self.violated(&format!("{host} starts {component}, which is not asked for in its site"));
        }
    }

    /// A component never has fewer ready slots than before or asked, whichever is smaller; and an agent that ends a
    /// slot relies on as many others that stay as are asked for.
    fn check_leave(&mut self, id: u64) {
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

    /// Whether a host must know of another: it heard it for long enough within the last minutes.
    fn known(&self, host: &HostId, other: &HostId, now: Instant) -> bool {
        let contact = self.contacts.get(&(host.clone(), other.clone()));
        contact.and_then(|contact| contact.known).is_some_and(|at| now - at < Duration::from_secs(280))
    }

    fn contact(&self, host: &HostId, other: &HostId, now: Instant) -> Duration {
        let contact = self.contacts.get(&(host.clone(), other.clone()));
        contact.and_then(|contact| contact.since).map_or(Duration::ZERO, |since| now - since)
    }
}
