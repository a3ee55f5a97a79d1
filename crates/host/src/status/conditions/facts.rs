//! What one host knows of a component: the input of the conditions.

use std::collections::BTreeMap;
use std::time::Duration;

use dunlin_agent::{HostEntry, LatticeView, SlotReport};
use dunlin_manifest::{HostId, Replicas};
use dunlin_placement::{Demand, HostView, fits};
use tokio::time::Instant;

use crate::status::Condition;
use crate::why::host_views;

/// A host unseen for this long is silent: what it said last may no longer be so.
const SILENT: Duration = Duration::from_secs(10);

/// Everything that a judgement rests on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// The revision that the judging host follows.
    pub(crate) revision: String,
    /// Whether what Git says is in force.
    pub(crate) accepted: Accepted,
    /// What is asked for; nothing, if no form of the component was ever good.
    pub(crate) asked: Option<Asked>,
    /// The judging host hears too badly to judge others.
    pub(crate) deaf: bool,
    /// All hosts that are known, the judging one included.
    pub(crate) hosts: Vec<HostFact>,
}

/// Whether what Git says of a component is in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// It is.
    #[default]
    Yes,
    /// It has mistakes; each with its place.
    Invalid(String),
    /// The whole revision is held back.
    HeldBack(String),
    /// The source cannot be read, or was not yet: nobody knows what Git says now.
    Unknown(String),
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) identity: String,
    /// Identities cover secrets, which two sites may rightly hold in different versions.
    pub(crate) has_secrets: bool,
    pub(crate) suspended: bool,
    /// Slots by site; sites without any are left out.
    pub(crate) sites: BTreeMap<String, usize>,
}

/// One host.
#[derive(Debug, Clone, Default)]
pub(crate) struct HostFact {
    pub(crate) site: String,
    /// As `site/host`.
    pub(crate) name: String,
    /// It was not heard for too long.
    pub(crate) silent: bool,
    pub(crate) draining: bool,
    /// It follows what the judging host follows.
    pub(crate) same: bool,
    pub(crate) revision: String,
    /// Its uptime now, in milliseconds.
    pub(crate) uptime: u64,
    pub(crate) slot: Option<SlotReport>,
    /// What its readiness path answered last, if that was not 2xx.
    pub(crate) answer: Option<String>,
    /// What it says of the component: kind, message, and the uptime since when.
    pub(crate) says: Vec<(String, String, Option<u64>)>,
}

impl HostFact {
    /// How long ago its uptime was `since`.
    pub(crate) fn ago(&self, since: u64) -> Duration {
        Duration::from_millis(self.uptime.saturating_sub(since))
    }

    /// Whether it says that what Git names was tried and given up.
    pub(crate) fn gave_up(&self) -> bool {
        self.says.iter().any(|(kind, ..)| kind == "Stalled")
    }

    /// What `entry` shows of `component`; `digest` is of what the judging host wants.
    fn of(
        id: &HostId,
        entry: &HostEntry,
        component: &str,
        digest: Option<&str>,
        picture: &Picture<'_>,
    ) -> Option<Self> {
        let state = entry.state.as_deref().filter(|_| !entry.goodbye)?;
        let now = picture.now;
        let uptime = u64::try_from(entry.clock.to_peer(now).as_millis()).unwrap_or(u64::MAX);
        let object = format!("component/{component}");
        let mut told = picture.told.get(id).into_iter().flatten();
        let answer = told.find(|told| told.reason == "NotReady" && told.object == object);
        let answer = answer.map(|told| {
            let words = told.message.strip_prefix(&format!("{id}: "));
            words.unwrap_or(&told.message).to_owned()
        });
        let of =
            state.conditions.iter().filter(|condition| condition.component.as_deref() == Some(component));
        Some(Self {
            site: id.site.clone(),
            name: id.to_string(),
            silent: now.saturating_duration_since(entry.last_beat) >= SILENT,
            draining: state.draining,
            same: digest.is_some() && state.digest.as_deref() == digest,
            revision: state.revision.clone().unwrap_or_default(),
            uptime,
            slot: state.slots.get(component).cloned(),
            answer,
            says: of
                .map(|condition| (condition.kind.clone(), condition.message.clone(), condition.since_ms))
                .collect(),
        })
    }
}

impl Asked {
    /// What `demand` asks for, where `all` means every host that is there.
    pub(crate) fn of(demand: &Demand, has_secrets: bool, hosts: &[HostView]) -> Self {
        let count = |site: &str, asked: &dunlin_placement::SiteDemand| match asked.replicas {
            Replicas::Count(count) => count as usize,
            Replicas::All => {
                let able = |host: &&HostView| {
                    host.id.site == site
                        && host.seen_within(SILENT)
                        && !host.draining
                        && fits(demand, asked, host)
                };
                hosts.iter().filter(able).count().max(1)
            }
        };
        let sites = demand.sites.iter().map(|(site, asked)| (site.clone(), count(site, asked)));
        Self {
            identity: demand.identity.clone(),
            has_secrets,
            suspended: demand.suspend,
            sites: sites.filter(|(_, count)| *count > 0).collect(),
        }
    }
}

/// A picture of the lattice, read once for all components.
pub(crate) struct Picture<'a> {
    view: &'a LatticeView,
    now: Instant,
    pub(crate) hosts: Vec<HostView>,
    /// What the process around each agent says.
    told: BTreeMap<HostId, Vec<Condition>>,
}

impl<'a> Picture<'a> {
    /// Reads it.
    pub(crate) fn of(view: &'a LatticeView, now: Instant) -> Self {
        let told = view.hosts.iter().filter_map(|(id, entry)| {
            let details = entry.state.as_ref()?.details.clone();
            Some((id.clone(), serde_json::from_value(details).unwrap_or_default()))
        });
        Self { view, now, hosts: host_views(view, now), told: told.collect() }
    }
}

impl Facts {
    /// What the picture shows of a component. `digest` is of what the judging host wants.
    pub(crate) fn new(
        component: &str,
        picture: &Picture<'_>,
        demand: Option<(&Demand, bool)>,
        digest: Option<&str>,
    ) -> Self {
        let view = picture.view;
        let asked = demand.map(|(demand, has_secrets)| Asked::of(demand, has_secrets, &picture.hosts));
        let hosts = view.hosts.iter().filter_map(|(id, entry)| {
            // The judging host is heard by itself, whatever the bus does.
            let fact = HostFact::of(id, entry, component, digest, picture)?;
            Some(HostFact { silent: fact.silent && *id != view.me, ..fact })
        });
        Self { asked, deaf: view.deaf, hosts: hosts.collect(), ..Self::default() }
    }
}
