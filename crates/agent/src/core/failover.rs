//! Homes that are lost, and homes that are back: the judging host's own stopwatches for failover.

use std::collections::{BTreeMap, BTreeSet};

use dunlin_manifest::HostId;
use dunlin_placement::{CANDIDATE, Demand, HostView, Replicas, home_ready, is_over, is_told, lost_for};
use tokio::time::Instant;

use super::Bugs;
use super::decide::LISTEN;

/// What one host thinks of other sites, and since when.
#[derive(Debug, Default)]
pub(super) struct Failovers {
    sites: BTreeMap<String, Watch>,
    over: BTreeMap<(String, String), Over>,
}

/// One site that components are asked for in and have failover from.
#[derive(Debug, Clone, Copy)]
struct Watch {
    /// Since when this host listens without a gap; before that it knows nothing.
    listens_since: Instant,
    /// When the site last had a live host. At first the start of listening.
    live_at: Instant,
    /// A host of it was heard since then.
    heard: bool,
}

/// A home that is stood in for.
#[derive(Debug, Clone, Copy)]
struct Over {
    since: Instant,
    ready_since: Option<Instant>,
}

impl Failovers {
    /// Takes in what is seen now. `hears` if this host may judge other sites: it is not deaf, nor cut off with its
    /// whole site. What was concluded before stays; only the stopwatches begin again.
    pub(super) fn watch<'a>(
        &mut self,
        demands: impl Iterator<Item = &'a Demand> + Clone,
        hosts: &[HostView],
        me: &HostId,
        hears: bool,
        now: Instant,
        bugs: Bugs,
    ) {
        // Of what is suspended nothing starts anywhere, nor does it end that anybody stands in for it.
        let active = || demands.clone().filter(|demand| !demand.suspend);
        let pairs = || active().filter_map(|demand| Some((demand, demand.failover.as_ref()?)));
        let homes: BTreeSet<&str> =
            pairs().flat_map(|(demand, _)| asked(demand)).filter(|site| *site != me.site).collect();
        self.sites.retain(|site, _| homes.contains(site.as_str()));
        let known: BTreeSet<(&str, &str)> = pairs()
            .flat_map(|(demand, _)| asked(demand).map(|home| (demand.component.as_str(), home)))
            .collect();
        self.over.retain(|(component, home), _| known.contains(&(component.as_str(), home.as_str())));
        if !hears {
            self.sites.clear();
            self.over.values_mut().for_each(|over| over.ready_since = None);
            return;
        }
        for site in homes {
            let watch = self.sites.entry(site.to_owned()).or_insert(Watch {
                listens_since: now,
                live_at: now,
                heard: false,
            });
            let live_at = lost_for(site, hosts).and_then(|ago| now.checked_sub(ago));
            if let Some(live_at) = live_at {
                watch.heard |= live_at >= watch.listens_since;
                watch.live_at = watch.live_at.max(live_at);
            }
        }
        for (demand, failover) in pairs() {
            for home in asked(demand) {
                let Some(watch) = self.sites.get(home) else { continue };
                let lost = now.saturating_duration_since(watch.live_at);
                let key = (demand.component.clone(), home.to_owned());
                let Some(over) = self.over.get_mut(&key) else {
                    // By then the home would have been heard, if it can be.
                    let unheard =
                        !watch.heard && now.saturating_duration_since(watch.listens_since) >= LISTEN;
                    let told = unheard && is_told(&demand.component, home, hosts, me);
                    if told || is_over(failover, false, lost, None) {
                        self.over.insert(key, Over { since: now, ready_since: None });
                    }
                    continue;
                };
                let ready = home_ready(demand, home, hosts);
                over.ready_since = ready.then(|| over.ready_since.unwrap_or(now));
                let ready_for = over.ready_since.map(|since| now.saturating_duration_since(since));
                let goes_on = if bugs.failover_forgets_back {
                    lost >= CANDIDATE
                } else {
                    is_over(failover, true, lost, ready_for)
                };
                if !goes_on {
                    self.over.remove(&key);
                }
            }
        }
    }

    /// The homes of a component that are stood in for.
    pub(super) fn of(&self, component: &str) -> BTreeSet<&str> {
        let from = (component.to_owned(), String::new());
        let of = self.over.range(from..).take_while(|((name, _), _)| name == component);
        of.map(|((_, home), _)| home.as_str()).collect()
    }

    /// All homes that are stood in for, as component and site.
    pub(super) fn homes(&self) -> BTreeSet<(String, String)> {
        self.over.keys().cloned().collect()
    }

    /// Since when a home is stood in for, and whether it is ready again.
    pub(super) fn since(&self, component: &str, home: &str) -> Option<(Instant, bool)> {
        let over = self.over.get(&(component.to_owned(), home.to_owned()))?;
        Some((over.since, over.ready_since.is_some()))
    }
}

/// The sites that a component is asked for in.
fn asked(demand: &Demand) -> impl Iterator<Item = &str> {
    let some = demand.sites.iter().filter(|(_, site)| site.replicas != Replicas::Count(0));
    some.map(|(site, _)| site.as_str())
}
