//! Which hosts of a site should run a component, by what one host of that site knows.

use std::fmt;
use std::time::Duration;

use dunlin_manifest::HostId;

use crate::demand::{Demand, Replicas, SiteDemand};
use crate::rank;
use crate::view::{Failure, HostView};

/// A host unseen for this long is not a candidate.
pub const CANDIDATE: Duration = Duration::from_secs(10);

/// A host that should have started a component this long ago and shows nothing of it is passed over.
pub const OVERDUE: Duration = Duration::from_secs(10);

/// The outcome of [`wanted`] for one component in one site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Hosts that should run it, the first choice first.
    pub hosts: Vec<HostId>,
    /// Hosts that would be wanted had they not failed here (or shown nothing): they try again.
    pub passed_over: Vec<HostId>,
    /// Set when there are fewer than asked.
    pub shortage: Option<Shortage>,
}

impl Wanted {
    /// Whether this host should run it.
    #[must_use]
    pub fn wants(&self, host: &HostId) -> bool {
        self.hosts.contains(host)
    }

    /// Whether this host should try again to start it, though others stand in for it.
    #[must_use]
    pub fn passes_over(&self, host: &HostId) -> bool {
        self.passed_over.contains(host)
    }
}

/// Fewer candidates than asked: a condition, not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    site: String,
    have: usize,
    asked: Replicas,
    live: usize,
    reasons: Vec<(usize, String)>,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of ", self.have)?;
        match self.asked {
            Replicas::All => f.write_str("all")?,
            Replicas::Count(count) => write!(f, "{count}")?,
        }
        write!(
            f,
            " in {}: {} live host{}",
            self.site,
            in_words(self.live),
            if self.live > 1 { "s" } else { "" }
        )?;
        for (count, reason) in &self.reasons {
            write!(f, ", {} {reason}", in_words(*count))?;
        }
        Ok(())
    }
}

fn in_words(count: usize) -> String {
    const WORDS: [&str; 10] = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    WORDS.get(count).map_or_else(|| count.to_string(), |word| (*word).to_owned())
}

/// Whether a host can ever run a component of this site: its labels and its declared memory.
#[must_use]
pub fn fits(demand: &Demand, site: &SiteDemand, host: &HostView) -> bool {
    has_labels(site, host) && demand.memory <= host.memory_capacity
}

fn has_labels(site: &SiteDemand, host: &HostView) -> bool {
    site.host_labels.iter().all(|(label, value)| host.labels.get(label) == Some(value))
}

/// Which hosts of `site` should run the component, in the opinion of the host `myself` (which may be of another
/// site, or `None` for an onlooker). The order of `hosts` does not matter.
///
/// Hosts are taken in rank. One that failed *here*, or shows nothing when it should, is passed over and the next
/// stands in, at most as many as there are replicas: a registry that is down does not make every host of a site try.
#[must_use]
pub fn wanted(demand: &Demand, site: &str, hosts: &[HostView], myself: Option<&HostId>) -> Wanted {
    demand.sites.get(site).map(|asked| choose(demand, asked, site, hosts, myself)).unwrap_or_default()
}

/// [`wanted`], for whatever is `asked` of the site.
pub(crate) fn choose(
    demand: &Demand,
    asked: &SiteDemand,
    site: &str,
    hosts: &[HostView],
    myself: Option<&HostId>,
) -> Wanted {
    let mut tally = Tally::default();
    let able: Vec<&HostView> = hosts
        .iter()
        .filter(|host| host.id.site == site && tally.admits(demand, asked, host, myself == Some(&host.id)))
        .collect();

    let (places, walk) = match asked.replicas {
        Replicas::All => (able.len(), able.len()),
        Replicas::Count(count) => (count as usize, (count as usize).saturating_mul(2)),
    };
    let mut outcome = Wanted::default();
    for id in
        rank::order(&demand.component, able.iter().map(|host| (&host.id, host.weight))).into_iter().take(walk)
    {
        if outcome.hosts.len() == places {
            break;
        }
        let host = able.iter().find(|host| host.id == *id);
        if host.is_some_and(|host| tally.passes_over(demand, host, myself == Some(id))) {
            outcome.passed_over.push(id.clone());
        } else {
            outcome.hosts.push(id.clone());
        }
    }

    let short = match asked.replicas {
        Replicas::All => outcome.hosts.is_empty(),
        Replicas::Count(_) => outcome.hosts.len() < places,
    };
    if short {
        outcome.shortage = Some(tally.shortage(site, asked, outcome.hosts.len()));
    }
    outcome
}

/// Counts why hosts are not candidates, for the words of a shortage.
#[derive(Default)]
struct Tally {
    live: usize,
    draining: usize,
    unconfirmed: usize,
    labels: usize,
    memory: usize,
    failed: usize,
    silent: usize,
}

impl Tally {
    /// Whether the host is one to choose from, leaving aside what became of the component on it.
    fn admits(&mut self, demand: &Demand, asked: &SiteDemand, host: &HostView, is_myself: bool) -> bool {
        // Myself always: what I hear of myself, and whether I may start anything yet, is for other rules.
        if !is_myself && !host.seen_within(CANDIDATE) {
            return false;
        }
        self.live += 1;
        let refusal = if host.draining {
            &mut self.draining
        } else if !is_myself && !host.confirmed {
            &mut self.unconfirmed
        } else if !has_labels(asked, host) {
            &mut self.labels
        } else if !fits(demand, asked, host) {
            &mut self.memory
        } else {
            return true;
        };
        *refusal += 1;
        false
    }

    fn passes_over(&mut self, demand: &Demand, host: &HostView, is_myself: bool) -> bool {
        if host.slot(&demand.component).is_some_and(|slot| slot.failed == Some(Failure::Here)) {
            self.failed += 1;
            true
        } else if !is_myself && host.overdue.contains(&demand.component) {
            self.silent += 1;
            true
        } else {
            false
        }
    }

    fn shortage(&self, site: &str, asked: &SiteDemand, have: usize) -> Shortage {
        let labels: Vec<String> =
            asked.host_labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
        let reasons = [
            (self.draining, "draining".to_owned()),
            (self.unconfirmed, "not confirmed".to_owned()),
            (self.labels, format!("without {}", labels.join(" "))),
            (self.memory, "with too little memory".to_owned()),
            (self.failed, "where it failed to start".to_owned()),
            (self.silent, "where it does not start".to_owned()),
        ];
        Shortage {
            site: site.to_owned(),
            have,
            asked: asked.replicas,
            live: self.live,
            reasons: reasons.into_iter().filter(|(count, _)| *count > 0).collect(),
        }
    }
}
