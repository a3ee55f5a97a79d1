//! What a seed makes of the lattice: its hosts, what is committed, what goes wrong and when.

mod repository;

use std::time::Duration;

use dunlin_manifest::HostId;
use rand::RngExt;
use rand::rngs::StdRng;

pub use repository::{Repository, digest};

/// What kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Everything,
    Moves,
    /// Moves that come faster than the network carries promises.
    Haste,
    Network,
    Hosts,
    /// Whole sites that die, drain, are cut off and come back, with failover declared.
    Sites,
    /// Commits that come in bursts and are taken back while hosts are at each of them.
    Commits,
    /// Some forty hosts.
    Throng,
    /// Hundreds of hosts.
    Crowd,
}

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    Commit,
    Kill,
    /// All hosts of a site, or all there are.
    Outage,
    /// All hosts of a site, for long.
    SiteOutage,
    SiteDrain,
    /// No site hears another.
    HubOutage,
    /// Three commits at once, the second of which is taken back soon.
    Burst,
    Drain,
    Partition,
    Freeze,
    Disconnect,
    Link,
    FailStarts,
    Unready,
    Busy,
}

impl Profile {
    /// What happens how often, relative to each other.
    fn weights(self) -> &'static [(Happening, u32)] {
        use Happening::{
            Burst, Busy, Commit, Disconnect, Drain, FailStarts, Freeze, HubOutage, Kill, Link, Outage,
            Partition, SiteDrain, SiteOutage, Unready,
        };
        match self {
            Self::Everything => &[
                (Commit, 8),
                (Kill, 2),
                (Drain, 3),
                (Partition, 2),
                (Freeze, 2),
                (Disconnect, 1),
                (Link, 2),
                (FailStarts, 2),
                (Unready, 2),
                (Busy, 1),
                (Outage, 1),
                (SiteOutage, 1),
                (Burst, 1),
            ],
            Self::Moves => &[(Commit, 20), (Link, 4), (Partition, 1), (Unready, 1)],
            Self::Haste => &[(Commit, 30), (Link, 4)],
            Self::Network => &[(Commit, 4), (Partition, 4), (Freeze, 4), (Disconnect, 4), (Link, 3)],
            Self::Hosts => &[(Commit, 5), (Kill, 3), (Drain, 8), (FailStarts, 1), (Link, 2), (Outage, 1)],
            Self::Sites => &[
                (SiteOutage, 8),
                (SiteDrain, 3),
                (Partition, 4),
                (HubOutage, 3),
                (Commit, 2),
                (Kill, 2),
                (Drain, 1),
                (Freeze, 2),
                (Disconnect, 4),
                (Link, 1),
            ],
            Self::Commits => &[(Burst, 8), (Commit, 6), (Kill, 1), (Drain, 1), (Link, 2)],
            Self::Throng | Self::Crowd => {
                &[(Commit, 6), (Kill, 4), (Drain, 3), (SiteOutage, 1), (Disconnect, 1), (Link, 1)]
            }
        }
    }

    pub fn next(self, random: &mut StdRng) -> Happening {
        let weights = self.weights();
        let mut left = random.random_range(0..weights.iter().map(|(_, weight)| weight).sum::<u32>());
        for (happening, weight) in weights {
            if left < *weight {
                return *happening;
            }
            left -= weight;
        }
        Happening::Commit
    }

    /// How long until the next thing happens.
    pub fn pause(self, random: &mut StdRng) -> Duration {
        if self == Self::Sites && random.random_bool(0.35) {
            // Long enough for others to stand in, and for nothing to move afterwards.
            return Duration::from_millis(random.random_range(20_000..45_000));
        }
        let most = match self {
            Self::Moves => 3_000,
            Self::Haste => 1_500,
            Self::Everything | Self::Network | Self::Hosts | Self::Sites | Self::Commits => 5_000,
            Self::Throng | Self::Crowd => 4_000,
        };
        // Now and then several at once.
        Duration::from_millis(if random.random_bool(0.2) {
            random.random_range(0..150)
        } else {
            random.random_range(150..most)
        })
    }

    /// How late a message may be, in milliseconds: at least, and how much more by chance.
    pub fn lateness(self, random: &mut StdRng) -> (Duration, Duration) {
        let (delay, jitter) = if self == Self::Haste { (100..400, 0..500) } else { (0..60, 0..500) };
        (
            Duration::from_millis(random.random_range(delay)),
            Duration::from_millis(random.random_range(jitter)),
        )
    }

    /// How long things go wrong.
    pub fn trouble(self) -> Duration {
        Duration::from_secs(match self {
            Self::Everything => 100,
            Self::Sites => 240,
            Self::Throng | Self::Crowd => 30,
            _ => 70,
        })
    }

    /// How many components have failover, from 0 to 1.
    pub fn failover(self) -> f64 {
        match self {
            Self::Sites => 0.85,
            Self::Everything | Self::Throng | Self::Crowd => 0.4,
            _ => 0.0,
        }
    }

    /// How late a commit may come to a host at most, in milliseconds, as long as it does not come much later still.
    pub fn delivery(self) -> u64 {
        if self == Self::Commits { 6_000 } else { 1_200 }
    }
}

/// The hosts of a lattice: two or three sites, two to four hosts in each; many more in three to five sites in a crowd.
pub fn hosts(profile: Profile, random: &mut StdRng) -> Vec<HostId> {
    let sites = ["gcp", "aws", "edge", "azure", "home"];
    let all = match profile {
        Profile::Throng => Some(random.random_range(30..50)),
        Profile::Crowd => Some(random.random_range(200..300)),
        _ => None,
    };
    let count = if all.is_some() { random.random_range(3..=5) } else { random.random_range(2..=3) };
    let mut hosts = Vec::new();
    for site in &sites[..count] {
        for number in 1..=all.map_or_else(|| random.random_range(2..=4), |all| all / count) {
            hosts.push(HostId { site: (*site).to_owned(), host: format!("{site}-{number}") });
        }
    }
    hosts
}
