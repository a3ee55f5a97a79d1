//! The host's life: build, run, drain. What the parts do is in their own files; here they are joined.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use dunlin_agent::{Agent, AgentConfig, AgentHandle, HostFacts, LatticeView, SlotTable};
use dunlin_lattice::nudge::Nudger;
use dunlin_lattice::presence::Presence;
use dunlin_lattice::{Bus, CallServer};
use dunlin_manifest::{HostId, Snapshot};
use dunlin_providers::logging::LogBuffer;
use dunlin_source::{LastGood, SecretFiles};
use http::HeaderValue;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::admin;
use crate::bus::{Connections, NotedBus};
use crate::calls::Calls;
use crate::config::HostConfig;
use crate::desired::Resolver;
use crate::directory::Directory;
use crate::error::HostError;
use crate::events;
use crate::follow;
use crate::former::Remembered;
use crate::history::{Counts, Kept};
use crate::ingress::{self, Routes};
use crate::link::Link;
use crate::links::Links;
use crate::metrics::Metrics;
use crate::observe::{self, Observed};
use crate::remember::{Identities, Remember};
use crate::serve::Service;
use crate::server::{Server, ServerOptions};
use crate::slots::{Forms, HostSlot, Launcher, NotReady};
use crate::source::{SourceChoice, Started};
use crate::status::{self, Manifests, Status};
use crate::stores::Stores;
use crate::trials::{self, Trials};
use crate::wake::Wake;

/// What every request may read. Swapped in whole pieces; nothing in it is locked on the way of a request.
pub(crate) struct Shared {
    pub(crate) id: HostId,
    pub(crate) lattice: String,
    pub(crate) served_by: HeaderValue,
    pub(crate) metrics: Metrics,
    pub(crate) snapshot: watch::Receiver<Arc<Snapshot>>,
    pub(crate) routes: Arc<ArcSwap<Routes>>,
    pub(crate) directory: Arc<ArcSwap<Directory>>,
    pub(crate) slots: Arc<ArcSwap<SlotTable<HostSlot>>>,
    pub(crate) view: Arc<ArcSwap<LatticeView>>,
    /// The picture that directory and routes were made of: what is told is never ahead of what is done.
    pub(crate) told: ArcSwap<LatticeView>,
    /// Tells of every new picture, once directory and routes are made of it.
    pub(crate) news: watch::Sender<()>,
    pub(crate) calls: Arc<Calls>,
    /// For metrics; it lives with the agent.
    presence: Weak<Presence>,
    connections: Arc<Connections>,
    pub(crate) stores: Arc<Stores>,
    /// Links and providers that Git no longer has and something still uses.
    pub(crate) former: Remembered,
    pub(crate) log: Arc<LogBuffer>,
    pub(crate) stand_ins: bool,
    pub(crate) not_ready: Arc<NotReady>,
    pub(crate) observed: Arc<Observed>,
    pub(crate) trials: Arc<Trials>,
    /// Whether it stood still a moment ago.
    pub(crate) wake: Wake,
    /// Whether this host's own picture is complete enough to take requests, and it is not draining.
    pub(crate) ready: AtomicBool,
}

/// A running host. Dropping it ends it at once, as a crash would; [`Host::drain`] ends it well.
pub struct Host {
    shared: Arc<Shared>,
    agent: AgentHandle<HostSlot>,
    ingress: Server,
    admin: Server,
    linger: Duration,
    _serving: CallServer,
    _nudger: Option<Nudger>,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl Host {
    /// Starts a host that follows `source`: a directory of manifests, or a Git repository. Returns once it listens;
    /// components come as they can.
    ///
    /// # Errors
    /// See [`HostError`].
    pub async fn start(
        config: HostConfig,
        bus: Arc<dyn Bus>,
        source: impl Into<SourceChoice>,
    ) -> Result<Self, HostError> {
        let metrics = Metrics::new()?;
        let (bus, connections) = NotedBus::around(bus);
        let log = LogBuffer::new(Default::default());
        let ingress_listener = listen(config.listen, "requests").await?;
        let admin_listener = listen(config.admin, "admin").await?;
        let past = LastGood::load(&config.state).unwrap_or_else(|error| {
            tracing::warn!(%error, "the last good state cannot be read; starting without a past");
            None
        });
        let resolver =
            Resolver { images: config.images.clone(), secrets: config.secrets.clone().map(SecretFiles::new) };
        let trials = Arc::new(Trials::load(config.state.clone()));
        let Started { states: source, nudger } = source.into().start(&config, &bus, past.clone()).await?;

        let (snapshot_sender, snapshot) =
            watch::channel(past.as_ref().map(|past| Arc::clone(&past.snapshot)).unwrap_or_default());
        let (desired_sender, desired) = watch::channel(None);
        let (demanded_sender, demanded) = watch::channel(Arc::clone(&snapshot.borrow()));
        let (identities_sender, identities) =
            watch::channel(past.as_ref().map(|past| past.identities.clone()).unwrap_or_default());
        let (facts_sender, facts) = watch::channel(HostFacts::default());
        let directory = Arc::new(ArcSwap::from_pointee(Directory::default()));
        let stores = Stores::new(
            config.id.clone(),
            config.state.join("stores"),
            config.first,
            config.secrets.clone().map(SecretFiles::new),
        );
        let stores = Arc::new(stores.in_development(config.provider_urls.clone(), config.stand_ins));
        let calls = Calls::connect(
            &config.id,
            &config.lattice,
            bus.as_ref(),
            metrics.clone(),
            config.call_connections,
        );
        let calls = Arc::new(calls.await?);
        let links = Arc::new(Links::new(Arc::clone(&calls), Arc::clone(&stores), Arc::clone(&directory)));

        let last_good = follow::last_good(&resolver, &trials, past.as_ref()).await;
        let kept = Kept::load(&config.state);
        let observed = Observed::new(&config.id, kept, past.as_ref(), last_good.clone(), desired.clone());
        let not_ready = Arc::new(NotReady::default());
        let forms = Forms {
            resolver: resolver.clone(),
            snapshot: demanded,
            desired: desired.clone(),
            trials: Arc::clone(&trials),
        };
        let launcher = Arc::new(Launcher {
            id: config.id.clone(),
            engine: config.engine.clone(),
            forms,
            links: Arc::clone(&links),
            log: Arc::clone(&log),
            not_ready: Arc::clone(&not_ready),
            events: Arc::clone(&observed.events),
            ran: identities,
        });
        let agent_config = AgentConfig {
            labels: config.labels.clone(),
            weight: config.weight,
            ran: past.as_ref().map(|past| past.ran.clone()).unwrap_or_default(),
            last_good,
            aborted: trials.aborted(),
            ..AgentConfig::new(config.id.clone(), config.lattice.clone(), config.memory)
        };
        let presence_connection = bus.connect("presence").await?;
        let (link, linked) = Link::new(&config.id, &config.lattice, Arc::clone(&presence_connection));
        let agent = Agent::start(agent_config, launcher, presence_connection, desired, facts)?;

        let shared = Arc::new(Shared {
            served_by: ingress::served_by(&config.id),
            id: config.id.clone(),
            lattice: config.lattice.clone(),
            metrics: metrics.clone(),
            snapshot,
            routes: Arc::default(),
            directory,
            slots: agent.slots(),
            view: agent.view(),
            told: ArcSwap::new(agent.view().load_full()),
            news: watch::Sender::new(()),
            calls: Arc::clone(&calls),
            presence: Arc::downgrade(agent.presence()),
            connections,
            stores: Arc::clone(&stores),
            former: Remembered::default(),
            log,
            stand_ins: config.stand_ins,
            not_ready,
            observed: Arc::clone(&observed),
            trials,
            wake: Wake::start(),
            ready: AtomicBool::new(false),
        });
        links.know_host(&shared);
        let remembering = Remember {
            folder: config.state.clone(),
            states: source.clone(),
            ran: agent.ran(),
            slots: in_slots(agent.slots()),
            news: shared.news.subscribe(),
            identities: identities_sender,
        };
        let following = follow::Source {
            source,
            resolver,
            snapshot: snapshot_sender,
            demanded: demanded_sender,
            desired: desired_sender,
            facts: facts_sender,
            bus: Arc::clone(&bus),
            linked,
        };
        let tasks = vec![
            spawn(link.run()),
            spawn(following.run(Arc::clone(&shared))),
            spawn(follow::picture(Arc::clone(&shared))),
            spawn(trials::keep(Arc::clone(&shared))),
            spawn(remembering.run()),
            spawn(events::follow(agent.events(), Arc::clone(&observed.events))),
            spawn(observe::watch(config.state.clone(), Arc::clone(&shared))),
        ];
        let serving =
            calls.serve(agent.presence().own_clock(), Arc::new(Service::new(Arc::clone(&shared)))).await;

        let options = ServerOptions { gauge: Some(metrics.connections.clone()), ..ServerOptions::default() };
        let answering = Arc::clone(&shared);
        let ingress = Server::start(ingress_listener, options, move |request, _| {
            ingress::serve(Arc::clone(&answering), request)
        });
        let ingress = ingress.map_err(HostError::Listener)?;
        let telling = Arc::clone(&shared);
        let options = ServerOptions { connections: 256, ..ServerOptions::default() };
        let admin = Server::start(admin_listener, options, move |request, peer| {
            admin::serve(Arc::clone(&telling), request, peer)
        });
        let admin = admin.map_err(HostError::Listener)?;
        tracing::info!(host = %config.id, requests = %ingress.address(), admin = %admin.address(), "host runs");
        Ok(Self {
            shared,
            agent,
            ingress,
            admin,
            linger: config.linger,
            _serving: serving,
            _nudger: nudger,
            _tasks: tasks,
        })
    }

    /// Where requests come in.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.ingress.address()
    }

    /// Where health, metrics, status and logs are.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin.address()
    }

    /// Whether requests should be sent here.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.shared.is_ready()
    }

    /// What this host sees of the lattice.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// What its components log.
    #[must_use]
    pub fn log(&self) -> Arc<LogBuffer> {
        self.shared.log()
    }

    /// What it counts.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Ends the host without harm: it is no longer ready, still accepts for a while so that whoever spreads the load
    /// can notice, lets its slots leave when others have promised to stay, finishes what runs, and stops. Takes at
    /// most about `grace`.
    pub async fn drain(self, grace: Duration) {
        self.shared.ready.store(false, Ordering::Release);
        self.ingress.ask_clients_to_leave();
        tokio::join!(tokio::time::sleep(self.linger.min(grace)), self.agent.drain(grace));
        if !self.ingress.finish(grace).await {
            tracing::warn!("requests were cut off: they took longer than the grace period");
        }
        self.shared.stores.close().await;
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Host").field("id", &self.shared.id).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    pub(crate) fn log(&self) -> Arc<LogBuffer> {
        Arc::clone(&self.log)
    }

    pub(crate) fn status(&self) -> Status {
        status::assemble(self)
    }

    pub(crate) fn manifests(&self) -> Manifests {
        Manifests { revision: self.revision(), snapshot: self.snapshot.borrow().as_ref().clone() }
    }

    /// Metrics as text; what others count is read now.
    pub(crate) fn metrics_text(&self) -> Result<String, prometheus::Error> {
        self.metrics.text(|| {
            status::set_gauges(self);
            self.metrics.read_calls(&self.calls);
            self.metrics.read_bus(&self.connections);
            if let Some(presence) = self.presence.upgrade() {
                self.metrics.read_presence(&presence);
            }
        })
    }

    /// Requests and failures so far.
    pub(crate) fn counts(&self) -> Counts {
        let (requests, failures) = self.metrics.requests_and_failures();
        Counts { requests, failures }
    }

    /// The revision that this host follows, as far as it has read it.
    pub(crate) fn revision(&self) -> String {
        let view = self.told.load();
        let me = view.hosts.get(&self.id).and_then(|entry| entry.state.as_ref());
        me.and_then(|state| state.revision.clone()).unwrap_or_default()
    }

    /// The longest that a request to `component` may take that runs elsewhere: by its manifest, or by the form before it
    /// while that may serve. Where it runs, the form that it meets there says how much of that it gets.
    pub(crate) fn request_timeout(&self, component: &str) -> Duration {
        let timeout =
            self.snapshot.borrow().components.get(component).map(|object| object.spec.timeouts.request);
        let timeout = timeout.unwrap_or_else(|| dunlin_manifest::Timeouts::default().request);
        self.trials.request_timeout(component).map_or(timeout, |before| before.max(timeout))
    }
}

/// The identities that serve in a host's slots, whenever one asks.
fn in_slots(table: Arc<ArcSwap<SlotTable<HostSlot>>>) -> impl Fn() -> Identities + Send {
    move || {
        let table = table.load();
        table.iter().map(|(name, slot)| (name.to_owned(), slot.demand.identity.clone())).collect()
    }
}

async fn listen(address: SocketAddr, purpose: &'static str) -> Result<TcpListener, HostError> {
    TcpListener::bind(address).await.map_err(|error| HostError::Address { address, purpose, error })
}

fn spawn(future: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(future))
}
