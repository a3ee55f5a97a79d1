//! One attempt of a call at one host: the frame out, what comes back, and what it means.

use std::sync::Arc;

use bytes::Bytes;
use dunlin_manifest::HostId;
use rand::RngExt;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::client::{Candidate, Reply, Request};
use super::frames::{self, Kind, OVERHEAD, RefusalKind, Reset};
use super::line::Line;
use super::pending::{Heard, Waiting};
use crate::router::{Outcome, Peers, Safety};
use crate::stream::{Body, BodyBroken, BodyStream, Direction, Route, Slot, pump};
use crate::subjects::Subjects;

/// How much earlier the callee's deadline is than the caller's, at most.
const MARGIN: std::time::Duration = std::time::Duration::from_millis(25);

/// A request, shared by its attempts.
pub(crate) struct Prepared {
    pub(crate) target: String,
    pub(crate) function: String,
    pub(crate) from_component: String,
    pub(crate) link: String,
    pub(crate) values: Bytes,
    pub(crate) body: Arc<Slot>,
    pub(crate) deadline: Instant,
    pub(crate) safety: Safety,
    pub(crate) traceparent: Option<String>,
}

impl Prepared {
    /// What a frame needs besides a body.
    pub(crate) fn size(&self) -> usize {
        let names = self.from_component.len() + self.link.len();
        self.values.len() + names + self.traceparent.as_ref().map_or(0, String::len) + OVERHEAD
    }

    /// The request as it was made in the context `traceparent`, unless something of its body was taken.
    pub(crate) fn again(self, traceparent: Option<String>) -> Option<Request> {
        let body = self.body.give_back()?;
        let Self { target, function, from_component, link, values, deadline, safety, .. } = self;
        Some(Request { target, function, from_component, link, values, body, deadline, safety, traceparent })
    }
}

/// How an attempt ended.
pub(crate) struct Ended {
    pub(crate) host: Arc<HostId>,
    pub(crate) outcome: Outcome,
    pub(crate) reason: String,
    pub(crate) reply: Option<Reply>,
}

/// Where attempts are made from.
pub(crate) struct Attempt<'a> {
    pub(crate) line: &'a Arc<Line>,
    pub(crate) subjects: &'a Subjects,
    pub(crate) me: &'a HostId,
    pub(crate) peers: &'a Peers,
    pub(crate) inline: usize,
}

impl Attempt<'_> {
    pub(crate) async fn run(self, candidate: &Candidate, request: &Prepared) -> Ended {
        let host = Arc::clone(&candidate.host);
        let unsent = |outcome, reason| Ended { host: Arc::clone(&host), outcome, reason, reply: None };
        let Some(generation) = self.line.generation() else {
            return unsent(Outcome::NoResponders, "this host is not connected to the bus".to_owned());
        };
        let (flight, began) = (self.peers.begin(&candidate.host), Instant::now());
        let id: u128 = rand::rng().random();
        let subject = self.subjects.call(&candidate.host, self.me, &request.target, &request.function);
        let (route, reply_to) = self.line.route(id, subject);
        let call = self.frame(candidate, request, began);
        let (heard, reply) = oneshot::channel();
        let waiting = Waiting { peer: Arc::clone(&candidate.host), route: route.clone(), generation, heard };
        self.line.pending.insert(id, waiting);
        let mut open = Open { line: self.line, route: &route, state: State::Unsent };
        if call.streamed {
            match self.line.table.open_outbox(id, &candidate.host) {
                Ok(outbox) => {
                    let (slot, table) = (Arc::clone(&request.body), Arc::clone(&self.line.table));
                    let pump = pump(slot, outbox, table, route.clone(), Direction::Request);
                    tokio::spawn(pump.in_current_span());
                }
                Err(reason) => return unsent(Outcome::Busy, reason.to_string()),
            }
        }
        open.state = State::Sent;
        let frame = route.frame(Kind::Call(call));
        let connection = &self.line.outgoing.connection;
        if let Err(error) = connection.publish(&route.subject, Some(&reply_to), frame).await {
            open.state = State::Unsent;
            return unsent(Outcome::NoResponders, error.to_string());
        }
        let (outcome, reason, reply) = match tokio::time::timeout_at(request.deadline, reply).await {
            Ok(Ok(heard)) => {
                // An answer's bodies live on; after anything else nothing of the call is left there.
                open.state = if matches!(heard, Heard::Answer(..)) { State::Answered } else { State::Unsent };
                self.understand(candidate, &route, heard)
            }
            Ok(Err(_)) => (Outcome::ConnectionLost, "the client was stopped".to_owned(), None),
            Err(_) => (Outcome::Silence, "no answer before the deadline".to_owned(), None),
        };
        drop(open);
        let now = Instant::now();
        flight.ended(outcome, now - began, now);
        Ended { host, outcome, reason, reply }
    }

    fn frame(&self, candidate: &Candidate, request: &Prepared, now: Instant) -> frames::Call {
        let inline = match request.body.as_ref() {
            Slot::Empty => Some(None),
            Slot::Whole(bytes) if self.fits(bytes, request) => Some(Some(bytes.clone())),
            Slot::Whole(_) | Slot::Stream(_) => None,
        };
        // A little earlier than ours, so that "it was still running" is heard before we hang up in silence.
        let left = request.deadline.saturating_duration_since(now);
        let deadline = request.deadline - (left / 20).min(MARGIN);
        frames::Call {
            incarnation: candidate.clock.incarnation,
            deadline: micros(candidate.clock.to_peer(deadline)),
            from_component: request.from_component.clone(),
            link: request.link.clone(),
            values: request.values.clone(),
            streamed: inline.is_none(),
            body: inline.flatten(),
            traceparent: request.traceparent.clone(),
        }
    }

    fn fits(&self, bytes: &Bytes, request: &Prepared) -> bool {
        let max = self.line.outgoing.connection.max_payload();
        bytes.len() <= self.inline && bytes.len() + request.size() <= max
    }

    fn understand(
        &self,
        candidate: &Candidate,
        route: &Route,
        heard: Heard,
    ) -> (Outcome, String, Option<Reply>) {
        match heard {
            Heard::Answer(answer, reader) => {
                let body = match (reader, answer.body) {
                    (Some(Ok(reader)), _) => Body::Stream(reader.into_stream()),
                    (Some(Err(reason)), _) => {
                        route.send_later(Direction::Answer.reset(reason.to_string()));
                        Body::Stream(BodyStream::new(futures::stream::once(std::future::ready(Err(reason)))))
                    }
                    (None, Some(bytes)) => Body::Whole(bytes),
                    (None, None) => Body::Empty,
                };
                let served_by = candidate.host.as_ref().clone();
                (Outcome::Answer, String::new(), Some(Reply { values: answer.values, body, served_by }))
            }
            Heard::Refusal(refusal) => {
                let (outcome, default) = match refusal.kind() {
                    RefusalKind::NotHere => (Outcome::NotHere, "not here"),
                    RefusalKind::Draining => (Outcome::Draining, "draining"),
                    RefusalKind::Busy => (Outcome::Busy, "busy"),
                    RefusalKind::DeadlinePassed => (Outcome::DeadlinePassed, "the deadline had passed"),
                    RefusalKind::Refused => (Outcome::Refused, "refused"),
                    RefusalKind::NotLinked => (Outcome::NotLinked, "not linked"),
                    RefusalKind::Failed => (Outcome::Failed, "failed"),
                    RefusalKind::AnswerGone => (Outcome::AnswerGone, "executed, answer gone"),
                    RefusalKind::Unknown => (Outcome::Reset, "it does not know the outcome"),
                };
                let reason = if refusal.reason.is_empty() { default.to_owned() } else { refusal.reason };
                (outcome, reason, None)
            }
            Heard::NoResponders => (Outcome::NoResponders, "nobody listens there".to_owned(), None),
            Heard::Reset(reason) => (Outcome::Reset, reason, None),
            Heard::ConnectionLost => {
                (Outcome::ConnectionLost, "the connection to the bus was lost".to_owned(), None)
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum State {
    /// The callee has nothing of it, or nothing any more.
    Unsent,
    Sent,
    Answered,
}

/// An attempt under way. Dropped without an answer, it takes back what it registered and, if the call was sent,
/// tells the callee that nobody waits any more.
struct Open<'a> {
    line: &'a Line,
    route: &'a Route,
    state: State,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        const REASON: &str = "the caller gave up";
        if self.state == State::Answered {
            return;
        }
        self.line.pending.take(self.route.id);
        self.line.table.break_off(self.route.id, &BodyBroken::Reset(REASON.to_owned()));
        if self.state == State::Sent {
            self.route.send_later(Kind::Reset(Reset {
                request: true,
                answer: true,
                reason: REASON.to_owned(),
            }));
        }
    }
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
