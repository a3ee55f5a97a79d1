//! One connection that calls leave on: its reply subscription, what waits for replies, its streams.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dunlin_manifest::HostId;
use rand::RngExt;
use tokio::sync::watch;

use super::frames::{Frame, Kind};
use super::pending::{Heard, Pending, Waiting};
use crate::stream::{BodyBroken, Direction, Outgoing, Route, StreamCounters, StreamLimits, Table};
use crate::subjects::Subjects;
use crate::{Connection, ConnectionState, Message, Subscription, wire};

/// How long until a subscription that failed is tried again.
pub(crate) const AGAIN: Duration = Duration::from_secs(1);

/// What ends the reply subject of frames after the first.
const LATER: &str = "-later";

/// Shared by the client and the line's dispatcher.
pub(crate) struct Line {
    pub(crate) outgoing: Arc<Outgoing>,
    pub(crate) table: Arc<Table>,
    pub(crate) pending: Pending,
    state: watch::Receiver<ConnectionState>,
    listening: AtomicBool,
    /// Everything of the reply subjects but the call id; made up anew with every start, so that what was meant
    /// for a former incarnation finds nobody.
    prefix: String,
}

/// A line and the task that keeps it; the task ends with this.
pub(crate) struct Kept {
    pub(crate) line: Arc<Line>,
    task: tokio::task::AbortHandle,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.task.abort();
        self.line.table.break_all(&BodyBroken::ConnectionLost);
        self.line.pending.lose(u64::MAX);
    }
}

impl Kept {
    pub(crate) async fn start(
        connection: Arc<dyn Connection>,
        subjects: &Subjects,
        me: &HostId,
        limits: StreamLimits,
        counters: &Arc<StreamCounters>,
    ) -> Self {
        let token = format!("{:016x}", rand::rng().random::<u64>());
        let pattern = subjects.replies_to(me, &token);
        let line = Arc::new(Line {
            outgoing: Outgoing::start(Arc::clone(&connection)),
            table: Table::new(limits, Direction::Answer, Arc::clone(counters)),
            pending: Pending::default(),
            state: connection.state(),
            listening: AtomicBool::new(false),
            prefix: subjects.reply(me, &token, ""),
        });
        let subscription = connection.subscribe(&pattern).await.ok();
        line.listening.store(subscription.is_some(), Ordering::Release);
        let task = tokio::spawn(run(Arc::clone(&line), pattern, subscription)).abort_handle();
        Self { line, task }
    }
}

impl Line {
    /// Which making of the connection stands now; `None` if nothing can be sent.
    pub(crate) fn generation(&self) -> Option<u64> {
        let state = *self.state.borrow();
        (state.connected && self.listening.load(Ordering::Acquire)).then_some(state.generation)
    }

    /// Where frames of a new call go, and where its own reply is awaited.
    ///
    /// Frames that follow the call have a reply subject of their own: "no responders" on the call's says that it
    /// was not executed, and on the other only that the callee is gone by now.
    pub(crate) fn route(&self, id: u128, subject: String) -> (Route, String) {
        let reply = format!("{}{id:032x}", self.prefix);
        let later = format!("{reply}{LATER}");
        let outgoing = Arc::clone(&self.outgoing);
        (Route { id, outgoing, subject: subject.into(), reply: Some(later.into()) }, reply)
    }

    fn hear(&self, message: Message) {
        let Some(token) = message.subject.strip_prefix(&self.prefix) else { return };
        let (token, later) = token.strip_suffix(LATER).map_or((token, false), |token| (token, true));
        let Some(id) = call_id(token) else { return };
        if message.no_responders {
            let gone = || "it is gone".to_owned();
            self.table.break_off(id, &BodyBroken::Reset(gone()));
            if let Some(waiting) = self.pending.take(id) {
                waiting.tell(if later { Heard::Reset(gone()) } else { Heard::NoResponders });
            }
            return;
        }
        let frame = match wire::decode::<Frame>(message.payload) {
            Ok(frame) if frame.id() == id => frame,
            Ok(_) => return,
            Err(error) => {
                tracing::debug!(%error, "a reply was refused");
                return;
            }
        };
        match frame.kind {
            Some(Kind::Answer(answer)) => {
                if let Some(waiting) = self.pending.take(id) {
                    // Opened here, before the next frame can arrive.
                    let reader =
                        answer.streamed.then(|| self.table.open_reader(&waiting.peer, waiting.route.clone()));
                    waiting.tell(Heard::Answer(answer, reader));
                }
            }
            Some(Kind::Refusal(refusal)) => {
                if let Some(waiting) = self.pending.take(id) {
                    waiting.tell(Heard::Refusal(refusal));
                }
            }
            Some(Kind::Data(data)) => {
                // Its reader tells the other end if the stream is broken.
                let _delivered = self.table.data(id, None, data);
            }
            Some(Kind::Credit(credit)) => {
                let _delivered = self.table.credit(id, None, credit.up_to);
            }
            Some(Kind::Reset(reset)) => {
                self.table.reset(id, None, &reset);
                if reset.answer
                    && let Some(waiting) = self.pending.take(id)
                {
                    waiting.tell(Heard::Reset(reset.reason));
                }
            }
            Some(Kind::Call(_)) | None => {}
        }
    }
}

impl Waiting {
    /// Whoever waited may be gone; then a reader within `heard` tells the callee when it is dropped.
    fn tell(self, heard: Heard) {
        let _gone = self.heard.send(heard);
    }
}

fn call_id(token: &str) -> Option<u128> {
    let plain = token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| u128::from_str_radix(token, 16).ok())?
}

/// Delivers replies, and fails what waits when the connection is lost or was made anew.
async fn run(line: Arc<Line>, pattern: String, mut subscription: Option<Subscription>) {
    let mut state = line.state.clone();
    let mut generation = state.borrow_and_update().generation;
    loop {
        let Some(replies) = &mut subscription else {
            subscription = line.outgoing.connection.subscribe(&pattern).await.ok();
            line.listening.store(subscription.is_some(), Ordering::Release);
            if subscription.is_none() {
                tokio::time::sleep(AGAIN).await;
            }
            continue;
        };
        tokio::select! {
            biased;
            changed = state.changed() => {
                let now = *state.borrow_and_update();
                if changed.is_err() {
                    line.table.break_all(&BodyBroken::ConnectionLost);
                    line.pending.lose(u64::MAX);
                    return;
                }
                if !now.connected || now.generation != generation {
                    line.table.break_all(&BodyBroken::ConnectionLost);
                    line.pending.lose(if now.connected { now.generation.saturating_sub(1) } else { now.generation });
                    generation = now.generation;
                }
            }
            message = replies.next() => match message {
                Some(message) => line.hear(message),
                None => {
                    line.listening.store(false, Ordering::Release);
                    line.table.break_all(&BodyBroken::ConnectionLost);
                    line.pending.lose(u64::MAX);
                    subscription = None;
                }
            },
        }
    }
}
