//! What can be made to go wrong between the hosts of one network. Every chance comes from the network's seed.

use std::sync::Arc;
use std::time::Duration;

use dunlin_manifest::HostId;

use super::shared::Shared;

/// One end of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Every host.
    Anywhere,
    /// Every host of a site.
    Site(String),
    /// One host.
    Host(HostId),
}

impl Place {
    /// How closely this names `host`: 0 not at all, 1 anywhere, 2 its site, 3 itself.
    fn names(&self, host: &HostId) -> u8 {
        match self {
            Self::Anywhere => 1,
            Self::Site(site) if *site == host.site => 2,
            Self::Host(other) if other == host => 3,
            Self::Site(_) | Self::Host(_) => 0,
        }
    }
}

impl From<&HostId> for Place {
    fn from(host: &HostId) -> Self {
        Self::Host(host.clone())
    }
}

impl From<&str> for Place {
    fn from(site: &str) -> Self {
        Self::Site(site.to_owned())
    }
}

/// How messages fare from one place to another, in that direction.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Link {
    /// How long each message takes at least.
    pub delay: Duration,
    /// Up to how much longer, evenly spread. Messages of one connection to another still arrive in order.
    pub jitter: Duration,
    /// The share of messages that are lost, from 0 to 1.
    pub drop: f64,
}

/// The faults of one network. All of them act on messages published from then on, except where said.
#[derive(Debug, Clone)]
pub struct Faults {
    shared: Arc<Shared>,
}

impl Faults {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Gives messages from one place to another this link; of several that fit, the one that names both ends
    /// most closely counts, of equals the last one set.
    pub fn link(&self, from: impl Into<Place>, to: impl Into<Place>, link: Link) {
        let (from, to) = (from.into(), to.into());
        self.change(|rules| {
            rules.links.retain(|(a, b, _)| (a, b) != (&from, &to));
            rules.links.push((from, to, link));
        });
    }

    /// Loses every message from one place to another, in this direction only and without a word to the sender.
    pub fn partition(&self, from: impl Into<Place>, to: impl Into<Place>) {
        let cut = (from.into(), to.into());
        self.change(|rules| {
            if !rules.cuts.contains(&cut) {
                rules.cuts.push(cut);
            }
        });
    }

    /// Takes back a partition of exactly these places.
    pub fn heal(&self, from: impl Into<Place>, to: impl Into<Place>) {
        let cut = (from.into(), to.into());
        self.change(|rules| rules.cuts.retain(|other| *other != cut));
    }

    /// Holds every message from and to a place, those under way to it included, until it thaws; then
    /// they arrive, stale.
    pub fn freeze(&self, place: impl Into<Place>) {
        let place = place.into();
        self.change(|rules| {
            if !rules.frozen.contains(&place) {
                rules.frozen.push(place);
            }
        });
    }

    /// Ends a freeze of exactly this place.
    pub fn thaw(&self, place: impl Into<Place>) {
        let place = place.into();
        self.change(|rules| rules.frozen.retain(|other| *other != place));
        self.shared.flights.release();
    }

    /// Takes a host off the bus: it can publish nothing, and what is under way to it is lost. Others
    /// get "no responders" for it.
    pub fn disconnect(&self, host: &HostId) {
        self.shared.make_faulty();
        self.shared.set_connected(host, false);
    }

    /// Puts a host back on the bus; the generation of its connections rises.
    pub fn reconnect(&self, host: &HostId) {
        self.shared.set_connected(host, true);
    }

    /// Ends all connections of a host for good, and their subscriptions.
    pub fn kill(&self, host: &HostId) {
        self.shared.make_faulty();
        self.shared.kill(host);
    }

    /// Takes every fault back but kills: links, partitions, freezes, disconnections.
    pub fn calm(&self) {
        self.change(|rules| *rules = Rules::default());
        self.shared.flights.release();
        self.shared.living().iter().for_each(|host| self.reconnect(host));
    }

    fn change(&self, change: impl FnOnce(&mut Rules)) {
        self.shared.make_faulty();
        self.shared.flights.change(change);
    }
}

/// The faults that are set now.
#[derive(Debug, Default)]
pub(super) struct Rules {
    links: Vec<(Place, Place, Link)>,
    cuts: Vec<(Place, Place)>,
    frozen: Vec<Place>,
}

impl Rules {
    /// The link between two hosts; `None` if they are cut off in this direction.
    pub(super) fn between(&self, from: &HostId, to: &HostId) -> Option<Link> {
        let fit = |a: &Place, b: &Place| match (a.names(from), b.names(to)) {
            (0, _) | (_, 0) => None,
            (a, b) => Some(a + b),
        };
        if self.cuts.iter().any(|(a, b)| fit(a, b).is_some()) {
            return None;
        }
        let best = self.links.iter().filter_map(|(a, b, link)| Some((fit(a, b)?, *link)));
        Some(best.max_by_key(|(closeness, _)| *closeness).map(|(_, link)| link).unwrap_or_default())
    }

    /// Whether there is a way between a host and any of others, be it one way only.
    pub(super) fn reach(&self, host: &HostId, others: &[HostId]) -> bool {
        others.iter().any(|other| self.between(host, other).or_else(|| self.between(other, host)).is_some())
    }

    /// Whether a host is frozen.
    pub(super) fn frozen(&self, host: &HostId) -> bool {
        self.frozen.iter().any(|place| place.names(host) > 0)
    }
}
