//! The called side: one subscription for all calls to this host, checked one after the other, executed side by side.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dunlin_manifest::HostId;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::dedup::{Dedup, Seen};
use super::execution::{Running, execute};
use super::frames::{self, Frame, Kind, RefusalKind};
use super::line::AGAIN;
use super::serve::refusal;
use super::{CallSettings, Incoming, Serve, spans};
use crate::presence::PeerClock;
use crate::stream::{Body, BodyBroken, Delivered, Direction, Outgoing, Route, Table};
use crate::subjects::{CallSubject, Subjects};
use crate::trace_context::continued;
use crate::wire::{self, WireError};
use crate::{Connection, Message, Subscription};

/// Serves the calls to one host, until dropped: what runs then is stopped, and its callers are told.
pub struct CallServer {
    shared: Arc<Shared>,
    task: tokio::task::AbortHandle,
}

pub(crate) struct Shared {
    pub(crate) subjects: Subjects,
    pub(crate) me: HostId,
    pub(crate) clock: PeerClock,
    pub(crate) service: Arc<dyn Serve>,
    pub(crate) settings: CallSettings,
    pub(crate) outgoing: Arc<Outgoing>,
    pub(crate) table: Arc<Table>,
    pub(crate) dedup: Dedup,
    pub(crate) permits: Arc<Semaphore>,
}

impl CallServer {
    /// Listens on `connection` for calls to `me`, whose own clock (`Presence::own_clock`) deadlines are read in.
    pub async fn start(
        connection: Arc<dyn Connection>,
        subjects: Subjects,
        me: HostId,
        clock: PeerClock,
        service: Arc<dyn Serve>,
        settings: CallSettings,
    ) -> Self {
        let shared = Arc::new(Shared {
            outgoing: Outgoing::start(Arc::clone(&connection)),
            table: Table::new(settings.streams, Direction::Request, Arc::clone(&settings.counters.streams)),
            dedup: Dedup::new(settings.remembered, settings.kept),
            permits: Arc::new(Semaphore::new(settings.concurrent.min(Semaphore::MAX_PERMITS))),
            subjects,
            me,
            clock,
            service,
            settings,
        });
        let subscription = connection.subscribe(&shared.subjects.calls_to(&shared.me)).await.ok();
        let task = tokio::spawn(run(Arc::clone(&shared), subscription)).abort_handle();
        Self { shared, task }
    }

    /// Calls that are being executed now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.settings.concurrent.saturating_sub(self.shared.permits.available_permits())
    }

    /// Calls that have a body under way now.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.shared.table.len()
    }

    /// Messages that were refused because they broke the rules of the wire.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.shared.settings.counters.refused()
    }
}

impl std::fmt::Debug for CallServer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("CallServer").field("me", &self.shared.me).finish_non_exhaustive()
    }
}

impl Drop for CallServer {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.table.break_all(&BodyBroken::ConnectionLost);
    }
}

/// Takes messages in, and breaks the streams when the connection is lost or was made anew. Executions go on then:
/// their answers are kept, and may still find their callers.
async fn run(shared: Arc<Shared>, mut subscription: Option<Subscription>) {
    let mut executions = JoinSet::new();
    let mut state = shared.outgoing.connection.state();
    let mut generation = state.borrow_and_update().generation;
    loop {
        let Some(calls) = &mut subscription else {
            subscription =
                shared.outgoing.connection.subscribe(&shared.subjects.calls_to(&shared.me)).await.ok();
            if subscription.is_none() {
                tokio::time::sleep(AGAIN).await;
            }
            continue;
        };
        tokio::select! {
            biased;
            changed = state.changed() => {
                let now = *state.borrow_and_update();
                if changed.is_err() || !now.connected || now.generation != generation {
                    shared.table.break_all(&BodyBroken::ConnectionLost);
                    generation = now.generation;
                }
                if changed.is_err() {
                    return;
                }
            }
            Some(_) = executions.join_next(), if !executions.is_empty() => {}
            message = calls.next() => match message {
                Some(message) => {
                    if shared.hear(message, &mut executions).is_none() {
                        shared.settings.counters.refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
                None => {
                    shared.table.break_all(&BodyBroken::ConnectionLost);
                    subscription = None;
                }
            },
        }
    }
}

impl Shared {
    /// `None` says that the message broke a rule.
    fn hear(self: &Arc<Self>, message: Message, executions: &mut JoinSet<()>) -> Option<()> {
        let subject = self.subjects.parse_call(&message.subject).filter(|subject| subject.to == self.me)?;
        // Only a reply subject of the host that the bus vouches for: nobody makes us write to others.
        let reply = message.reply?;
        let to = self.subjects.parse_reply(&reply)?;
        if to.caller != subject.from {
            tracing::warn!(from = %subject.from, %reply, "a call with somebody else's reply subject was refused");
            return None;
        }
        let route =
            |id| Route { id, outgoing: Arc::clone(&self.outgoing), subject: Arc::clone(&reply), reply: None };
        let frame = match wire::decode::<Frame>(message.payload) {
            Ok(frame) => frame,
            Err(error) => {
                // The reply subject names the call, whatever the frame says.
                let kind = match error {
                    WireError::Version { .. } => RefusalKind::NotHere,
                    WireError::Empty | WireError::Malformed(_) => RefusalKind::Refused,
                };
                let id = u128::from_str_radix(&to.id, 16).ok()?;
                route(id).send_later(Kind::Refusal(refusal(kind, &error.to_string())));
                return None;
            }
        };
        let (id, peer) = (frame.id(), Some(&subject.from));
        match frame.kind? {
            Kind::Call(call) => self.call(subject, route(id), call, executions),
            Kind::Data(data) => match self.table.data(id, peer, data) {
                Delivered::Yes => {}
                Delivered::Stray => {
                    route(id).send_later(Direction::Request.reset("no such body".to_owned()));
                }
                Delivered::Broken(reason) => {
                    route(id).send_later(Direction::Request.reset(reason.to_string()));
                }
            },
            Kind::Credit(credit) => {
                let _delivered = self.table.credit(id, peer, credit.up_to);
            }
            Kind::Reset(reset) => {
                self.table.reset(id, peer, &reset);
                if reset.answer {
                    self.dedup.cancel(id, &subject.from);
                }
            }
            Kind::Answer(_) | Kind::Refusal(_) => return None,
        }
        Some(())
    }

    fn call(
        self: &Arc<Self>,
        subject: CallSubject,
        route: Route,
        call: frames::Call,
        executions: &mut JoinSet<()>,
    ) {
        let refuse = |kind, reason: &str| route.send_later(Kind::Refusal(refusal(kind, reason)));
        if call.incarnation != self.clock.incarnation {
            return refuse(RefusalKind::NotHere, "another incarnation of this host");
        }
        let now = Instant::now();
        let deadline = self.clock.to_local(Duration::from_micros(call.deadline));
        let deadline = deadline.min(now + self.settings.longest);
        match self.dedup.begin(route.id, &subject.from, &route.subject, deadline, now) {
            Seen::New => {}
            Seen::Running => return,
            Seen::Answered(frame) => return route.outgoing.later(&route.subject, None, frame),
            Seen::Gone => return refuse(RefusalKind::AnswerGone, ""),
            Seen::Late => return refuse(RefusalKind::DeadlinePassed, ""),
            Seen::Full => return refuse(RefusalKind::Busy, "too many calls to remember"),
            Seen::Foreign => return refuse(RefusalKind::Refused, "a call id of another host"),
        }
        let contexts = continued(call.traceparent.as_deref());
        let mut running = Running::new(Arc::clone(self), route.clone());
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return running.refuse(RefusalKind::Busy, "");
        };
        let body = if call.streamed {
            match self.table.open_reader(&subject.from, route.clone()) {
                Ok(reader) => Body::Stream(reader.into_stream()),
                Err(reason) => return running.refuse(RefusalKind::Busy, &reason.to_string()),
            }
        } else {
            call.body.map_or(Body::Empty, Body::Whole)
        };
        let incoming = Incoming {
            id: route.id,
            from: subject.from,
            target: subject.component,
            function: subject.function,
            from_component: call.from_component,
            link: call.link,
            values: call.values,
            body,
            deadline,
            traceparent: contexts.1.map(|own| own.to_string()),
        };
        let id = route.id;
        running.span = spans::served(&self.me, &incoming, contexts);
        let span = running.span.clone();
        let handle = executions.spawn(execute(running, incoming, permit).instrument(span));
        self.dedup.runs_as(id, handle);
    }
}
