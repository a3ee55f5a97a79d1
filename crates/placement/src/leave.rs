//! When a slot may stop: promises of others, never presence alone.

use std::collections::BTreeSet;
use std::time::Duration;

use dunlin_manifest::HostId;

use crate::demand::{Demand, Replicas, SiteDemand};
use crate::failover::{lost_homes, with_stand_ins};
use crate::rank;
use crate::view::HostView;
use crate::wanted::{CANDIDATE, fits};

/// A yes counts for this long after its question was *sent*, by the asker's clock.
pub const ASK_VALID: Duration = Duration::from_secs(1);

/// A yes binds whoever said it for this long, or until the asker says that it is done. Longer than [`ASK_VALID`]
/// by what two clocks and a late instruction may differ.
pub const PROMISE_BINDS: Duration = Duration::from_secs(2);

/// `replicas: all` counts every host that was seen within this time, though it may be silent now.
pub const KNOWN: Duration = Duration::from_secs(300);

/// A slot of a deleted component leaves after this long without a call.
pub const DELETED_IDLE: Duration = Duration::from_secs(10);

/// A slot of a deleted component leaves after this long, calls or not.
pub const DELETED_LIMIT: Duration = Duration::from_secs(300);

/// How many slots the component asks for in all sites together.
///
/// For `replicas: all` that is one for every host which may be there: all that can run it and were seen within
/// [`KNOWN`], not only those that can be heard now, or a partition would let the rest leave too early. A listed site
/// counts at least once.
#[must_use]
pub fn total_asked(demand: &Demand, hosts: &[HostView]) -> usize {
    let in_site = |(name, site): (&String, &SiteDemand)| match site.replicas {
        Replicas::Count(count) => count as usize,
        Replicas::All => hosts
            .iter()
            .filter(|host| host.id.site == *name && host.seen_within(KNOWN))
            .filter(|host| !host.draining && fits(demand, site, host))
            .count()
            .max(1),
    };
    demand.sites.iter().map(in_site).sum()
}

/// How many slots other than `myself`'s there can be, by what presence shows: those that are ready, and those that
/// could still start where they are asked for. A host that drains waits for no more than that.
#[must_use]
pub fn others_possible(demand: &Demand, hosts: &[HostView], myself: &HostId) -> usize {
    let live = |host: &&HostView| host.id != *myself && host.seen_within(CANDIDATE) && !host.draining;
    let sites: BTreeSet<&str> = hosts.iter().filter(live).map(|host| host.id.site.as_str()).collect();
    let in_site = |name: &str| {
        let others = || hosts.iter().filter(live).filter(|host| host.id.site == name);
        let ready = others().filter(|host| host.shows_ready(&demand.component)).count();
        let able = demand.sites.get(name).filter(|_| !demand.suspend).map_or(0, |site| {
            let failed =
                |host: &HostView| host.slot(&demand.component).is_some_and(|slot| slot.failed.is_some());
            let able = others().filter(|host| fits(demand, site, host) && !failed(host)).count();
            match site.replicas {
                Replicas::All => able,
                Replicas::Count(count) => able.min(count as usize),
            }
        });
        ready.max(able)
    };
    sites.into_iter().map(in_site).sum()
}

/// How many others must have said yes before the slot of `myself` may leave. A host that drains does not wait for
/// slots that no host could run; one that cannot hear (`deaf`) does not judge who could.
///
/// Sites that stand in for the homes `over`, or soon will for those that are lost, count for who could. What is asked
/// stays what Git says.
#[must_use]
pub fn promises_needed(
    demand: &Demand,
    over: &BTreeSet<&str>,
    hosts: &[HostView],
    myself: &HostId,
    draining: bool,
    deaf: bool,
) -> usize {
    let asked = total_asked(demand, hosts);
    if !draining || deaf {
        return asked;
    }
    let homes: BTreeSet<&str> = lost_homes(demand, hosts).chain(over.iter().copied()).collect();
    let whole = with_stand_ins(demand, homes, hosts, Some(myself));
    asked.min(others_possible(whole.as_ref().unwrap_or(demand), hosts, myself))
}

/// Who asks "will you stay?".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker<'a> {
    /// The asking host.
    pub id: &'a HostId,
    /// Its weight, as it says itself.
    pub weight: u32,
}

/// Whoever is asked, as it knows itself at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Responder<'a> {
    /// The host that is asked.
    pub id: &'a HostId,
    /// Its weight.
    pub weight: u32,
    /// Its slot of the component serves.
    pub ready: bool,
    /// Its slot is on its way out.
    pub leaving: bool,
    /// The host drains: none of its slots stays.
    pub draining: bool,
    /// Its own state still has the component.
    pub demanded: bool,
    /// It wants the slot itself.
    pub wanted: bool,
}

/// "Will you stay?" Yes, if the slot is ready and not leaving, and either wanted by its own host or before the
/// asker in rank over all sites. Of several unwanted slots the last in rank therefore leaves first, and no two can
/// rely on each other.
///
/// Two cases are never a yes though rank would allow it, because the slot is about to go whatever is promised to
/// it: the host drains, or its own state no longer has the component.
#[must_use]
pub fn may_promise(component: &str, responder: Responder<'_>, asker: Asker<'_>) -> bool {
    responder.id != asker.id
        && responder.ready
        && !responder.leaving
        && !responder.draining
        && responder.demanded
        && (responder.wanted
            || rank::before(component, (responder.id, responder.weight), (asker.id, asker.weight)))
}

/// A yes that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Yes<'a> {
    /// Who said it.
    pub from: &'a HostId,
    /// How long ago the question was sent.
    pub asked_ago: Duration,
}

/// Whether enough different others have promised within [`ASK_VALID`].
#[must_use]
pub fn enough_promises<'a>(
    needed: usize,
    myself: &HostId,
    answers: impl IntoIterator<Item = Yes<'a>>,
) -> bool {
    let others: BTreeSet<&HostId> = answers
        .into_iter()
        .filter(|yes| yes.from != myself && yes.asked_ago < ASK_VALID)
        .map(|yes| yes.from)
        .collect();
    others.len() >= needed
}

/// Whether the slot of a component that Git no longer has may leave.
#[must_use]
pub fn deleted_may_leave(deleted_for: Duration, last_call_ago: Option<Duration>) -> bool {
    let idle = last_call_ago.map_or(deleted_for, |ago| ago.min(deleted_for));
    idle >= DELETED_IDLE || deleted_for >= DELETED_LIMIT
}
