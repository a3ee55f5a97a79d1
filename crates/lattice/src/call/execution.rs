//! One call while it is executed: within its deadline, answered exactly once, whatever becomes of it.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::Span;

use super::frames::{self, Kind, OVERHEAD, RefusalKind};
use super::serve::refusal;
use super::server::Shared;
use super::{Answer, Incoming, Refusal};
use crate::stream::{Body, Direction, Outbox, Route, Slot, pump};

/// A call that was taken and has no answer yet. Dropped without one (a panic, the caller gave up, the host stops),
/// it is remembered as executed and its caller is told.
pub(crate) struct Running {
    shared: Arc<Shared>,
    route: Route,
    answered: bool,
    /// Where its outcome is told.
    pub(crate) span: Span,
}

impl Running {
    pub(crate) fn new(shared: Arc<Shared>, route: Route) -> Self {
        Self { shared, route, answered: false, span: Span::none() }
    }

    /// Refuses it from a place that cannot wait.
    pub(crate) fn refuse(&mut self, kind: RefusalKind, reason: &str) {
        self.span.record("outcome", tracing::field::debug(kind));
        let frame = self.route.frame(Kind::Refusal(refusal(kind, reason)));
        for subject in self.finish(Some(frame.clone())) {
            self.route.outgoing.later(&subject, None, frame.clone());
        }
    }

    fn finish(&mut self, again: Option<Bytes>) -> Vec<Arc<str>> {
        self.answered = true;
        self.shared.dedup.finish(self.route.id, again)
    }

    /// Sends the answer to everybody who asked; `again` says whether a later repetition may have it too.
    async fn answer(&mut self, frame: Bytes, again: bool) {
        for subject in self.finish(again.then(|| frame.clone())) {
            if let Err(error) = self.route.outgoing.connection.publish(&subject, None, frame.clone()).await {
                tracing::debug!(%error, %subject, "an answer was not sent");
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        if std::thread::panicking() {
            self.refuse(RefusalKind::Failed, "it panicked");
            return;
        }
        self.span.record("outcome", "stopped");
        let frame = self.route.frame(Direction::Answer.reset("it was stopped before it answered".to_owned()));
        for subject in self.finish(None) {
            self.route.outgoing.later(&subject, None, frame.clone());
        }
    }
}

/// Executes a call and sends its answer. The permit is held until the answer is out; a streamed body goes on alone.
pub(crate) async fn execute(mut running: Running, incoming: Incoming, permit: OwnedSemaphorePermit) {
    let deadline = incoming.deadline;
    if Instant::now() >= deadline {
        return running.refuse(RefusalKind::DeadlinePassed, "");
    }
    let (shared, from) = (Arc::clone(&running.shared), incoming.from.clone());
    let result = tokio::time::timeout_at(deadline, shared.service.serve(incoming)).await;
    let result = result.unwrap_or_else(|_| {
        Err(Refusal::Unknown("it was still running when the deadline passed".to_owned()))
    });
    match result {
        Ok(answer) => {
            running.span.record("outcome", "answered");
            let streamed = send(&mut running, &shared, &from, answer).await;
            drop(permit);
            if let Some((slot, outbox)) = streamed {
                let (table, route) = (Arc::clone(&shared.table), running.route.clone());
                pump(slot, outbox, table, route, Direction::Answer).await;
            }
        }
        Err(reason) => {
            let refusal = reason.into_frame();
            running.span.record("outcome", tracing::field::debug(refusal.kind()));
            let frame = running.route.frame(Kind::Refusal(refusal));
            running.answer(frame, true).await;
        }
    }
}

type Streamed = (Arc<Slot>, Arc<Outbox>);

async fn send(
    running: &mut Running,
    shared: &Shared,
    from: &dunlin_manifest::HostId,
    answer: Answer,
) -> Option<Streamed> {
    let Answer { values, body } = answer;
    let room = running.route.outgoing.connection.max_payload().saturating_sub(OVERHEAD);
    if values.len() > room {
        let reason =
            format!("{} bytes of results are more than the {room} that fit one message", values.len());
        let frame = running.route.frame(Kind::Refusal(refusal(RefusalKind::Failed, &reason)));
        running.answer(frame, true).await;
        return None;
    }
    let inline = match body {
        Body::Empty => Ok(None),
        Body::Whole(bytes) if bytes.len() <= shared.settings.inline.min(room - values.len()) => {
            Ok(Some(bytes))
        }
        body => Err(body),
    };
    let body = match inline {
        Ok(body) => {
            let answer = frames::Answer { values, body, streamed: false };
            let frame = running.route.frame(Kind::Answer(answer));
            running.answer(frame, true).await;
            return None;
        }
        Err(body) => body,
    };
    match shared.table.open_outbox(running.route.id, from) {
        Ok(outbox) => {
            let answer = frames::Answer { values, body: None, streamed: true };
            let frame = running.route.frame(Kind::Answer(answer));
            running.answer(frame, false).await;
            Some((Arc::new(Slot::new(body)), outbox))
        }
        Err(reason) => {
            let frame = running.route.frame(Kind::Refusal(refusal(RefusalKind::Failed, &reason.to_string())));
            running.answer(frame, true).await;
            None
        }
    }
}
