//! The sites and hosts that `dunlin dev` runs, and what can be done to them.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use dunlin_host::status::Status;
use dunlin_host::{Engine, HostConfig, images::Images};
use dunlin_lattice::memory::Network;
use dunlin_manifest::HostId;
use tokio::net::TcpListener;

use crate::dev::balancer::Balancer;
use crate::dev::member::Member;
use crate::dev::plan::Plan;
use crate::printer::WrongInput;

/// All sites of one `dunlin dev`.
#[derive(Debug)]
pub(crate) struct World {
    plan: Plan,
    network: Network,
    engine: Engine,
    images: Images,
    /// The sites in the order of their ports.
    pub(crate) sites: Vec<Site>,
    /// Requests and failures of hosts that were killed.
    past: (u64, u64),
}

/// One site: its address and its hosts.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) name: String,
    pub(crate) balancer: Balancer,
    pub(crate) places: Vec<Place>,
}

/// A place for a host: running or killed.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) id: HostId,
    pub(crate) member: Option<Member>,
}

/// How long a host of `dunlin dev` may take to drain.
const GRACE: Duration = Duration::from_secs(5);

impl World {
    /// Takes the ports; hosts are started by [`World::revive`].
    ///
    /// # Errors
    /// A port is taken, or the machine cannot run WebAssembly.
    pub(crate) async fn prepare(plan: Plan) -> Result<Self> {
        let mut sites = Vec::new();
        for (index, name) in plan.sites.iter().enumerate() {
            let port = if plan.port == 0 { 0 } else { port(plan.port, index)? };
            let balancer = Balancer::start(listen(port, name).await?)?;
            let places = (1..=plan.hosts)
                .map(|number| Place { id: HostId::new(name, format!("{name}-{number}")), member: None })
                .collect();
            sites.push(Site { name: name.clone(), balancer, places });
        }
        let engine = Engine::new(dunlin_host::EngineConfig {
            cache: Some(plan.data.join("compiled")),
            ..Default::default()
        })
        .map_err(|error| match error {
            dunlin_host::EngineError::Cache(error) => {
                let data = plan.data.display();
                WrongInput(format!(
                    "--data {data} cannot be used: {error}; does another `dunlin dev` use it?"
                ))
                .into()
            }
            error => anyhow::Error::from(error),
        })?;
        let (network, images) = (Network::new(rand::random()), Images::new(plan.code.clone()));
        Ok(Self { plan, network, engine, images, sites, past: (0, 0) })
    }

    /// What was planned.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Starts all hosts.
    ///
    /// # Errors
    /// A host cannot start.
    pub(crate) async fn revive_all(&mut self) -> Result<()> {
        for name in self.sites.iter().map(|site| site.name.clone()).collect::<Vec<_>>() {
            self.revive(&name).await?;
        }
        Ok(())
    }

    /// Starts every killed host that `target` names: a site or a host. Returns their names.
    ///
    /// # Errors
    /// Nothing has that name, or a host cannot start.
    pub(crate) async fn revive(&mut self, target: &str) -> Result<Vec<HostId>> {
        let mut revived = Vec::new();
        for (site, place) in self.named(target)? {
            let Some(place) = self.sites.get(site).and_then(|site| site.places.get(place)) else { continue };
            if place.member.is_none() {
                let id = place.id.clone();
                let member = self.start(id.clone()).await?;
                revived.push(id.clone());
                if let Some(place) = self.place(&id) {
                    place.member = Some(member);
                }
            }
        }
        self.balance();
        Ok(revived)
    }

    /// Kills every running host that `target` names, without warning. Returns their names.
    ///
    /// # Errors
    /// Nothing has that name.
    pub(crate) fn kill(&mut self, target: &str) -> Result<Vec<HostId>> {
        let mut killed = Vec::new();
        for (site, place) in self.named(target)? {
            let Some(place) = self.sites.get_mut(site).and_then(|site| site.places.get_mut(place)) else {
                continue;
            };
            if let Some(member) = place.member.take() {
                let (requests, failures) = member.requests();
                self.past = (self.past.0 + requests, self.past.1 + failures);
                member.kill();
                killed.push(place.id.clone());
            }
        }
        self.balance();
        Ok(killed)
    }

    /// Tells each site's address which of its hosts are ready.
    pub(crate) fn balance(&self) {
        for site in &self.sites {
            let members = site.places.iter().filter_map(|place| place.member.as_ref());
            site.balancer.set_targets(members.filter(|member| member.is_ready()).map(Member::http).collect());
        }
    }

    /// The hosts that run.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&HostId, &Member)> {
        let places = self.sites.iter().flat_map(|site| &site.places);
        places.filter_map(|place| Some((&place.id, place.member.as_ref()?)))
    }

    /// What the first running host sees.
    pub(crate) fn status(&self) -> Option<Status> {
        self.members().next().map(|(_, member)| member.status())
    }

    /// Requests at all sites since the start, and failures.
    pub(crate) fn requests(&self) -> (u64, u64) {
        self.members()
            .map(|(_, member)| member.requests())
            .fold(self.past, |sum, more| (sum.0 + more.0, sum.1 + more.1))
    }

    /// Drains and stops everything.
    pub(crate) async fn stop(self) {
        let places = self.sites.into_iter().flat_map(|site| site.places);
        let stopping = places.filter_map(|place| place.member).map(|member| member.stop(GRACE));
        futures::future::join_all(stopping).await;
    }

    async fn start(&self, id: HostId) -> Result<Member> {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let config = HostConfig {
            lattice: self.plan.lattice.clone(),
            listen: loopback,
            admin: loopback,
            state: self.plan.data.join(&id.host),
            secrets: self.plan.secrets.clone(),
            images: self.images.clone(),
            engine: self.engine.clone(),
            labels: Default::default(),
            memory: 4 << 30,
            weight: 100,
            stand_ins: true,
            first: id.host.ends_with("-1"),
            grace: GRACE,
            linger: Duration::from_millis(300),
            id: id.clone(),
        };
        Member::start(config, self.network.bus(&id), self.plan.directory.clone()).await
    }

    fn place(&mut self, id: &HostId) -> Option<&mut Place> {
        self.sites.iter_mut().flat_map(|site| &mut site.places).find(|place| place.id == *id)
    }

    /// Indices of the places that `target` names.
    fn named(&self, target: &str) -> Result<Vec<(usize, usize)>> {
        let matches = |place: &Place| {
            [&place.id.site, &place.id.host, &place.id.to_string()].contains(&&target.to_owned())
        };
        let mut found = Vec::new();
        for (site, places) in self.sites.iter().enumerate() {
            found.extend(
                (0..places.places.len())
                    .filter(|place| places.places.get(*place).is_some_and(&matches))
                    .map(|place| (site, place)),
            );
        }
        if found.is_empty() {
            let sites: Vec<_> = self.sites.iter().map(|site| site.name.as_str()).collect();
            return Err(WrongInput(format!(
                "no site or host {target:?}; the sites are {}",
                sites.join(", ")
            ))
            .into());
        }
        Ok(found)
    }
}

/// The port of the site with this index.
fn port(first: u16, index: usize) -> Result<u16> {
    let port = u16::try_from(index).ok().and_then(|index| first.checked_add(index));
    port.ok_or_else(|| {
        WrongInput(format!(
            "no port is left above 65535 for site number {}: choose a smaller --port",
            index + 1
        ))
        .into()
    })
}

async fn listen(port: u16, site: &str) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
        let text = match error.kind() {
            std::io::ErrorKind::AddrInUse => format!(
                "port {port}, wanted for site {site}, is taken by another program: stop it, or choose other ports with --port \
                 (0 takes free ones)"
            ),
            _ => format!("cannot listen on port {port} for site {site}: {error}; choose another with --port"),
        };
        WrongInput(text).into()
    })
}
