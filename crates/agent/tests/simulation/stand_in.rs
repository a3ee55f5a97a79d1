//! Stand-ins for components: they start after a while, fail when told to, and tell the observer everything.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use dunlin_agent::{Launcher, Slot, StartFailure};
use dunlin_manifest::HostId;
use dunlin_placement::Demand;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::truth::{Fate, Truth};

/// Starts stand-ins on one host, during one life of it.
pub struct StandInLauncher {
    pub host: HostId,
    pub life: u64,
    pub truth: Truth,
    random: Mutex<StdRng>,
}

/// A component that does nothing but be ready or not.
pub struct StandIn {
    id: u64,
    component: String,
    truth: Truth,
    ready: watch::Sender<bool>,
    drains_for: Duration,
}

impl StandInLauncher {
    pub fn new(host: HostId, life: u64, truth: Truth, seed: u64) -> Self {
        Self { host, life, truth, random: Mutex::new(StdRng::seed_from_u64(seed)) }
    }

    fn millis(&self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.random.lock().unwrap().random_range(range))
    }
}

#[async_trait]
impl Launcher for StandInLauncher {
    type Slot = StandIn;

    async fn start(&self, demand: &Demand) -> Result<Arc<StandIn>, StartFailure> {
        let fate = self.truth.starts(&self.host, self.life, demand);
        sleep(self.millis(20..2500)).await;
        match fate {
            Fate::Starts => {}
            Fate::Hangs => std::future::pending::<()>().await,
            Fate::FailsHere => return Err(StartFailure::Here("the disk is full".into())),
            Fate::FailsEverywhere => return Err(StartFailure::Everywhere("the digest is wrong".into())),
        }
        let slow = self.random.lock().unwrap().random_bool(0.3);
        let ready = watch::Sender::new(!slow);
        let id = self.truth.started(&self.host, self.life, demand, &ready);
        let slot = StandIn {
            id,
            component: demand.component.clone(),
            truth: self.truth.clone(),
            ready,
            drains_for: self.millis(0..6000),
        };
        if slow {
            let (truth, after) = (self.truth.clone(), self.millis(20..1500));
            tokio::spawn(async move {
                sleep(after).await;
                truth.set_ready(id, true);
            });
        }
        Ok(Arc::new(slot))
    }
}

#[async_trait]
impl Slot for StandIn {
    fn ready(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }

    fn begin_drain(&self) {
        self.truth.leaves(self.id);
    }

    async fn drained(&self, limit: Duration) {
        sleep(self.drains_for.min(limit)).await;
    }

    fn last_call(&self) -> Option<Instant> {
        self.truth.is_busy(&self.component).then(Instant::now)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.truth.dropped(self.id);
    }
}
