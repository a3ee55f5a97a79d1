//! When another site stands in for one that is silent, which one, and until when. It only ever adds.
//!
//! Each host judges for itself, by its own hearing. The agent keeps two stopwatches for each component and *home* (a
//! site that the component is asked for in): how long the home has been lost, and how long it has been ready again
//! since. What follows from them is decided here:
//!
//! - [`is_over`]: a home that no host of was live for `after` is stood in for, until it was ready for `back`.
//! - [`stand_in`]: the first site of `to`, other than the home, that has a host to run it.
//! - [`with_stand_ins`]: what each site is asked for then. [`crate::total_asked`] stays what Git says: a stand-in, like
//!   any slot, leaves when as many others as that have promised to stay.

use std::time::Duration;

use dunlin_manifest::HostId;

use crate::demand::{Demand, Failover, Replicas, SiteDemand};
use crate::view::HostView;
use crate::wanted::{CANDIDATE, choose, fits};

/// How long ago the last host of `site` was live: neither silent, nor gone, nor draining. `None` if there is no host to
/// tell it by; then it is as long ago as the judging host has listened.
#[must_use]
pub fn lost_for(site: &str, hosts: &[HostView]) -> Option<Duration> {
    let live = hosts.iter().filter(|host| host.id.site == site && !host.said_goodbye && !host.draining);
    live.map(|host| host.unseen_for).min()
}

/// A host that knows of a lost link looks back no further than this: one of several sites that fell silent together was
/// heard a second longer than the others, which must not make those the only silent ones.
const HEARD: Duration = Duration::from_secs(3);

/// Whether a host of `my_site` cannot tell the silence of other sites from its own: it hears none of them, and knows
/// that its server has no link to the hub. While that is so it judges no site. A link of which nothing is known
/// counts as there: at worst a component runs once too often.
#[must_use]
pub fn cut_off(my_site: &str, hosts: &[HostView], linked: Option<bool>) -> bool {
    let hears = |host: &HostView| host.id.site != my_site && host.seen_within(HEARD);
    linked == Some(false) && !hosts.iter().any(hears)
}

/// Whether a home shows as many ready slots as it is asked for; for `replicas: all`, one on each host that can run it
/// and at least one.
#[must_use]
pub fn home_ready(demand: &Demand, home: &str, hosts: &[HostView]) -> bool {
    let Some(asked) = demand.sites.get(home) else { return false };
    let live = || hosts.iter().filter(|host| host.id.site == home && host.seen_within(CANDIDATE));
    let ready = live().filter(|host| !host.draining && host.shows_ready(&demand.component)).count();
    match asked.replicas {
        Replicas::Count(count) => ready >= count as usize,
        Replicas::All => {
            let failed =
                |host: &HostView| host.slot(&demand.component).is_some_and(|slot| slot.failed.is_some());
            let able = |host: &&HostView| host.confirmed && !host.draining && fits(demand, asked, host);
            let able = live().filter(able).filter(|host| !failed(host));
            ready > 0 && able.into_iter().all(|host| host.shows_ready(&demand.component))
        }
    }
}

/// Whether a home is stood in for, after it has been lost for `lost` and ready again for `ready`; `was` if it was so
/// before. It ends only with a home that is ready: one that merely beats again serves nobody.
#[must_use]
pub fn is_over(failover: &Failover, was: bool, lost: Duration, ready: Option<Duration>) -> bool {
    if was {
        ready.is_none_or(|ready| ready < failover.back)
    } else {
        // A host counts as live for so long in everything else.
        lost >= failover.after.max(CANDIDATE)
    }
}

/// Whether a confirmed neighbour in the site of `myself` holds `home` to be stood in for. A host that has just started
/// and has not heard the home yet takes its word: its own stopwatch knows nothing of what was before.
#[must_use]
pub fn is_told(component: &str, home: &str, hosts: &[HostView], myself: &HostId) -> bool {
    let over = (component.to_owned(), home.to_owned());
    let neighbour = |host: &&HostView| {
        host.id != *myself && host.id.site == myself.site && host.confirmed && host.seen_within(CANDIDATE)
    };
    hosts.iter().filter(neighbour).any(|host| host.over.contains(&over))
}

/// The site that stands in for `home`: the first of `to`, other than the home, where a host would be wanted. Of its own
/// site a host needs to see only one that can run it (itself included), whether it failed to start or not: it is for
/// others to pass over a site where nothing starts, while that site goes on trying.
#[must_use]
pub fn stand_in<'a>(
    demand: &'a Demand,
    home: &str,
    hosts: &[HostView],
    myself: Option<&HostId>,
) -> Option<&'a str> {
    let takes = |site: &&String| {
        let Some(asked) = asked_instead(demand, home, site) else { return false };
        let mine = myself.is_some_and(|me| me.site == **site);
        let able = |host: &HostView| {
            let is_myself = myself == Some(&host.id);
            let live = is_myself || (host.confirmed && host.seen_within(CANDIDATE));
            host.id.site == **site && live && !host.draining && fits(demand, &asked, host)
        };
        if mine {
            hosts.iter().any(able)
        } else {
            !choose(demand, &asked, site, hosts, myself).hosts.is_empty()
        }
    };
    demand.failover.as_ref()?.to.iter().filter(|site| *site != home).find(takes).map(String::as_str)
}

/// What `site` is asked for in place of `home` alone. Its hosts need the labels that are written for it, or else those
/// of the home. `None` if the home is asked for nothing.
fn asked_instead(demand: &Demand, home: &str, site: &str) -> Option<SiteDemand> {
    let asked = demand.sites.get(home).filter(|asked| asked.replicas != Replicas::Count(0))?;
    let labels = demand.sites.get(site).unwrap_or(asked);
    Some(SiteDemand { replicas: asked.replicas, host_labels: labels.host_labels.clone() })
}

/// The demand with what other sites run for the homes `over`, on top of what they are asked for themselves; `None` if
/// that is nothing. Every home counts once, and `all` of a home is `all` of the site that stands in.
#[must_use]
pub fn with_stand_ins<'a>(
    demand: &Demand,
    over: impl IntoIterator<Item = &'a str>,
    hosts: &[HostView],
    myself: Option<&HostId>,
) -> Option<Demand> {
    let mut whole: Option<Demand> = None;
    for home in over {
        let Some(site) = stand_in(demand, home, hosts, myself) else { continue };
        let Some(more) = asked_instead(demand, home, site) else { continue };
        let sites = &mut whole.get_or_insert_with(|| demand.clone()).sites;
        match sites.get_mut(site) {
            Some(asked) => {
                asked.replicas = both(asked.replicas, more.replicas);
                if !demand.sites.contains_key(site) {
                    // Slots for several homes: each host must do for any of them.
                    let missing = more.host_labels.into_iter();
                    missing.for_each(|(label, value)| {
                        asked.host_labels.entry(label).or_insert(value);
                    });
                }
            }
            None => {
                sites.insert(site.to_owned(), more);
            }
        }
    }
    whole
}

fn both(one: Replicas, other: Replicas) -> Replicas {
    match (one, other) {
        (Replicas::Count(one), Replicas::Count(other)) => Replicas::Count(one.saturating_add(other)),
        (Replicas::All, _) | (_, Replicas::All) => Replicas::All,
    }
}

/// Homes that no host is live in at this moment. Others will stand in for them before long: a host that drains waits
/// for those as it would for hosts of its own site, also when its whole site drains.
pub fn lost_homes<'a>(demand: &'a Demand, hosts: &'a [HostView]) -> impl Iterator<Item = &'a str> {
    let sites = demand.failover.iter().flat_map(|_| demand.sites.keys());
    sites.map(String::as_str).filter(|site| lost_for(site, hosts).is_none_or(|lost| lost >= CANDIDATE))
}

/// Whether a host should have what the component needs ready to start, because it would stand in if every home of it
/// were lost.
#[must_use]
pub fn prepares(demand: &Demand, hosts: &[HostView], myself: &HostId) -> bool {
    let may = demand.failover.as_ref().is_some_and(|failover| failover.to.contains(&myself.site));
    if !may || demand.suspend {
        return false;
    }
    let homes = demand.sites.keys().filter(|home| **home != myself.site);
    // By the hosts that are there now, other sites of `to` might come first; they may be lost as well.
    let asked = homes.filter_map(|home| asked_instead(demand, home, &myself.site));
    let own = demand.sites.get(&myself.site).cloned();
    let whole = asked.fold(own, |sum, more| match sum {
        Some(sum) => Some(SiteDemand { replicas: both(sum.replicas, more.replicas), ..sum }),
        None => Some(more),
    });
    whole.is_some_and(|asked| choose(demand, &asked, &myself.site, hosts, Some(myself)).wants(myself))
}
