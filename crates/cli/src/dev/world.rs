//! The sites and hosts that `dunlin dev` runs, and what can be done to them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use dunlin_host::status::Status;
use dunlin_host::{Engine, HostConfig, SourceChoice, images::Images};
use dunlin_lattice::memory::Network;
use dunlin_manifest::{HostId, did_you_mean};
use tokio::net::TcpListener;

use crate::dev::balancer::Balancer;
use crate::dev::member::{Member, ProcessHost, Settings, ThreadHost};
use crate::dev::plan::Plan;
use crate::dev::real::{Fault, ForViewer, Ground, HUB, Process};
use crate::printer::WrongInput;

/// All sites of one `dunlin dev`.
#[derive(Debug)]
pub(crate) struct World {
    plan: Plan,
    footing: Footing,
    /// The sites in the order of their ports.
    pub(crate) sites: Vec<Site>,
    /// Requests and failures of hosts that were killed.
    past: (u64, u64),
}

/// What hosts stand on.
#[derive(Debug)]
enum Footing {
    /// This process: threads, and a bus between them.
    Here { network: Network, engine: Engine, images: Images },
    /// Processes: nats-servers, Redis, and the hosts themselves.
    Real(Box<Ground>),
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
    /// A port is taken, the machine cannot run WebAssembly, or with `--real` a program is missing.
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
        let footing = match plan.real {
            Some(distance) => Footing::Real(Box::new(Ground::start(&plan, distance).await?)),
            None => Footing::Here {
                network: Network::new(rand::random()),
                engine: engine(&plan)?,
                images: Images::new(plan.code.clone()),
            },
        };
        Ok(Self { plan, footing, sites, past: (0, 0) })
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

    /// Starts every killed host that `target` names: a site or a host, or a part of the ground. Returns their names.
    ///
    /// # Errors
    /// Nothing has that name, or a host cannot start.
    pub(crate) async fn revive(&mut self, target: &str) -> Result<Vec<String>> {
        if self.suffer(target, Fault::Revive).await? {
            return Ok(vec![target.to_owned()]);
        }
        let mut revived = Vec::new();
        for (site, place) in self.named(target)? {
            let Some(place) = self.sites.get(site).and_then(|site| site.places.get(place)) else { continue };
            if place.member.is_none() {
                let id = place.id.clone();
                let member = self.start(id.clone()).await?;
                revived.push(id.to_string());
                if let Some(place) = self.place(&id) {
                    place.member = Some(member);
                }
            }
        }
        self.balance();
        Ok(revived)
    }

    /// Kills every running host that `target` names, or a part of the ground, without warning. Returns their names.
    ///
    /// # Errors
    /// Nothing has that name.
    pub(crate) async fn kill(&mut self, target: &str) -> Result<Vec<String>> {
        if self.suffer(target, Fault::Kill).await? {
            return Ok(vec![target.to_owned()]);
        }
        let mut killed = Vec::new();
        for (site, place) in self.named(target)? {
            let Some(place) = self.sites.get_mut(site).and_then(|site| site.places.get_mut(place)) else {
                continue;
            };
            if let Some(member) = place.member.take() {
                let (requests, failures) = member.requests();
                self.past = (self.past.0 + requests, self.past.1 + failures);
                member.kill();
                killed.push(place.id.to_string());
            }
        }
        self.balance();
        Ok(killed)
    }

    /// Freezes every running host that `target` names, or a part of the ground, where it stands; or lets it go on.
    ///
    /// # Errors
    /// Nothing has that name, or hosts are no processes here.
    pub(crate) async fn freeze(&mut self, target: &str, fault: Fault) -> Result<Vec<String>> {
        if self.suffer(target, fault).await? {
            return Ok(vec![target.to_owned()]);
        }
        let mut done = Vec::new();
        for (site, place) in self.named(target)? {
            let Some(place) = self.sites.get(site).and_then(|site| site.places.get(place)) else { continue };
            let Some(member) = &place.member else { continue };
            let Some(process) = member.process().map(ProcessHost::process) else {
                let text = "hosts are threads here and cannot be frozen: start with `dunlin dev --real`";
                return Err(WrongInput(text.to_owned()).into());
            };
            if fault == Fault::Freeze {
                process.freeze()
            } else {
                process.thaw()
            }
            done.push(place.id.to_string());
        }
        Ok(done)
    }

    /// Forgets hosts whose processes ended without being told to. Returns their names.
    pub(crate) fn bury(&mut self) -> Vec<HostId> {
        let mut ended = Vec::new();
        for place in self.sites.iter_mut().flat_map(|site| &mut site.places) {
            if place.member.as_mut().is_some_and(Member::ended) {
                place.member = None;
                ended.push(place.id.clone());
            }
        }
        ended
    }

    /// The parts below the hosts, in words.
    pub(crate) fn bus_in_words(&self) -> String {
        match &self.footing {
            Footing::Here { .. } => "in this process".to_owned(),
            Footing::Real(ground) => ground.words(),
        }
    }

    /// Where a provider's Redis answers, if a real one is there.
    pub(crate) fn redis_at(&self, provider: &str) -> Option<SocketAddr> {
        match &self.footing {
            Footing::Here { .. } => None,
            Footing::Real(ground) => ground.redis_at(provider),
        }
    }

    /// The processes that run below the hosts and as hosts, by name.
    pub(crate) fn processes(&self) -> Vec<(String, u32)> {
        let Footing::Real(ground) = &self.footing else { return Vec::new() };
        let hosts = self.members().filter_map(|(id, member)| {
            Some((id.to_string(), member.process().map(ProcessHost::process).map(Process::id)?))
        });
        ground.processes().into_iter().chain(hosts).collect()
    }

    /// What somebody who looks on needs to connect, by site; nothing where the bus is in this process.
    pub(crate) fn viewers(&self) -> Vec<(String, ForViewer)> {
        let Footing::Real(ground) = &self.footing else { return Vec::new() };
        let places = self.sites.iter().map(|site| site.name.as_str()).chain([HUB]);
        places.filter_map(|place| Some((place.to_owned(), ground.for_viewer(place).ok()?))).collect()
    }

    async fn suffer(&mut self, target: &str, fault: Fault) -> Result<bool> {
        match &mut self.footing {
            Footing::Here { .. } => Ok(false),
            Footing::Real(ground) => ground.suffer(target, fault).await,
        }
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

    /// What the first host sees that runs and answers.
    pub(crate) fn status(&self) -> Option<Arc<Status>> {
        self.members().find_map(|(_, member)| member.status())
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
        if let Footing::Real(ground) = self.footing {
            ground.stop().await;
        }
    }

    async fn start(&self, id: HostId) -> Result<Member> {
        match &self.footing {
            Footing::Here { network, engine, images } => self
                .start_here(id, network, engine.clone(), images.clone())
                .await
                .map(|host| Member::Thread(Box::new(host))),
            Footing::Real(ground) => self.start_process(id, ground).await.map(Member::Process),
        }
    }

    async fn start_process(&self, id: HostId, ground: &Ground) -> Result<ProcessHost> {
        let needs = ground.for_host(&id)?;
        let settings = Settings {
            lattice: self.plan.lattice.clone(),
            manifests: self.plan.directory.clone(),
            repository: self.plan.repository.clone(),
            state: self.plan.data.join(&id.host),
            nats: needs.nats,
            credentials: needs.credentials,
            authority: needs.authority,
            secrets: self.plan.secrets.clone(),
            wasm: self.plan.code_files()?,
            provider_urls: needs.provider_urls,
            holds_data: id.host.ends_with("-1"),
            stand_ins: needs.stand_ins,
            grace: GRACE,
            id,
        };
        ProcessHost::start(&settings).await
    }

    async fn start_here(
        &self,
        id: HostId,
        network: &Network,
        engine: Engine,
        images: Images,
    ) -> Result<ThreadHost> {
        let (lattice, state) = (self.plan.lattice.clone(), self.plan.data.join(&id.host));
        let source = match &self.plan.repository {
            Some(repository) => SourceChoice::Git(Box::new(repository.settings(&state))),
            None => SourceChoice::Directory(self.plan.directory.clone()),
        };
        let config = HostConfig {
            secrets: self.plan.secrets.clone(),
            stand_ins: true,
            first: id.host.ends_with("-1"),
            linger: Duration::from_millis(300),
            ..HostConfig::new(id.clone(), lattice, state, engine, images)
        };
        ThreadHost::start(config, network.bus(&id), source).await
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
            let sites: Vec<_> = self.sites.iter().map(|site| site.name.clone()).collect();
            let parts = match &self.footing {
                Footing::Here { .. } => Vec::new(),
                Footing::Real(ground) => ground.parts(),
            };
            let hosts = self.sites.iter().flat_map(|site| &site.places).map(|place| place.id.to_string());
            let all: Vec<String> = sites.iter().cloned().chain(hosts).chain(parts.iter().cloned()).collect();
            let hint = did_you_mean(target, all.iter().map(String::as_str));
            let hint = hint.map(|hint| format!(": {hint}")).unwrap_or_default();
            let parts = if parts.is_empty() {
                String::new()
            } else {
                format!("; other parts are {}", parts.join(", "))
            };
            let text = format!("no site or host {target:?}{hint}; the sites are {}{parts}", sites.join(", "));
            return Err(WrongInput(text).into());
        }
        Ok(found)
    }
}

fn engine(plan: &Plan) -> Result<Engine> {
    let config = dunlin_host::EngineConfig { cache: Some(plan.data.join("compiled")), ..Default::default() };
    Engine::new(config).map_err(|error| match error {
        dunlin_host::EngineError::Cache(error) => {
            let data = plan.data.display();
            let text = format!("--data {data} cannot be used: {error}; does another `dunlin dev` use it?");
            WrongInput(text).into()
        }
        error => anyhow::Error::from(error),
    })
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
