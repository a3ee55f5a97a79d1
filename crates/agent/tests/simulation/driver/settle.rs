//! The end of a run: all trouble ends, and everything must become as Git says and stay so.

use std::collections::BTreeMap;
use std::time::Duration;

use dunlin_manifest::HostId;
use dunlin_placement::{Desired, Replicas, order};
use tokio::time::{Instant, sleep_until};

use super::{Later, Simulation};

/// After the trouble everything must be as asked within this time: the longest wait is that for another attempt
/// after several failed starts.
const SETTLES: Duration = Duration::from_secs(240);

/// How often the observer looks meanwhile.
const LOOK: Duration = Duration::from_millis(500);

/// And must stay so: nothing starts and nothing ends. What stands in for others may take its time before that.
const QUIET: Duration = Duration::from_secs(25);

impl Simulation {
    /// Ends all trouble; then everything must become as Git says, and stay so.
    pub(super) async fn settle(&mut self) {
        self.truth.tell("ALL TROUBLE ENDS");
        self.cuts.clear();
        self.apply_cuts();
        self.tell_links();
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
            truth.disturb(None);
        }
        self.lossy = false;
        // Whoever is down or on its way comes back.
        while !self.drains.is_empty() || !self.later.is_empty() {
            let at = self
                .later
                .first_key_value()
                .map_or(Instant::now() + LOOK, |((at, _), _)| (*at).min(Instant::now() + LOOK));
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
            self.look();
        }
        self.repository.settle(&mut self.random);
        let desired = self.repository.desired();
        for host in self.hosts.clone() {
            self.deliver(&host, desired.clone());
        }
        self.truth.tell("the last commit is everywhere");
        let expected = self.expected(&desired);
        let limit = Instant::now() + SETTLES;
        let mut quiet = (self.truth.lock().movements, Instant::now());
        loop {
            tokio::time::sleep(LOOK).await;
            self.look();
            let found = self.truth.serving();
            let movements = self.truth.lock().movements;
            if found != expected || movements != quiet.0 {
                quiet = (movements, Instant::now());
            }
            if quiet.1.elapsed() >= QUIET || self.truth.lock().violation.is_some() {
                return;
            }
            if Instant::now() >= limit {
                let what = format!("not settled: expected {}, found {}", show(&expected), show(&found));
                return self.truth.lock().violated(&what);
            }
        }
    }

    pub(super) fn expected(&self, desired: &Desired) -> BTreeMap<String, BTreeMap<HostId, String>> {
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
