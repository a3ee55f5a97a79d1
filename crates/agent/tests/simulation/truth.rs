//! The observer who sees everything, and checks each step of every agent against the rules.

mod beliefs;
mod contacts;
mod leaving;
mod starting;
mod supply;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use dunlin_manifest::HostId;
use dunlin_placement::{Demand, Desired};
use tokio::sync::watch;
use tokio::time::Instant;

use beliefs::Beliefs;
use contacts::Contacts;
use supply::Calm;

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
    pub contacts: Contacts,
    beliefs: Beliefs,
    calm: Calm,
    story: VecDeque<String>,
    hash: DefaultHasher,
    pub violation: Option<String>,
    /// Slots that were started or ended, to see oscillation.
    pub movements: u64,
}

#[derive(Debug, Clone)]
pub struct HostTruth {
    pub life: u64,
    pub up: bool,
    pub draining: Option<(Instant, Instant)>,
    pub snapshot: Option<Desired>,
    pub former: Option<(Desired, Instant)>,
    /// The digests that it came from lately, and when.
    pub past: VecDeque<(String, Instant)>,
    pub read: bool,
    pub ran: BTreeSet<String>,
    /// Cut off from the bus, its own beats included, since then.
    pub isolated_since: Option<Instant>,
    /// When the last isolation that was long enough to make deaf ended.
    pub hears_again_since: Option<Instant>,
    /// When this life began.
    pub born: Instant,
    /// Since when it is down or drains; not set while it lives.
    pub gone_since: Option<Instant>,
    /// When it came to its present snapshot.
    pub snapshot_since: Option<Instant>,
    /// What it knows of its server's link to the hub.
    pub linked: Option<bool>,
    /// Of a release that does not know failover.
    pub old: bool,
}

impl HostTruth {
    pub fn new(born: Instant) -> Self {
        Self {
            life: 0,
            up: false,
            draining: None,
            snapshot: None,
            former: None,
            past: VecDeque::new(),
            read: false,
            ran: BTreeSet::new(),
            isolated_since: None,
            hears_again_since: None,
            born,
            gone_since: Some(born),
            snapshot_since: None,
            linked: None,
            old: false,
        }
    }
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
    started: Instant,
    /// When it last became ready.
    ready_since: Option<Instant>,
    /// Started in place of another site, and asked for nowhere else: what Git said then.
    stands_in: Option<Demand>,
    /// Its home may have been ready for long enough since: whoever noticed needs it no more.
    freed: bool,
}

impl Instance {
    /// Ready, or only just made unready by the script: no agent can know that yet.
    fn counts(&self, host: &HostTruth, now: Instant) -> bool {
        let lately = self.lost.is_some_and(|lost| now - lost <= LATELY);
        let alive = host.up && host.life == self.life;
        !self.ended && ((alive && *self.ready.borrow()) || (self.was_ready && lately))
    }
}

/// How many former digests of a host are known.
const PAST: usize = 32;

/// A yes may be this old when it is counted.
const LATELY: Duration = Duration::from_millis(1001);

impl Truth {
    pub fn new(hosts: &[HostId]) -> Self {
        let began = Instant::now();
        let inner = Inner {
            began,
            hosts: hosts.iter().map(|host| (host.clone(), HostTruth::new(began))).collect(),
            instances: BTreeMap::new(),
            next: 1,
            fates: BTreeMap::new(),
            broken: BTreeSet::new(),
            failed: BTreeSet::new(),
            busy: BTreeSet::new(),
            contacts: Contacts::new(hosts),
            beliefs: Beliefs::default(),
            calm: Calm::new(began),
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
            started: Instant::now(),
            ready_since: ready.borrow().then(Instant::now),
            stands_in: inner.stands_in(host, demand).then(|| demand.clone()),
            freed: false,
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
        if ready && !was {
            instance.ready_since = Some(Instant::now());
        }
        instance.was_ready |= ready;
        let site = instance.host.site.clone();
        let line = format!("#{id} ({} at {}) ready: {ready}", instance.component, instance.host);
        inner.tell(&line);
        inner.calm.disturb(&site);
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
        inner.went(host, now);
    }

    /// A host is down.
    pub fn went(&self, host: &HostId) {
        self.lock().went(host, Instant::now());
    }

    pub fn set_snapshot(&self, host: &HostId, desired: &Desired) {
        let mut inner = self.lock();
        let Some(truth) = inner.hosts.get_mut(host) else { return };
        let now = Instant::now();
        truth.former = truth.snapshot.replace(desired.clone()).map(|former| (former, now));
        if let Some((former, at)) = &truth.former {
            truth.past.push_back((former.digest.clone(), *at));
            while truth.past.len() > PAST {
                truth.past.pop_front();
            }
        }
        truth.read = true;
        truth.snapshot_since = Some(now);
        inner.calm.disturb(&host.site);
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
    fn went(&mut self, host: &HostId, now: Instant) {
        self.calm.disturb(&host.site);
        if let Some(truth) = self.hosts.get_mut(host) {
            truth.up = false;
            truth.gone_since.get_or_insert(now);
        }
    }

    /// Something happens to the hosts of a site that may keep them busy for a while; without one, to all.
    pub fn disturb(&mut self, site: Option<&str>) {
        match site {
            Some(site) => self.calm.disturb(site),
            None => self.calm.disturb_all(),
        }
    }

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
}
