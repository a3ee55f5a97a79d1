//! What a seed makes of the lattice: its hosts, what is committed, what goes wrong and when.

use std::collections::BTreeMap;
use std::time::Duration;

use dunlin_manifest::HostId;
use dunlin_placement::{Demand, Desired, Replicas, SiteDemand};
use rand::RngExt;
use rand::rngs::StdRng;

/// What kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Everything,
    Moves,
    /// Moves that come faster than the network carries promises.
    Haste,
    Network,
    Hosts,
}

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    Commit,
    Kill,
    /// All hosts of a site, or all there are.
    Outage,
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
            Busy, Commit, Disconnect, Drain, FailStarts, Freeze, Kill, Link, Outage, Partition, Unready,
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
            ],
            Self::Moves => &[(Commit, 20), (Link, 4), (Partition, 1), (Unready, 1)],
            Self::Haste => &[(Commit, 30), (Link, 4)],
            Self::Network => &[(Commit, 4), (Partition, 4), (Freeze, 4), (Disconnect, 4), (Link, 3)],
            Self::Hosts => &[(Commit, 5), (Kill, 3), (Drain, 8), (FailStarts, 1), (Link, 2), (Outage, 1)],
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
        let most = match self {
            Self::Moves => 3_000,
            Self::Haste => 1_500,
            Self::Everything | Self::Network | Self::Hosts => 5_000,
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
        Duration::from_secs(if self == Self::Everything { 100 } else { 70 })
    }
}

/// What Git says, and how it changes.
pub struct Repository {
    pub sites: Vec<String>,
    pub hosts: BTreeMap<String, usize>,
    revision: u64,
    identity: u64,
    components: BTreeMap<String, Demand>,
}

impl Repository {
    pub fn new(sites: Vec<String>, hosts: BTreeMap<String, usize>, random: &mut StdRng) -> Self {
        let mut repository = Self { sites, hosts, revision: 0, identity: 0, components: BTreeMap::new() };
        for component in ["todo", "front", "every"] {
            repository.add(component, random);
        }
        repository
    }

    pub fn desired(&self) -> Desired {
        Desired {
            revision: format!("r{}", self.revision),
            digest: format!("d{}", self.revision),
            components: self.components.clone(),
            before: BTreeMap::new(),
        }
    }

    fn add(&mut self, component: &str, random: &mut StdRng) {
        self.identity += 1;
        let demand = Demand {
            component: component.to_owned(),
            identity: format!("i{}", self.identity),
            sites: self.placement(component, random),
            memory: 1 << 20,
            suspend: false,
            request_timeout: Duration::from_secs(5),
            failover: None,
            update: None,
        };
        self.components.insert(component.to_owned(), demand);
    }

    /// Sites for a component; at least one slot somewhere.
    fn placement(&self, component: &str, random: &mut StdRng) -> BTreeMap<String, SiteDemand> {
        let mut sites = BTreeMap::new();
        while sites.is_empty() {
            for site in &self.sites {
                if random.random_bool(0.5) {
                    let demand = if component == "every" {
                        SiteDemand::all()
                    } else {
                        SiteDemand::count(
                            random.random_range(1..=u32::try_from(self.hosts[site]).unwrap().min(3)),
                        )
                    };
                    sites.insert(site.clone(), demand);
                }
            }
        }
        sites
    }

    /// One commit; says what it is about.
    pub fn commit(&mut self, profile: Profile, random: &mut StdRng) -> String {
        self.revision += 1;
        let names = ["todo", "front", "every"];
        let name = names[random.random_range(0..names.len())].to_owned();
        let what = match (
            self.components.contains_key(&name),
            if profile == Profile::Haste { 20 } else { random.random_range(0..20) },
        ) {
            (false, _) => {
                self.add(&name, random);
                "comes"
            }
            (true, 0) => {
                self.components.remove(&name);
                "goes"
            }
            (true, 1..=4) => {
                self.identity += 1;
                let identity = format!("i{}", self.identity);
                self.components.get_mut(&name).unwrap().identity = identity;
                "changes"
            }
            (true, 5) => {
                let demand = self.components.get_mut(&name).unwrap();
                demand.suspend = !demand.suspend;
                if demand.suspend { "is suspended" } else { "is resumed" }
            }
            (true, _) => {
                let sites = self.placement(&name, random);
                self.components.get_mut(&name).unwrap().sites = sites;
                "moves"
            }
        };
        let sites: Vec<String> = self.components.get(&name).map_or_else(Vec::new, |demand| {
            let site = |(site, demand): (&String, &SiteDemand)| match demand.replicas {
                Replicas::All => format!("{site}: all"),
                Replicas::Count(count) => format!("{site}: {count}"),
            };
            demand.sites.iter().map(site).collect()
        });
        format!("COMMIT r{}: {name} {what} {{{}}}", self.revision, sites.join(", "))
    }

    /// The last commit: everything there, nothing suspended, something new to do for everyone.
    pub fn settle(&mut self, random: &mut StdRng) {
        self.revision += 1;
        for component in ["todo", "front", "every"] {
            if !self.components.contains_key(component) {
                self.add(component, random);
            }
        }
        for demand in self.components.values_mut() {
            demand.suspend = false;
        }
    }
}

/// The hosts of a lattice: two or three sites, two to four hosts in each.
pub fn hosts(random: &mut StdRng) -> Vec<HostId> {
    let sites = ["gcp", "aws", "edge"];
    let count = random.random_range(2..=3);
    let mut hosts = Vec::new();
    for site in &sites[..count] {
        for number in 1..=random.random_range(2..=4) {
            hosts.push(HostId { site: (*site).to_owned(), host: format!("{site}-{number}") });
        }
    }
    hosts
}
