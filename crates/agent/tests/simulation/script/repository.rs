//! The repository of a seed: what is committed, one change after the other.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use dunlin_placement::{Demand, Desired, Failover, Replicas, SiteDemand};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::Profile;

/// What Git says, and how it changes.
pub struct Repository {
    pub sites: Vec<String>,
    pub hosts: BTreeMap<String, usize>,
    revision: u64,
    identity: u64,
    components: BTreeMap<String, Demand>,
    profile: Profile,
    /// What the last commit was about, and how it was before.
    last: Option<(String, Option<Demand>)>,
}

impl Repository {
    pub fn new(
        profile: Profile,
        sites: Vec<String>,
        hosts: BTreeMap<String, usize>,
        random: &mut StdRng,
    ) -> Self {
        let components = BTreeMap::new();
        let mut repository = Self { sites, hosts, revision: 0, identity: 0, components, profile, last: None };
        for component in ["todo", "front", "every"] {
            repository.add(component, random);
        }
        repository
    }

    pub fn desired(&self) -> Desired {
        Desired {
            revision: format!("r{}", self.revision),
            digest: digest(&self.components),
            components: self.components.clone(),
            before: BTreeMap::new(),
        }
    }

    /// What the last commit was about, and how it was before.
    pub fn last(&self) -> Option<(String, Option<Demand>)> {
        self.last.clone()
    }

    /// Takes one component back to what it was, whatever was committed since.
    pub fn revert(&mut self, name: &str, former: Option<Demand>) -> String {
        self.revision += 1;
        match former {
            Some(former) => self.components.insert(name.to_owned(), former),
            None => self.components.remove(name),
        };
        format!("COMMIT r{}: {name} is reverted", self.revision)
    }

    fn failover(&self, random: &mut StdRng) -> Option<Failover> {
        if !random.random_bool(self.profile.failover()) {
            return None;
        }
        let mut to = self.sites.clone();
        to.shuffle(random);
        to.truncate(random.random_range(1..=self.sites.len()));
        let (after, back) = (random.random_range(10..16), random.random_range(1..12));
        Some(Failover { after: Duration::from_secs(after), to, back: Duration::from_secs(back) })
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
            failover: self.failover(random),
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
                        let hosts = u32::try_from(self.hosts[site]).unwrap();
                        let many = matches!(self.profile, Profile::Throng | Profile::Crowd);
                        let most = if many { 12 } else { 3 };
                        SiteDemand::count(random.random_range(1..=hosts.min(most)))
                    };
                    sites.insert(site.clone(), demand);
                }
            }
        }
        sites
    }

    /// One commit; says what it is about.
    pub fn commit(&mut self, random: &mut StdRng) -> String {
        self.revision += 1;
        let names = ["todo", "front", "every"];
        let name = names[random.random_range(0..names.len())].to_owned();
        self.last = Some((name.clone(), self.components.get(&name).cloned()));
        let moves_only = matches!(self.profile, Profile::Haste | Profile::Commits);
        let failover = self.failover(random);
        let chance = if moves_only { random.random_range(1..30) } else { random.random_range(0..20) };
        let what = match (self.components.contains_key(&name), chance) {
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
            (true, 6..=7) if self.profile.failover() > 0.0 => {
                self.components.get_mut(&name).unwrap().failover = failover;
                "fails over elsewhere"
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
        let failover = self.components.get(&name).and_then(|demand| demand.failover.as_ref());
        let failover = failover.map_or_else(String::new, |failover| {
            format!(" -> {} after {:?} back {:?}", failover.to.join(" "), failover.after, failover.back)
        });
        format!("COMMIT r{}: {name} {what} {{{}}}{failover}", self.revision, sites.join(", "))
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

/// Two states with the same content have the same digest, as after a revert.
pub fn digest(components: &BTreeMap<String, Demand>) -> String {
    let mut hash = DefaultHasher::new();
    format!("{components:?}").hash(&mut hash);
    format!("d{:016x}", hash.finish())
}
