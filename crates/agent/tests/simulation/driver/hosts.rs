//! The lives of hosts: they start, read their source, drain, are killed and come back.

use std::sync::Arc;
use std::time::Duration;

use dunlin_agent::{Agent, AgentConfig, HostFacts};
use dunlin_manifest::HostId;
use dunlin_placement::Desired;
use rand::RngExt;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Later, Live, Simulation};
use crate::script::digest;
use crate::stand_in::StandInLauncher;
use crate::truth::HostTruth;

impl Simulation {
    /// A source never goes back: a late delivery of an older revision is none.
    pub(super) fn deliver(&mut self, host: &HostId, desired: Desired) {
        let Some(live) = self.live.get(host) else { return };
        let number = |desired: &Desired| desired.revision[1..].parse::<u64>().unwrap_or(0);
        let newer = live.desired.borrow().as_ref().is_none_or(|known| number(known) < number(&desired));
        let desired = if self.old.contains(host) { without_failover(desired) } else { desired };
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
        // When it thaws others hear what it said before, late.
        truth.disturb((yes || how != "frozen").then_some(&host.site));
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

    /// Kills a host, which comes back after a while.
    pub(super) fn kill(&mut self, host: &HostId, away: Duration) {
        let Some(live) = self.live.remove(host) else { return };
        self.truth.killed(host);
        self.disks.entry(host.clone()).or_default().ran = live.handle.ran().borrow().clone();
        self.network.faults().kill(host);
        live.handle.kill();
        drop(live);
        self.isolate(host, "disconnected", false);
        self.later(away, Later::Restart(host.clone()));
    }

    /// Drains a host, which comes back a while after it has.
    pub(super) fn drain(&mut self, host: &HostId, grace: Duration, away: Duration) {
        let Some(live) = self.live.get_mut(host) else { return };
        if std::mem::replace(&mut live.draining, true) {
            return;
        }
        live.away = away;
        let now = Instant::now();
        {
            let mut truth = self.truth.lock();
            truth.tell(&format!("DRAIN {host} within {grace:?}"));
            if let Some(state) = truth.hosts.get_mut(host) {
                state.draining = Some((now, now + grace));
                state.gone_since = Some(now);
            }
            truth.contacts.lose(host, false);
            truth.disturb(Some(&host.site));
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
        self.truth.went(host);
        self.disks.entry(host.clone()).or_default().ran = live.handle.ran().borrow().clone();
        self.network.faults().kill(host);
        let away = live.away;
        drop(live);
        self.isolate(host, "disconnected", false);
        self.later(away, Later::Restart(host.clone()));
    }

    pub(super) async fn restart(&mut self, host: &HostId) {
        if self.live.contains_key(host) {
            return;
        }
        let disk = self.disks.entry(host.clone()).or_default();
        let (ran, last_good) = (disk.ran.clone(), disk.last_good.clone());
        let source = self.random.random_bool(0.7) || last_good.is_none();
        let linked = self.linked(&host.site);
        let life = {
            let frozen = self.isolated.get(host).is_some_and(|how| !how.is_empty());
            let mut truth = self.truth.lock();
            truth.tell(&format!("START {host}, ran {ran:?}, source: {source}"));
            truth.contacts.lose(host, true);
            truth.forgets(host);
            truth.disturb(Some(&host.site));
            let life = truth.hosts.get(host).map_or(0, |state| state.life) + 1;
            let state = HostTruth {
                life,
                up: true,
                gone_since: None,
                snapshot: last_good.clone(),
                ran: ran.clone(),
                isolated_since: frozen.then(Instant::now),
                linked,
                old: self.old.contains(host),
                ..HostTruth::new(Instant::now())
            };
            truth.hosts.insert(host.clone(), state);
            life
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
        let (facts, facts_receiver) = watch::channel(HostFacts { linked, ..HostFacts::default() });
        let handle = Agent::start(config, Arc::new(launcher), connection, desired_receiver, facts_receiver)
            .expect("an agent starts");
        let away = Duration::ZERO;
        let live = Live { life, handle: Arc::new(handle), desired, facts, draining: false, away };
        self.live.insert(host.clone(), live);
        let read = if source { self.millis(0, 2_000) } else { self.millis(5_000, 40_000) };
        let desired = self.repository.desired();
        self.later(read, Later::Deliver(host.clone(), desired));
    }
}

/// A host of an older release keeps a component at the form that it knows.
fn without_failover(mut desired: Desired) -> Desired {
    desired.components.values_mut().for_each(|demand| demand.failover = None);
    desired.digest = digest(&desired.components);
    desired
}
