//! This host's calls over the lattice: connections of their own, apart from presence.

mod underway;

use std::collections::BTreeMap;
use std::sync::Arc;

use dunlin_lattice::presence::PeerClock;
use dunlin_lattice::subjects::Subjects;
use dunlin_lattice::witness::{Watcher, Witness};
use dunlin_lattice::{
    Bus, BusError, CallClient, CallCounters, CallError, CallServer, CallSettings, Candidate, Connection,
    Place, Reply, Request, Serve, Unanswered,
};
use dunlin_manifest::HostId;
use tokio::time::Instant;

pub(crate) use self::underway::{Names, Underway};
use crate::directory::Replica;
use crate::error::HostError;
use crate::metrics::{CallMeter, Metrics};

/// Makes and takes calls.
pub(crate) struct Calls {
    id: Arc<HostId>,
    subjects: Subjects,
    client: CallClient,
    serving: Arc<dyn Connection>,
    counters: Arc<CallCounters>,
    /// For what may be lost: telling of calls, and looking on.
    aside: Arc<dyn Connection>,
    witness: Witness,
    metrics: Metrics,
}

impl Calls {
    /// Opens the connections.
    ///
    /// # Errors
    /// The bus refuses, or the lattice's name cannot be part of a subject.
    pub(crate) async fn connect(
        id: &HostId,
        lattice: &str,
        bus: &dyn Bus,
        metrics: Metrics,
        connections: usize,
    ) -> Result<Self, HostError> {
        let subjects = Subjects::new(lattice).ok_or_else(|| HostError::LatticeName(lattice.to_owned()))?;
        let mut calling = Vec::new();
        for number in 1..=connections.max(1) {
            calling.push(bus.connect(&format!("calls-{number}")).await?);
        }
        let serving = bus.connect("serving").await?;
        let aside = bus.connect("witness").await?;
        let counters = Arc::<CallCounters>::default();
        let client = CallClient::start(calling, subjects.clone(), id.clone(), settings(&counters)).await;
        let witness = Witness::start(Arc::clone(&aside), subjects.clone(), id.clone()).await;
        Ok(Self { id: Arc::new(id.clone()), subjects, client, serving, counters, aside, witness, metrics })
    }

    /// Starts to take calls, whose deadlines are in `clock`: this host's own. They are answered until the server is
    /// dropped.
    pub(crate) async fn serve(&self, clock: PeerClock, service: Arc<dyn Serve>) -> CallServer {
        let (subjects, id) = (self.subjects.clone(), self.id.as_ref().clone());
        let serving = Arc::clone(&self.serving);
        CallServer::start(serving, subjects, id, clock, service, settings(&self.counters)).await
    }

    /// Where calls to `target` are counted: to be asked for once, not for every call.
    pub(crate) fn meter(&self, target: &str) -> CallMeter {
        CallMeter::new(&self.metrics, target)
    }

    /// Asks one of `replicas`, and further ones as far as the routing table allows.
    pub(crate) async fn call(
        &self,
        meter: &CallMeter,
        replicas: &[Replica],
        request: Request,
    ) -> Result<Reply, CallError> {
        self.call_or_return(meter, replicas, request).await.map_err(|unanswered| unanswered.error)
    }

    /// The same, and gives the request back where it may be made again.
    pub(crate) async fn call_or_return(
        &self,
        meter: &CallMeter,
        replicas: &[Replica],
        request: Request,
    ) -> Result<Reply, Unanswered> {
        let now = Instant::now();
        let candidates: Vec<_> = replicas.iter().map(|replica| self.candidate(replica, now)).collect();
        let names = Names {
            component: &request.from_component,
            link: &request.link,
            target: &request.target,
            function: &request.function,
            traceparent: request.traceparent.as_deref(),
        };
        let mut underway = self.begin(Some(meter), names);
        underway.asks(request.values.len(), &request.body);
        let result = self.client.call_reported(&candidates, request, &mut underway.report).await;
        underway.results(result.as_ref().map_err(|unanswered| &unanswered.error));
        result
    }

    /// Notes that something is called; whoever asks says how it ends.
    pub(crate) fn begin<'a>(&'a self, meter: Option<&'a CallMeter>, names: Names<'_>) -> Underway<'a> {
        Underway::new(self, meter, names)
    }

    /// Looks on at the calls of all hosts, this one included.
    ///
    /// # Errors
    /// There is no connection, or the bus does not let this host look on.
    pub(crate) async fn watch(&self) -> Result<Watcher, BusError> {
        Watcher::start(Arc::clone(&self.aside), self.subjects.clone(), &self.id.host).await
    }

    /// Where things were counted, for metrics.
    pub(crate) fn counted(&self) -> (&CallClient, &CallCounters, &Witness) {
        (&self.client, &self.counters, &self.witness)
    }

    /// How long calls to other hosts lately took, in microseconds, by `site/host`.
    pub(crate) fn latencies(&self) -> BTreeMap<String, u64> {
        let told = self.client.peers().latencies(Instant::now()).into_iter();
        told.map(|(host, took)| (host.to_string(), u64::try_from(took.as_micros()).unwrap_or(u64::MAX)))
            .collect()
    }

    fn candidate(&self, replica: &Replica, now: Instant) -> Candidate {
        let host = Arc::clone(&replica.host);
        let place = if host.site == self.id.site { Place::OwnSite } else { Place::OtherSite };
        Candidate {
            host,
            place,
            ready: replica.ready,
            unseen_for: now.saturating_duration_since(replica.last_beat),
            clock: replica.clock,
        }
    }
}

fn settings(counters: &Arc<CallCounters>) -> CallSettings {
    CallSettings { counters: Arc::clone(counters), ..CallSettings::default() }
}
