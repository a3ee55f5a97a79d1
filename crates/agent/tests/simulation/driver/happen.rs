//! What the script makes happen.

use dunlin_lattice::memory::{Link, Place};
use rand::RngExt;

use super::{Later, Simulation};
use crate::script::{Happening, Profile};
use crate::truth::Fate;

impl Simulation {
    pub(super) fn happen(&mut self, what: Happening) {
        let profile = self.profile;
        match what {
            Happening::Commit => self.commit(),
            Happening::Kill => {
                let (host, away) = (self.any_host(), self.millis(200, 25_000));
                self.kill(&host, away);
            }
            Happening::Outage => {
                let (host, all) = (self.any_host(), self.random.random_bool(0.3));
                for other in self.hosts.clone() {
                    if all || other.site == host.site {
                        let away = self.millis(200, 25_000);
                        self.kill(&other, away);
                    }
                }
            }
            Happening::SiteOutage | Happening::SiteDrain => {
                let (site, least) = (self.any_host().site, self.random.random_range(5_000..45_000));
                for host in self.hosts.clone().into_iter().filter(|host| host.site == site) {
                    let away = self.millis(least, least + 10_000);
                    if what == Happening::SiteOutage {
                        self.kill(&host, away);
                    } else {
                        let grace = self.millis(3_000, 40_000);
                        self.drain(&host, grace, away);
                    }
                }
            }
            Happening::HubOutage => self.hub_outage(),
            Happening::Burst => self.burst(),
            Happening::Drain => {
                let host = self.any_host();
                let (grace, away) = (self.millis(3_000, 25_000), self.millis(100, 15_000));
                self.drain(&host, grace, away);
            }
            Happening::Partition => self.partition(),
            Happening::Freeze | Happening::Disconnect => {
                let host = self.any_host();
                if !self.live.contains_key(&host)
                    || self.isolated.get(&host).is_some_and(|how| !how.is_empty())
                {
                    return;
                }
                let until = self.millis(300, if profile == Profile::Sites { 40_000 } else { 20_000 });
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
                self.truth.lock().disturb(None);
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

    fn commit(&mut self) {
        let what = self.repository.commit(&mut self.random);
        self.committed(&what);
    }

    /// A, B and C, and soon what B did is taken back; every host learns of each in its own time.
    fn burst(&mut self) {
        let mut second = None;
        for number in 0..3 {
            self.commit();
            if number == 1 {
                second = self.repository.last();
            }
        }
        if let Some((component, former)) = second {
            let after = self.millis(0, 4_000);
            self.later(after, Later::Revert(component, former));
        }
    }

    pub(super) fn committed(&mut self, what: &str) {
        self.truth.tell(what);
        if self.profile == Profile::Everything && self.random.random_bool(0.05) {
            let identities = self.repository.desired();
            let broken = identities.components.values().next().map(|demand| demand.identity.clone());
            if let Some(identity) = broken {
                self.truth.tell(format!("{identity} is broken everywhere"));
                self.truth.lock().broken.insert(identity);
            }
        }
        let desired = self.repository.desired();
        for host in self.hosts.clone() {
            let late = if self.random.random_bool(0.1) {
                self.millis(3_000, 15_000)
            } else {
                self.millis(0, self.profile.delivery())
            };
            self.later(late, Later::Deliver(host, desired.clone()));
        }
    }
}
