//! The calling side: picks a host, sends, and does with the outcome what the routing table says.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use dunlin_manifest::{HostId, is_dns_label};
use futures::stream::{FuturesUnordered, StreamExt};
use rand::RngExt;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::attempt::{Attempt, Ended, Prepared};
use super::frames::OVERHEAD;
use super::line::{Kept, Line};
use super::{CallError, CallSettings, Ending, Report, Unanswered, spans};
use crate::Connection;
use crate::presence::PeerClock;
use crate::router::{
    Budget, Chances, Decision, Executed, Outcome, Peers, Place, Safety, Standing, decide, order,
};
use crate::stream::{Body, Slot};
use crate::subjects::Subjects;
use crate::trace_context::continued;

/// A call to make.
#[derive(Debug)]
pub struct Request {
    /// The component or provider that is asked: a DNS label.
    pub target: String,
    /// What of it; any text.
    pub function: String,
    /// The component that asks.
    pub from_component: String,
    /// By which of its links, empty for a route.
    pub link: String,
    /// The arguments, encoded.
    pub values: Bytes,
    /// The request's body. A stream is sent to one host only, and not before that host wants it.
    pub body: Body,
    /// When nobody waits for the answer any more.
    pub deadline: Instant,
    /// Whether executing it twice does harm.
    pub safety: Safety,
    /// W3C `traceparent`.
    pub traceparent: Option<String>,
}

/// A host that has what is asked for, as presence shows it.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Who.
    pub host: Arc<HostId>,
    /// How near.
    pub place: Place,
    /// Whether its slot is ready and not leaving.
    pub ready: bool,
    /// Since when nothing was heard of it.
    pub unseen_for: Duration,
    /// Its clock and incarnation, which the deadline is written in.
    pub clock: PeerClock,
}

/// The answer to a call.
#[derive(Debug)]
pub struct Reply {
    /// The results, encoded.
    pub values: Bytes,
    /// The answer's body; a stream may still break.
    pub body: Body,
    /// Who answered.
    pub served_by: HostId,
}

/// Makes calls over one or more connections, in turn. Everything of one call stays on one connection.
pub struct CallClient {
    lines: Vec<Kept>,
    next: AtomicUsize,
    subjects: Subjects,
    me: HostId,
    peers: Peers,
    budget: Mutex<Budget>,
    settings: CallSettings,
}

impl std::fmt::Debug for CallClient {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("CallClient").field("me", &self.me).finish_non_exhaustive()
    }
}

impl CallClient {
    /// Listens for replies on each of `connections` (at least one, or no call can be made). A connection that is
    /// down is used once it stands.
    pub async fn start(
        connections: Vec<Arc<dyn Connection>>,
        subjects: Subjects,
        me: HostId,
        settings: CallSettings,
    ) -> Self {
        let mut lines = Vec::with_capacity(connections.len());
        for connection in connections {
            let counters = &settings.counters.streams;
            lines.push(Kept::start(connection, &subjects, &me, settings.streams, counters).await);
        }
        let budget = Mutex::new(Budget::new(settings.budget, Instant::now()));
        let peers = Peers::new(settings.ejection);
        Self { lines, next: AtomicUsize::new(0), subjects, me, peers, budget, settings }
    }

    /// Makes a call: asks `candidates` one after the other, best first, as far as the routing table allows, and
    /// returns the first answer. Dropped before that, it tells the callee to stop.
    ///
    /// # Errors
    /// [`CallError`], which says what is known of the execution.
    pub async fn call(&self, candidates: &[Candidate], request: Request) -> Result<Reply, CallError> {
        let reported = self.call_reported(candidates, request, &mut Report::default()).await;
        reported.map_err(|unanswered| unanswered.error)
    }

    /// As [`CallClient::call`], and tells on the way how it goes.
    ///
    /// # Errors
    /// As [`CallClient::call`], with the request where it may be made again.
    pub async fn call_reported(
        &self,
        candidates: &[Candidate],
        mut request: Request,
        report: &mut Report,
    ) -> Result<Reply, Unanswered> {
        let contexts = continued(request.traceparent.as_deref());
        let own = contexts.1.map(|own| own.to_string());
        let asked_in = std::mem::replace(&mut request.traceparent, own);
        let request = self.prepare(request)?;
        let span = spans::made(&self.me, &request, contexts);
        let result = self.ask(candidates, &request, report).instrument(span.clone()).await;
        if !span.is_disabled() {
            let to = report.to.as_ref().map(|(host, _)| tracing::field::display(host));
            span.record("to", to).record("attempts", report.attempts);
            span.record("outcome", Ending::of(result.as_ref()).word());
        }
        result.map_err(|error| {
            let again = (error.executed() == Executed::No).then(|| request.again(asked_in)).flatten();
            Unanswered { error, again: again.map(Box::new) }
        })
    }

    async fn ask(
        &self,
        candidates: &[Candidate],
        request: &Prepared,
        report: &mut Report,
    ) -> Result<Reply, CallError> {
        self.with_budget(Budget::deposit);
        // Collected, because a closure that borrows must not be held across a wait in a future that has to be `Send`.
        let ordered: Vec<&Candidate> =
            self.order(candidates).into_iter().map(|index| &candidates[index]).collect();
        let mut next = ordered.into_iter().peekable();
        let mut doubtful = None;
        let mut running = FuturesUnordered::new();
        let Some(first) = next.next() else {
            return Err(CallError::Unavailable { tried: 0, reason: "no host has it".to_owned() });
        };
        if Instant::now() >= request.deadline {
            return Err(CallError::DeadlinePassed);
        }
        let mut latest = first;
        report.asks(first);
        running.push(self.attempt(first, request));
        let mut patience = self.patience(first, request);
        loop {
            // Only a read may be asked for elsewhere while somebody may still answer it.
            let impatient =
                request.safety == Safety::Read && next.peek().is_some() && patience < request.deadline;
            let ended = tokio::select! {
                biased;
                Some(ended) = running.next() => Some(ended),
                () = tokio::time::sleep_until(patience), if impatient => None,
                else => return Err(CallError::DeadlinePassed),
            };
            let outcome = ended.as_ref().map_or(Outcome::Silence, |ended| ended.outcome);
            let chances = Chances {
                replica: next.peek().is_some(),
                time: Instant::now() < request.deadline,
                body: request.body.is_intact(),
                budget: true,
            };
            let mut decision = decide(outcome, request.safety, chances);
            if decision == Decision::Next && !self.with_budget(Budget::withdraw) {
                decision = decide(outcome, request.safety, Chances { budget: false, ..chances });
            }
            match (decision, ended) {
                (Decision::Next, ended) => {
                    match ended {
                        Some(ended) => {
                            let Ended { host, outcome, reason, .. } = &ended;
                            tracing::debug!(%host, ?outcome, reason, "trying the next replica");
                            doubtful =
                                doubtful.or((outcome.executed() == Executed::Unknown).then_some(ended));
                        }
                        None => {
                            self.peers.begin(&latest.host).ended(
                                Outcome::Silence,
                                Duration::ZERO,
                                Instant::now(),
                            );
                            tracing::debug!(host = %latest.host, "no answer yet; asking another replica too");
                        }
                    }
                    if let Some(candidate) = next.next() {
                        latest = candidate;
                        report.retried.push(outcome);
                        report.asks(candidate);
                        running.push(self.attempt(candidate, request));
                        patience = self.patience(candidate, request);
                    }
                }
                (_, Some(Ended { reply: Some(reply), host, .. })) => {
                    report.ends_at(&host, candidates);
                    return Ok(reply);
                }
                // Somebody else may still answer well.
                (Decision::Report | Decision::ReportUnknown, Some(ended)) if !running.is_empty() => {
                    doubtful = doubtful.or((ended.outcome.executed() == Executed::Unknown).then_some(ended));
                }
                (_, Some(ended)) => {
                    // What one host may have done is not undone by the next one's refusal.
                    let ended = match doubtful {
                        Some(doubtful) if ended.outcome.executed() == Executed::No => doubtful,
                        _ => ended,
                    };
                    report.ends_at(&ended.host, candidates);
                    let tried = report.attempts as usize;
                    return Err(CallError::of(ended.outcome, &ended.host, ended.reason, tried));
                }
                // Silence so far, and nobody else to ask: wait for the deadline.
                (_, None) => patience = request.deadline,
            }
        }
    }

    /// Calls that wait for a reply now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.lines.iter().map(|kept| kept.line.pending.len()).sum()
    }

    /// Calls that have a body under way now.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.lines.iter().map(|kept| kept.line.table.len()).sum()
    }

    /// What was learned about the hosts called.
    #[must_use]
    pub fn peers(&self) -> &Peers {
        &self.peers
    }

    async fn attempt(&self, candidate: &Candidate, request: &Prepared) -> Ended {
        let Some(line) = self.line() else {
            let reason = "this host has no connection for calls".to_owned();
            let host = Arc::clone(&candidate.host);
            return Ended { host, outcome: Outcome::NoResponders, reason, reply: None };
        };
        let Self { subjects, me, peers, .. } = self;
        Attempt { line, subjects, me, peers, inline: self.settings.inline }.run(candidate, request).await
    }

    /// The next connection that stands, or simply the next if none does.
    fn line(&self) -> Option<&Arc<Line>> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let turn = |step: usize| self.lines.get(start.wrapping_add(step) % self.lines.len().max(1));
        (0..self.lines.len())
            .filter_map(turn)
            .find(|kept| kept.line.generation().is_some())
            .or(turn(0))
            .map(|kept| &kept.line)
    }

    fn prepare(&self, request: Request) -> Result<Prepared, CallError> {
        if !is_dns_label(&request.target) {
            return Err(CallError::BadTarget(request.target));
        }
        let Request { target, function, from_component, link, values, body, deadline, safety, traceparent } =
            request;
        let body = Arc::new(Slot::new(body));
        let request =
            Prepared { target, function, from_component, link, values, body, deadline, safety, traceparent };
        let max = self.lines.iter().map(|kept| kept.line.outgoing.connection.max_payload()).min();
        let limit = max.unwrap_or(usize::MAX);
        if request.size() > limit {
            return Err(CallError::TooLarge {
                size: request.values.len(),
                limit: limit.saturating_sub(OVERHEAD),
            });
        }
        Ok(request)
    }

    fn order(&self, candidates: &[Candidate]) -> Vec<usize> {
        if candidates.len() < 2 {
            return (0..candidates.len()).collect();
        }
        let now = Instant::now();
        let standing = |candidate| {
            let Candidate { host, place, ready, unseen_for, .. }: &Candidate = candidate;
            let past = self.peers.past(host, now);
            Standing {
                site: &host.site,
                place: *place,
                ready: *ready,
                unseen_for: *unseen_for,
                ejected: past.ejected,
                latency: past.latency,
                in_flight: past.in_flight,
            }
        };
        let standings: Vec<Standing<'_>> = candidates.iter().map(standing).collect();
        order(&standings, |n| rand::rng().random_range(0..n))
    }

    /// Until when a read waits for `candidate` alone: several times what it usually takes, at most half of what
    /// is left.
    fn patience(&self, candidate: &Candidate, request: &Prepared) -> Instant {
        let now = Instant::now();
        let half = request.deadline.saturating_duration_since(now) / 2;
        let usual = self.peers.latency(&candidate.host, now) * 8;
        now + usual.max(self.settings.patience).min(half)
    }

    fn with_budget<T>(&self, act: impl FnOnce(&mut Budget, Instant) -> T) -> T {
        act(&mut self.budget.lock().unwrap_or_else(PoisonError::into_inner), Instant::now())
    }
}
