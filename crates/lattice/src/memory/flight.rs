//! Messages under way while the network has faults: delayed, held by a frozen host, or lost.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::Notify;
use tokio::time::Instant;

use dunlin_manifest::HostId;

use super::faults::Rules;
use super::shared::{Core, Listener, Shared, lock};
use crate::bus::Message;

/// How many messages may be under way from one connection to another before further ones are dropped.
const MAX_UNDER_WAY: usize = 65_536;

/// Every message under way, and the rules that decide on them.
#[derive(Debug)]
pub(super) struct Flights {
    sky: Mutex<Sky>,
    /// Tells the task that delivers that there is an earlier message than it knows of.
    wake: Arc<Notify>,
}

#[derive(Debug)]
struct Sky {
    rules: Rules,
    random: StdRng,
    count: u64,
    /// In the order of arrival; those whose host is frozen stay here until it thaws.
    under_way: BTreeMap<(Instant, u64), Flight>,
    held: BTreeMap<(Instant, u64), Flight>,
    routes: HashMap<(u64, u64), Route>,
    delivering: bool,
}

/// What is under way from one connection to another.
#[derive(Debug)]
struct Route {
    last: Instant,
    messages: usize,
}

#[derive(Debug)]
struct Flight {
    from: Arc<Core>,
    to: Weak<Listener>,
    to_core: Arc<Core>,
    /// Of the receiving connection; a message does not outlive it.
    generation: u64,
    /// Published while its host was frozen: not yet on the wire.
    grounded: bool,
    message: Message,
}

impl Flights {
    pub(super) fn new(seed: u64) -> Self {
        let sky = Sky {
            rules: Rules::default(),
            random: StdRng::seed_from_u64(seed),
            count: 0,
            under_way: BTreeMap::new(),
            held: BTreeMap::new(),
            routes: HashMap::new(),
            delivering: false,
        };
        Self { sky: Mutex::new(sky), wake: Arc::default() }
    }

    /// Changes the rules.
    pub(super) fn change(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut lock(&self.sky).rules);
    }

    /// Whether the rules let anything pass between a host and any of others.
    pub(super) fn reach(&self, host: &HostId, others: &[HostId]) -> bool {
        lock(&self.sky).rules.reach(host, others)
    }

    /// Lets go of what is held for hosts that are no longer frozen.
    pub(super) fn release(&self) {
        let mut sky = lock(&self.sky);
        // Keys stay as they were, so that everything keeps its order; most of them are in the past.
        let mut held = std::mem::take(&mut sky.held);
        sky.under_way.append(&mut held);
        drop(sky);
        self.wake.notify_one();
    }

    /// Sends one message to one listener, as the rules have it.
    pub(super) fn depart(
        &self,
        shared: &Arc<Shared>,
        from: &Arc<Core>,
        to: &Arc<Listener>,
        generation: u64,
        message: &Message,
    ) {
        let now = Instant::now();
        let mut sky = lock(&self.sky);
        let (from_host, to_host) = (&from.life.host, &to.core.life.host);
        let Some(link) = sky.rules.between(from_host, to_host) else { return };
        if link.drop > 0.0 && sky.random.random_bool(link.drop.clamp(0.0, 1.0)) {
            return;
        }
        let grounded = sky.rules.frozen(from_host);
        let delay = link.delay + sky.jitter(link.jitter);
        let key = (from.id, to.core.id);
        let held = grounded || sky.rules.frozen(to_host);
        if delay.is_zero() && !held && !sky.routes.contains_key(&key) {
            return shared.arrive(to, message.clone());
        }
        let route = sky.routes.entry(key).or_insert(Route { last: now, messages: 0 });
        if route.messages >= MAX_UNDER_WAY {
            return shared.count_dropped();
        }
        route.messages += 1;
        route.last = route.last.max(now + delay);
        let due = route.last;
        sky.count += 1;
        let number = sky.count;
        let flight = Flight {
            from: Arc::clone(from),
            to: Arc::downgrade(to),
            to_core: Arc::clone(&to.core),
            generation,
            grounded,
            message: message.clone(),
        };
        sky.under_way.insert((due, number), flight);
        if !std::mem::replace(&mut sky.delivering, true) {
            tokio::spawn(deliver(Arc::downgrade(shared), Arc::clone(&self.wake)));
        }
        drop(sky);
        self.wake.notify_one();
    }

    /// Brings in what is due; says when the next one is.
    fn land(&self, shared: &Shared) -> Option<Instant> {
        let mut sky = lock(&self.sky);
        loop {
            let entry = sky.under_way.first_entry()?;
            if entry.key().0 > Instant::now() {
                return Some(entry.key().0);
            }
            let (key, flight) = entry.remove_entry();
            let waits = sky.rules.frozen(&flight.to_core.life.host)
                || (flight.grounded && sky.rules.frozen(&flight.from.life.host));
            if waits {
                sky.held.insert(key, flight);
                continue;
            }
            sky.landed((flight.from.id, flight.to_core.id));
            if flight.to_core.connected() == Some(flight.generation)
                && let Some(listener) = flight.to.upgrade()
            {
                shared.arrive(&listener, flight.message);
            }
        }
    }
}

impl Drop for Flights {
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}

impl Sky {
    fn jitter(&mut self, most: Duration) -> Duration {
        if most.is_zero() {
            return Duration::ZERO;
        }
        most.mul_f64(self.random.random())
    }

    fn landed(&mut self, key: (u64, u64)) {
        if let Some(route) = self.routes.get_mut(&key) {
            route.messages -= 1;
            if route.messages == 0 {
                self.routes.remove(&key);
            }
        }
    }
}

/// The task that delivers, for as long as the network exists.
async fn deliver(shared: Weak<Shared>, wake: Arc<Notify>) {
    while let Some(network) = shared.upgrade() {
        let next = network.flights.land(&network);
        drop(network);
        match next {
            Some(due) => tokio::select! {
                biased;
                () = tokio::time::sleep_until(due) => {}
                () = wake.notified() => {}
            },
            None => wake.notified().await,
        }
    }
}
