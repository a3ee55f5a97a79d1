//! Plays a script on real agents, then lets everything calm down and compares with what Git says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dunlin_agent::{Agent, AgentConfig, AgentHandle, Bugs, HostFacts};
use dunlin_lattice::memory::{Link, Network, Place};
use dunlin_manifest::HostId;
use dunlin_placement::{Desired, Replicas, order};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::script::{Happening, Profile, Repository, hosts};
use crate::stand_in::{StandIn, StandInLauncher};
use crate::truth::{Fate, HostTruth, Truth};

/// After the trouble everything must be as asked within this time: the longest wait is that for another attempt
/// after several failed starts.
const SETTLES: Duration = Duration::from_secs(240);

/// And must stay so.
const QUIET: Duration = Duration::from_secs(25);

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

    /// A source never goes back: a late delivery of an older revision is none.
    fn deliver(&mut self, host: &HostId, desired: Desired) {
        let Some(live) = self.live.get(host) else { return };
        let number = |desired: &Desired| desired.revision[1..].parse::<u64>().unwrap_or(0);
        let newer = live.desired.borrow().as_ref().is_none_or(|known| number(known) < number(&desired));
        if newer {
            self.truth.set_snapshot(host, &desired);
            self.disks.entry(host.clone()).or_default().last_good = Some(desired.clone());
            live.desired.send_replace(Some(desired));
        }
    }

    fn partition(&mut self) {
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

    fn apply_cuts(&self) {
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

    fn isolate(&mut self, host: &HostId, how: &'static str, yes: bool) {
        let ways = self.isolated.entry(host.clone()).or_default();
        let was = !ways.is_empty();
        if yes {
            ways.insert(how);
        } else {
            ways.remove(how);
        }
        let is = !ways.is_empty();
        let mut truth = self.truth.lock();
        let Some(state) = truth.hosts.get_mut(host) else { return };
        match (was, is) {
            (false, true) => state.isolated_since = Some(Instant::now()),
            (true, false) => {
                let since = state.isolated_since.take();
                if since.is_some_and(|since| since.elapsed() >= Duration::from_millis(4_500)) {
                    state.hears_again_since = Some(Instant::now());
                }
            }
            _ => {}
        }
    }

    fn kill(&mut self, host: &HostId) {
        let Some(live) = self.live.remove(host) else { return };
        self.truth.killed(host);
        self.disks.entry(host.clone()).or_default().ran = live.handle.ran().borrow().clone();
        self.network.faults().kill(host);
        live.handle.kill();
        drop(live);
        self.isolate(host, "disconnected", false);
        let after = self.millis(200, 25_000);
        self.later(after, Later::Restart(host.clone()));
    }

    fn drain(&mut self, host: &HostId, grace: Duration) {
        let Some(live) = self.live.get_mut(host) else { return };
        if std::mem::replace(&mut live.draining, true) {
            return;
        }
        let now = Instant::now();
        {
            let mut truth = self.truth.lock();
            truth.tell(&format!("DRAIN {host} within {grace:?}"));
            if let Some(state) = truth.hosts.get_mut(host) {
                state.draining = Some((now, now + grace));
            }
            truth.contacts.retain(|(_, other), _| other != host);
        }
        let (handle, life, host) = (Arc::clone(&live.handle), live.life, host.clone());
        self.drains.spawn(async move {
            handle.drain(grace).await;
            (host, life)
        });
    }

    fn drained(&mut self, host: &HostId, life: u64) {
        if self.live.get(host).is_none_or(|live| live.life != life) {
            return;
        }
        let Some(live) = self.live.remove(host) else { return };
        self.truth.tell(format!("{host} has drained"));
        if let Some(state) = self.truth.lock().hosts.get_mut(host) {
            state.up = false;
        }
        self.disks.entry(host.clone()).or_default().ran = live.handle.ran().borrow().clone();
        self.network.faults().kill(host);
        drop(live);
        self.isolate(host, "disconnected", false);
        let after = self.millis(100, 15_000);
        self.later(after, Later::Restart(host.clone()));
    }

    async fn restart(&mut self, host: &HostId) {
        if self.live.contains_key(host) {
            return;
        }
        let disk = self.disks.entry(host.clone()).or_default();
        let (ran, last_good) = (disk.ran.clone(), disk.last_good.clone());
        let source = self.random.random_bool(0.7) || last_good.is_none();
        let life = {
            let frozen = self.isolated.get(host).is_some_and(|how| !how.is_empty());
            let mut truth = self.truth.lock();
            truth.tell(&format!("START {host}, ran {ran:?}, source: {source}"));
            truth.contacts.retain(|(one, other), _| one != host && other != host);
            let state = truth.hosts.entry(host.clone()).or_default();
            *state = HostTruth {
                life: state.life + 1,
                up: true,
                snapshot: last_good.clone(),
                ran: ran.clone(),
                isolated_since: frozen.then(Instant::now),
                ..HostTruth::default()
            };
            state.life
        };
        let config = AgentConfig {
            ran,
            last_good,
            start_limit: Duration::from_secs(12),
            seed: Some(self.random.random()),
            bugs: self.bugs,
            ..AgentConfig::new(host.clone(), "simulation", 1 << 30)
        };
        let launcher = StandInLauncher::new(host.clone(), life, self.truth.clone(), self.random.random());
        let connection = self.network.bus(host).connect("presence").await.expect("a living host connects");
        let (desired, desired_receiver) = watch::channel(None);
        let (facts, facts_receiver) = watch::channel(HostFacts::default());
        let handle = Agent::start(config, Arc::new(launcher), connection, desired_receiver, facts_receiver)
            .expect("an agent starts");
        let live = Live { life, handle: Arc::new(handle), desired, _facts: facts, draining: false };
        self.live.insert(host.clone(), live);
        let read = if source { self.millis(0, 2_000) } else { self.millis(5_000, 40_000) };
        let desired = self.repository.desired();
        self.later(read, Later::Deliver(host.clone(), desired));
    }

    /// Who hears whom, as far as it is certain.
    fn note_contacts(&self) {
        let now = Instant::now();
        let cut: BTreeSet<&(HostId, HostId)> = self.cuts.values().flatten().collect();
        let alone = |host: &HostId| self.isolated.get(host).is_some_and(|how| !how.is_empty());
        let mut truth = self.truth.lock();
        for host in &self.hosts {
            for other in &self.hosts {
                let hears = host != other
                    && self.live.contains_key(host)
                    && self.live.get(other).is_some_and(|live| !live.draining)
                    && !alone(host)
                    && !alone(other)
                    && !self.lossy
                    && !cut.contains(&(other.clone(), host.clone()));
                let contact = truth.contacts.entry((host.clone(), other.clone())).or_default();
                contact.since = hears.then(|| contact.since.unwrap_or(now));
                if contact.since.is_some_and(|since| now - since >= Duration::from_secs(10)) {
                    contact.known = Some(now);
                }
            }
        }
    }

    /// Ends all trouble; then everything must become as Git says, and stay so.
    async fn settle(&mut self) {
        self.truth.tell("ALL TROUBLE ENDS");
        self.cuts.clear();
        self.later.retain(|_, later| matches!(later, Later::Restart(_) | Later::Ready(_)));
        self.network.faults().calm();
        for host in self.hosts.clone() {
            self.isolate(&host, "frozen", false);
            self.isolate(&host, "disconnected", false);
        }
        {
            let mut truth = self.truth.lock();
            truth.fates.clear();
            truth.broken.clear();
            truth.busy.clear();
        }
        self.lossy = false;
        // Whoever is down or on its way comes back.
        while !self.drains.is_empty() || !self.later.is_empty() {
            let at = self
                .later
                .first_key_value()
                .map_or(Instant::now() + Duration::from_secs(1), |((at, _), _)| *at);
            tokio::select! {
                biased;
                Some(drained) = self.drains.join_next(), if !self.drains.is_empty() => {
                    if let Ok((host, life)) = drained {
                        self.drained(&host, life);
                    }
                }
                () = sleep_until(at) => {
                    if let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= Instant::now()) {
                        let what = entry.remove();
                        self.act(what).await;
                    }
                }
            }
        }
        self.repository.settle(&mut self.random);
        let desired = self.repository.desired();
        for host in self.hosts.clone() {
            self.deliver(&host, desired.clone());
        }
        self.truth.tell("the last commit is everywhere");
        let expected = self.expected(&desired);
        let limit = Instant::now() + SETTLES;
        while self.truth.serving() != expected {
            if Instant::now() >= limit || self.truth.lock().violation.is_some() {
                let found = self.truth.serving();
                let what = format!("not settled: expected {}, found {}", show(&expected), show(&found));
                return self.truth.lock().violated(&what);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        self.truth.tell("all is as asked");
        // What leaves finishes its calls; after that nothing may move.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let movements = self.truth.lock().movements;
        tokio::time::sleep(QUIET).await;
        let moved = self.truth.lock().movements - movements;
        if moved > 0 || self.truth.serving() != expected {
            let found = show(&self.truth.serving());
            self.truth.lock().violated(&format!("not quiet: {moved} movements, found {found}"));
        }
    }

    fn expected(&self, desired: &Desired) -> BTreeMap<String, BTreeMap<HostId, String>> {
        let mut all = BTreeMap::new();
        for (name, demand) in &desired.components {
            let mut chosen = BTreeMap::new();
            for (site, asked) in &demand.sites {
                let here = self.hosts.iter().filter(|host| host.site == *site).map(|host| (host, 100));
                let count = match asked.replicas {
                    Replicas::All => usize::MAX,
                    Replicas::Count(count) => count as usize,
                };
                for host in order(name, here).into_iter().take(count) {
                    chosen.insert(host.clone(), demand.identity.clone());
                }
            }
            all.insert(name.clone(), chosen);
        }
        all
    }
}

fn show(serving: &BTreeMap<String, BTreeMap<HostId, String>>) -> String {
    let component = |(name, hosts): (&String, &BTreeMap<HostId, String>)| {
        let hosts: Vec<String> =
            hosts.iter().map(|(host, identity)| format!("{}={identity}", host.host)).collect();
        format!("{name}: {}", hosts.join(" "))
    };
    let all: Vec<String> = serving.iter().map(component).collect();
    all.join("; ")
}
