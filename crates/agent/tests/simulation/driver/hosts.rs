//! The lives of hosts: they start, read their source, drain, are killed and come back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dunlin_agent::{Agent, AgentConfig, HostFacts};
use dunlin_manifest::HostId;
use dunlin_placement::Desired;
use rand::RngExt;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Later, Live, Simulation};
use crate::stand_in::StandInLauncher;
use crate::truth::HostTruth;

impl Simulation {
    /// A source never goes back: a late delivery of an older revision is none.
    pub(super) fn deliver(&mut self, host: &HostId, desired: Desired) {
        let Some(live) = self.live.get(host) else { return };
        let number = |desired: &Desired| desired.revision[1..].parse::<u64>().unwrap_or(0);
        let newer = live.desired.borrow().as_ref().is_none_or(|known| number(known) < number(&desired));
        if newer {
            self.truth.set_snapshot(host, &desired);
            self.disks.entry(host.clone()).or_default().last_good = Some(desired.clone());
            live.desired.send_replace(Some(desired));
        }
    }

    pub(super) fn isolate(&mut self, host: &HostId, how: &'static str, yes: bool) {
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

    pub(super) fn kill(&mut self, host: &HostId) {
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

    pub(super) fn drain(&mut self, host: &HostId, grace: Duration) {
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

    pub(super) fn drained(&mut self, host: &HostId, life: u64) {
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

    pub(super) async fn restart(&mut self, host: &HostId) {
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
    pub(super) fn note_contacts(&self) {
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
}
