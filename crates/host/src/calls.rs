//! This host's calls over the lattice: connections of their own, apart from presence.

use std::sync::Arc;

use dunlin_lattice::presence::PeerClock;
use dunlin_lattice::subjects::Subjects;
use dunlin_lattice::{
    Bus, CallClient, CallError, CallServer, CallSettings, Candidate, Connection, Executed, Place, Reply,
    Request, Serve,
};
use dunlin_manifest::HostId;
use prometheus::IntCounterVec;
use tokio::time::Instant;

use crate::directory::Replica;
use crate::error::HostError;

/// Makes and takes calls.
pub(crate) struct Calls {
    id: HostId,
    subjects: Subjects,
    client: CallClient,
    serving: Arc<dyn Connection>,
    made: IntCounterVec,
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
        made: IntCounterVec,
        connections: usize,
    ) -> Result<Self, HostError> {
        let subjects = Subjects::new(lattice).ok_or_else(|| HostError::LatticeName(lattice.to_owned()))?;
        let mut calling = Vec::new();
        for number in 1..=connections.max(1) {
            calling.push(bus.connect(&format!("calls-{number}")).await?);
        }
        let serving = bus.connect("serving").await?;
        let client = CallClient::start(calling, subjects.clone(), id.clone(), CallSettings::default()).await;
        Ok(Self { id: id.clone(), subjects, client, serving, made })
    }

    /// Starts to take calls, whose deadlines are in `clock`: this host's own. They are answered until the server is
    /// dropped.
    pub(crate) async fn serve(&self, clock: PeerClock, service: Arc<dyn Serve>) -> CallServer {
        let (subjects, id) = (self.subjects.clone(), self.id.clone());
        CallServer::start(Arc::clone(&self.serving), subjects, id, clock, service, CallSettings::default())
            .await
    }

    /// Asks one of `replicas`, and further ones as far as the routing table allows.
    pub(crate) async fn call(&self, replicas: &[Replica], request: Request) -> Result<Reply, CallError> {
        let now = Instant::now();
        let candidates: Vec<_> = replicas.iter().map(|replica| self.candidate(replica, now)).collect();
        let target = request.target.clone();
        let outcome = self.client.call(&candidates, request).await;
        let word = match outcome.as_ref().map_err(CallError::executed) {
            Ok(_) => "answered",
            Err(Executed::No) => "not-executed",
            Err(Executed::Unknown) => "unknown",
            Err(Executed::Yes) => "failed",
        };
        self.made.with_label_values(&[target.as_str(), word]).inc();
        outcome
    }

    fn candidate(&self, replica: &Replica, now: Instant) -> Candidate {
        let place = if replica.host.site == self.id.site { Place::OwnSite } else { Place::OtherSite };
        Candidate {
            host: Arc::clone(&replica.host),
            place,
            ready: replica.ready,
            unseen_for: now.saturating_duration_since(replica.last_beat),
            clock: replica.clock,
        }
    }
}
