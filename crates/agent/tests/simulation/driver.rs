//! Plays a script on real agents, then lets everything calm down and compares with what Git says.

mod hosts;
mod partitions;
mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dunlin_agent::{AgentHandle, Bugs, HostFacts};
use dunlin_lattice::memory::{Link, Network, Place};
use dunlin_manifest::HostId;
use dunlin_placement::Desired;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::script::{Happening, Profile, Repository, hosts};
use crate::stand_in::StandIn;
use crate::truth::{Fate, HostTruth, Truth};

struct Live {
    life: u64,
    handle: Arc<AgentHandle<StandIn>>,
    desired: watch::Sender<Option<Desired>>,
    _facts: watch::Sender<HostFacts>,
    draining: bool,
}

/// What a host keeps on disk.
#[derive(Default)]
struct Disk {
    ran: BTreeSet<String>,
    last_good: Option<Desired>,
}

enum Later {
    Deliver(HostId, Desired),
    Restart(HostId),
    Heal(u64),
    Thaw(HostId),
    Reconnect(HostId),
    LinkBack,
    FateOver(HostId, String),
    Ready(u64),
    Idle(String),
}

struct Simulation {
    random: StdRng,
    bugs: Bugs,
    truth: Truth,
    network: Network,
    repository: Repository,
    hosts: Vec<HostId>,
    live: BTreeMap<HostId, Live>,
    disks: BTreeMap<HostId, Disk>,
    later: BTreeMap<(Instant, u64), Later>,
    drains: JoinSet<(HostId, u64)>,
    cuts: BTreeMap<u64, Vec<(HostId, HostId)>>,
    isolated: BTreeMap<HostId, BTreeSet<&'static str>>,
    lossy: bool,
    count: u64,
}

/// Runs a seed: the first violation, and a hash of all that happened.
pub async fn run(seed: u64, profile: Profile, bugs: Bugs) -> (Option<String>, u64) {
    let mut simulation = Simulation::new(seed, bugs);
    simulation.begin();
    let end = Instant::now() + profile.trouble();
    simulation.play(profile, end).await;
    if simulation.truth.lock().violation.is_none() {
        simulation.settle().await;
    }
    let violation = simulation.truth.lock().violation.take();
    (violation, simulation.truth.hash())
}

impl Simulation {
    fn new(seed: u64, bugs: Bugs) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let hosts = hosts(&mut random);
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for host in &hosts {
            *counts.entry(host.site.clone()).or_default() += 1;
        }
        let repository = Repository::new(counts.keys().cloned().collect(), counts, &mut random);
        Self {
            network: Network::new(random.random()),
            truth: Truth::new(),
            random,
            bugs,
            repository,
            hosts,
            live: BTreeMap::new(),
            disks: BTreeMap::new(),
            later: BTreeMap::new(),
            drains: JoinSet::new(),
            cuts: BTreeMap::new(),
            isolated: BTreeMap::new(),
            lossy: false,
            count: 0,
        }
    }

    fn begin(&mut self) {
        for host in self.hosts.clone() {
            self.truth.lock().hosts.insert(host.clone(), HostTruth::default());
            let wait = self.millis(0, 3000);
            self.later(wait, Later::Restart(host));
        }
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.random.random_range(from..to))
    }

    fn any_host(&mut self) -> HostId {
        let index = self.random.random_range(0..self.hosts.len());
        self.hosts[index].clone()
    }

    fn later(&mut self, after: Duration, what: Later) {
        self.count += 1;
        self.later.insert((Instant::now() + after, self.count), what);
    }

    /// Until `end`, or the first violation.
    async fn play(&mut self, profile: Profile, end: Instant) {
        let mut happens = Instant::now() + Duration::from_secs(12);
        let mut look = Instant::now();
        loop {
            let next = self.later.first_key_value().map_or(end, |((at, _), _)| *at);
            let now = next.min(happens).min(look).min(end);
            tokio::select! {
                biased;
                Some(drained) = self.drains.join_next(), if !self.drains.is_empty() => {
                    if let Ok((host, life)) = drained {
                        self.drained(&host, life);
                    }
                    continue;
                }
                () = sleep_until(now) => {}
            }
            let now = Instant::now();
            while let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= now) {
                let what = entry.remove();
                self.act(what).await;
            }
            if now >= happens {
                let what = profile.next(&mut self.random);
                self.happen(what, profile);
                happens = now + profile.pause(&mut self.random);
            }
            self.note_contacts();
            look = now + Duration::from_secs(1);
            if now >= end || self.truth.lock().violation.is_some() {
                return;
            }
        }
    }

    async fn act(&mut self, what: Later) {
        match what {
            Later::Deliver(host, desired) => self.deliver(&host, desired),
            Later::Restart(host) => self.restart(&host).await,
            Later::Heal(cut) => {
                self.cuts.remove(&cut);
                self.apply_cuts();
                self.truth.tell(format!("heal cut {cut}"));
            }
            Later::Thaw(host) => {
                self.truth.tell(format!("thaw {host}"));
                self.network.faults().thaw(&host);
                self.isolate(&host, "frozen", false);
            }
            Later::Reconnect(host) => {
                self.truth.tell(format!("reconnect {host}"));
                self.network.faults().reconnect(&host);
                self.isolate(&host, "disconnected", false);
            }
            Later::LinkBack => {
                self.lossy = false;
                self.network.faults().link(Place::Anywhere, Place::Anywhere, Link::default());
            }
            Later::FateOver(host, component) => {
                self.truth.lock().fates.remove(&(host, component));
            }
            Later::Ready(id) => self.truth.set_ready(id, true),
            Later::Idle(component) => {
                self.truth.lock().busy.remove(&component);
            }
        }
    }

    fn happen(&mut self, what: Happening, profile: Profile) {
        match what {
            Happening::Commit => self.commit(profile),
            Happening::Kill => {
                let host = self.any_host();
                self.kill(&host);
            }
            Happening::Outage => {
                let (host, all) = (self.any_host(), self.random.random_bool(0.3));
                for other in self.hosts.clone() {
                    if all || other.site == host.site {
                        self.kill(&other);
                    }
                }
            }
            Happening::Drain => {
                let host = self.any_host();
                let grace = self.millis(3_000, 25_000);
                self.drain(&host, grace);
            }
            Happening::Partition => self.partition(),
            Happening::Freeze | Happening::Disconnect => {
                let host = self.any_host();
                if !self.live.contains_key(&host)
                    || self.isolated.get(&host).is_some_and(|how| !how.is_empty())
                {
                    return;
                }
                let until = self.millis(300, 20_000);
                self.truth.tell(format!("{what:?} {host} for {until:?}"));
                if what == Happening::Freeze {
                    self.network.faults().freeze(&host);
                    self.isolate(&host, "frozen", true);
                    self.later(until, Later::Thaw(host));
                } else {
                    self.network.faults().disconnect(&host);
                    self.isolate(&host, "disconnected", true);
                    self.later(until, Later::Reconnect(host));
                }
            }
            Happening::Link => {
                let (delay, jitter) = profile.lateness(&mut self.random);
                let link = Link {
                    delay,
                    jitter,
                    drop: if profile == Profile::Haste || self.random.random_bool(0.5) {
                        0.0
                    } else {
                        self.random.random_range(0.0..0.25)
                    },
                };
                self.lossy |= link.drop > 0.0;
                self.truth.tell(format!("{link:?}"));
                self.network.faults().link(Place::Anywhere, Place::Anywhere, link);
                if profile != Profile::Haste && self.random.random_bool(0.5) {
                    let after = self.millis(2_000, 20_000);
                    self.later(after, Later::LinkBack);
                }
            }
            Happening::FailStarts => {
                let (host, component) = (self.any_host(), self.any_component());
                let fate = if self.random.random_bool(0.3) { Fate::Hangs } else { Fate::FailsHere };
                self.truth.tell(format!("from now on {component} {fate:?} at {host}"));
                self.truth.lock().fates.insert((host.clone(), component.clone()), fate);
                let after = self.millis(1_000, 30_000);
                self.later(after, Later::FateOver(host, component));
            }
            Happening::Unready => {
                let running = self.truth.running();
                if !running.is_empty() {
                    let id = running[self.random.random_range(0..running.len())];
                    self.truth.set_ready(id, false);
                    let after = self.millis(100, 4_000);
                    self.later(after, Later::Ready(id));
                }
            }
            Happening::Busy => {
                let component = self.any_component();
                self.truth.lock().busy.insert(component.clone());
                let after = self.millis(1_000, 30_000);
                self.later(after, Later::Idle(component));
            }
        }
    }

    fn any_component(&mut self) -> String {
        ["todo", "front", "every"][self.random.random_range(0..3)].to_owned()
    }

    fn commit(&mut self, profile: Profile) {
        let what = self.repository.commit(profile, &mut self.random);
        self.truth.tell(what);
        if profile == Profile::Everything && self.random.random_bool(0.05) {
            let identities = self.repository.desired();
            let broken = identities.components.values().next().map(|demand| demand.identity.clone());
            if let Some(identity) = broken {
                self.truth.tell(format!("{identity} is broken everywhere"));
                self.truth.lock().broken.insert(identity);
            }
        }
        let desired = self.repository.desired();
        for host in self.hosts.clone() {
            let late =
                if self.random.random_bool(0.1) { self.millis(3_000, 15_000) } else { self.millis(0, 1_200) };
            self.later(late, Later::Deliver(host, desired.clone()));
        }
    }
}
