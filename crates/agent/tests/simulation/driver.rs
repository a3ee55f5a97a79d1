//! Plays a script on real agents, then lets everything calm down and compares with what Git says.

mod contacts;
mod happen;
mod hosts;
mod partitions;
mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dunlin_agent::{AgentHandle, Bugs, HostFacts};
use dunlin_lattice::memory::{Link, Network, Place};
use dunlin_manifest::HostId;
use dunlin_placement::{Demand, Desired};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::script::{Profile, Repository, hosts};
use crate::stand_in::StandIn;
use crate::truth::Truth;

struct Live {
    life: u64,
    handle: Arc<AgentHandle<StandIn>>,
    desired: watch::Sender<Option<Desired>>,
    facts: watch::Sender<HostFacts>,
    draining: bool,
    /// How long it stays away after it has drained.
    away: Duration,
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
    TellLinks,
    Revert(String, Option<Demand>),
}

struct Simulation {
    random: StdRng,
    profile: Profile,
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
    /// Who does not reach whom now, by all cuts.
    cut: BTreeSet<(usize, usize)>,
    /// Sites that are cut off from all others, and since when.
    alone: BTreeMap<String, Instant>,
    /// Sites whose hosts can ask for their server's link to the hub.
    knows_link: BTreeSet<String>,
    /// Hosts of a release that does not know failover.
    old: BTreeSet<HostId>,
    isolated: BTreeMap<HostId, BTreeSet<&'static str>>,
    lossy: bool,
    count: u64,
}

/// Runs a seed: the first violation, and a hash of all that happened.
pub async fn run(seed: u64, profile: Profile, bugs: Bugs) -> (Option<String>, u64) {
    let mut simulation = Simulation::new(seed, profile, bugs);
    simulation.begin();
    let end = Instant::now() + profile.trouble();
    simulation.play(end).await;
    if simulation.truth.lock().violation.is_none() {
        simulation.settle().await;
    }
    let violation = simulation.truth.lock().violation.take();
    (violation, simulation.truth.hash())
}

impl Simulation {
    fn new(seed: u64, profile: Profile, bugs: Bugs) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let hosts = hosts(profile, &mut random);
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for host in &hosts {
            *counts.entry(host.site.clone()).or_default() += 1;
        }
        let sites: Vec<String> = counts.keys().cloned().collect();
        let knows_link = sites.iter().filter(|_| random.random_bool(0.7)).cloned().collect();
        let some_old = profile == Profile::Sites && random.random_bool(0.4);
        let old = hosts.iter().filter(|_| some_old && random.random_bool(0.2)).cloned().collect();
        let repository = Repository::new(profile, sites, counts, &mut random);
        Self {
            network: Network::new(random.random()),
            truth: Truth::new(&hosts),
            random,
            profile,
            bugs,
            repository,
            hosts,
            live: BTreeMap::new(),
            disks: BTreeMap::new(),
            later: BTreeMap::new(),
            drains: JoinSet::new(),
            cuts: BTreeMap::new(),
            cut: BTreeSet::new(),
            alone: BTreeMap::new(),
            knows_link,
            old,
            isolated: BTreeMap::new(),
            lossy: false,
            count: 0,
        }
    }

    fn begin(&mut self) {
        for host in self.hosts.clone() {
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
    async fn play(&mut self, end: Instant) {
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
                let what = self.profile.next(&mut self.random);
                self.happen(what);
                happens = now + self.profile.pause(&mut self.random);
            }
            // Looking at hundreds of hosts takes a while; less often is often enough.
            if self.profile != Profile::Crowd || now >= look {
                self.look();
                look = now + Duration::from_secs(1);
            }
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
                self.truth.lock().disturb(None);
                self.network.faults().link(Place::Anywhere, Place::Anywhere, Link::default());
            }
            Later::FateOver(host, component) => {
                self.truth.lock().fates.remove(&(host, component));
            }
            Later::Ready(id) => self.truth.set_ready(id, true),
            Later::Idle(component) => {
                self.truth.lock().busy.remove(&component);
            }
            Later::TellLinks => self.tell_links(),
            Later::Revert(component, former) => {
                let what = self.repository.revert(&component, former);
                self.committed(&what);
            }
        }
    }
}
