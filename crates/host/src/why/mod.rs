//! From the commit to the replicas: where a component is declared, whom each site wants for it and why, and what this host
//! did with it.

mod rank;

use std::collections::BTreeMap;
use std::time::Duration;

use dunlin_agent::{HostEntry, LatticeView, SlotReport};
use dunlin_manifest::HostId;
use dunlin_placement::HostView;
use dunlin_source::Commit;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

pub(crate) use self::rank::site;
use crate::events::Event;
use crate::status::{ComponentCondition, Kstatus, SlotStatus, Wait};

/// What one host answers when it is asked why a component is where it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    /// The host that answers, as `site/host`.
    pub host: String,
    /// The revision that it follows.
    pub revision: String,
    /// The commit, where the source is a Git repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// Where the component is declared: `todo.yaml:3`.
    pub declared: String,
    /// Its image, as declared.
    pub image: String,
    /// The identity that is asked for, as this host resolves it.
    pub identity: String,
    /// It is suspended: nothing starts and nothing stops.
    pub suspended: bool,
    /// Its links: by name, what each leads to.
    pub links: BTreeMap<String, WhyLink>,
    /// Its sites, with every host that is known there.
    pub sites: BTreeMap<String, WhySite>,
    /// What kstatus makes of its conditions.
    pub result: Kstatus,
    /// Its conditions.
    pub conditions: Vec<ComponentCondition>,
    /// What it waits for.
    pub waits: Vec<Wait>,
    /// What this host has of it, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<WhySlot>,
    /// What happened to it on this host, the newest last.
    pub events: Vec<Event>,
}

/// One link.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhyLink {
    /// What it leads to, such as `provider/redis`.
    pub target: String,
    /// Where the target is declared, if it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub declared: String,
    /// Hosts that have the target, as `site/host`.
    pub at: Vec<String>,
}

/// One site of a component.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhySite {
    /// Replicas that are asked for: a number or `all`.
    pub asked: String,
    /// The hosts of the site, the first choice first.
    pub ranked: Vec<Ranked>,
    /// Set when there are too few hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortage: Option<String>,
}

/// One host in the order in which hosts come for a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ranked {
    /// The host, as `site/host`.
    pub host: String,
    /// Whether it should run the component.
    pub wanted: bool,
    /// Why, or why not.
    pub why: String,
}

/// What one host has of a component.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhySlot {
    /// State, reason and identity.
    #[serde(flatten)]
    pub status: SlotStatus,
    /// Milliseconds since it came into this state.
    pub since: u64,
    /// The identity that is to take over, where that is under way or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<String>,
}

impl WhySlot {
    /// What a host with this uptime shows.
    pub(crate) fn of(report: &SlotReport, status: SlotStatus, uptime: Duration) -> Self {
        let since = uptime.saturating_sub(report.since()).as_millis();
        let update = report.update.as_ref().map(|update| update.identity.clone());
        Self { status, since: u64::try_from(since).unwrap_or(u64::MAX), update }
    }
}

/// All hosts of a picture as placement wants them, in the eyes of an onlooker.
pub(crate) fn host_views(view: &LatticeView, now: Instant) -> Vec<HostView> {
    let host = |(id, entry): (&HostId, &HostEntry)| {
        let seen = entry.view(id, now);
        // A host does not wait to hear itself.
        if *id == view.me { HostView { unseen_for: Duration::ZERO, ..seen } } else { seen }
    };
    view.hosts.iter().map(host).collect()
}
