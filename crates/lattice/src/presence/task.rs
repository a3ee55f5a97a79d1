//! The task behind [`super::Presence`]: sends beats and states, listens to everybody's, and feeds the values.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use dunlin_manifest::HostId;
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::frames::{self, Announced, Beat};
use super::table::Table;
use super::{PresenceConfig, Shared, lock};
use crate::bus::{BusError, Connection, ConnectionState, Message, Subscription};
use crate::wire;

const BEAT: Duration = Duration::from_secs(1);
/// Within what time a host that has just started is greeted; spread, as all others do the same.
const GREETING: Duration = Duration::from_millis(100);
/// How often the timer fires: a fraction of the slip that makes deaf.
const TICK: Duration = Duration::from_millis(250);
/// How long a state is not repeated if nobody asks: 25 to 35 s.
const STATE: Duration = Duration::from_secs(25);
const STATE_JITTER: Duration = Duration::from_secs(10);
/// The least time between two states of this host, however often it changes or is asked for.
const STATE_GAP: Duration = Duration::from_millis(50);
/// How late mere beats show in the table that readers see.
const REFRESH: Duration = Duration::from_millis(100);
/// The least time between two tables, for each host in them: copying a large one takes its time.
const COPY: Duration = Duration::from_micros(10);
/// How long the bus may take to accept a message.
const PUBLISH: Duration = Duration::from_secs(1);
/// How long the task waits to hear its own goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

pub(super) struct Task {
    connection: Arc<dyn Connection>,
    config: PresenceConfig,
    shared: Arc<Shared>,
    random: StdRng,
    table: Table,
    tables: watch::Sender<Arc<Table>>,
    changes: watch::Sender<u64>,
    sequence: u64,
    next_tick: Instant,
    next_beat: Instant,
    next_state: Instant,
    last_state: Option<Instant>,
    /// The number of the state that was sent last; another one is sent as soon as may be.
    sent_state: u64,
    /// Somebody asked for the state, or may have missed it.
    state_wanted: bool,
    last_table: Instant,
    refreshed: bool,
    changed: bool,
    was_deaf: bool,
    said_goodbye: bool,
}

/// What the task listens to. Kept apart from it so that waiting does not borrow it.
struct Ears {
    announcements: Option<Subscription>,
    asks: Option<Subscription>,
    /// Nothing once the connection is closed for good.
    state: Option<watch::Receiver<ConnectionState>>,
}

enum Event {
    Tick,
    Announcement(Option<Message>),
    Ask(Option<Message>),
    Own,
    Connection(Option<ConnectionState>),
    Leave,
}

impl Task {
    pub(super) fn new(
        connection: Arc<dyn Connection>,
        config: PresenceConfig,
        shared: Arc<Shared>,
        random: StdRng,
        tables: watch::Sender<Arc<Table>>,
        changes: watch::Sender<u64>,
    ) -> Self {
        let now = shared.started;
        Self {
            connection,
            config,
            random,
            table: Table::new(now),
            tables,
            changes,
            sequence: 0,
            next_tick: now,
            next_beat: now,
            next_state: now,
            last_state: None,
            sent_state: 0,
            state_wanted: false,
            last_table: now,
            refreshed: false,
            changed: false,
            was_deaf: false,
            said_goodbye: false,
            shared,
        }
    }

    pub(super) async fn run(mut self) {
        let mut ears = Ears { announcements: None, asks: None, state: Some(self.connection.state()) };
        loop {
            let wake = self.next_wake(ears.announcements.is_some());
            // In a fixed order, so that a simulation repeats itself; the timer first, which starves nobody.
            let event = tokio::select! {
                biased;
                () = sleep_until(wake) => Event::Tick,
                () = self.shared.leave.cancelled(), if !self.said_goodbye => Event::Leave,
                message = next(&mut ears.announcements) => Event::Announcement(message),
                message = next(&mut ears.asks) => Event::Ask(message),
                () = self.shared.own_changed.notified() => Event::Own,
                state = changed(&mut ears.state) => Event::Connection(state),
            };
            match event {
                Event::Tick | Event::Own => {}
                Event::Announcement(Some(message)) => self.hear(message).await,
                Event::Ask(Some(message)) => self.asked(&message),
                Event::Announcement(None) => ears.announcements = None,
                Event::Ask(None) => ears.asks = None,
                Event::Connection(state) => self.connection_changed(&mut ears, state),
                Event::Leave => return self.leave(&mut ears).await,
            }
            self.tick(&mut ears).await;
            self.show();
        }
    }

    fn next_wake(&self, listening: bool) -> Instant {
        let mut wake = self.next_tick;
        // Nothing is sent before the answers could be heard, so nothing of it is due.
        if listening {
            wake = wake.min(self.next_beat);
        }
        if listening && self.state_due() {
            wake = wake.min(self.last_state.map_or(self.next_tick, |last| last + STATE_GAP));
        }
        if self.changed {
            wake = wake.min(self.last_table + self.copying());
        } else if self.refreshed {
            wake = wake.min(self.last_table + REFRESH);
        }
        wake
    }

    /// How long a table of the present size is shown before the next one.
    fn copying(&self) -> Duration {
        COPY.saturating_mul(u32::try_from(self.table.len()).unwrap_or(u32::MAX))
    }

    /// Whatever is due by the clock.
    async fn tick(&mut self, ears: &mut Ears) {
        let now = Instant::now();
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            lock(&self.shared.hearing).tick(now, self.next_tick);
            self.listen(ears).await;
            if !lock(&self.shared.hearing).deaf(now) {
                self.changed |= self.table.forget(now);
            }
        }
        let deaf = lock(&self.shared.hearing).deaf(now);
        if deaf != self.was_deaf {
            self.was_deaf = deaf;
            self.changed = true;
            tracing::info!(host = %self.config.me, deaf, "hearing changed");
        }
        if ears.announcements.is_none() {
            return;
        }
        let may = self.last_state.is_none_or(|last| now >= last + STATE_GAP);
        if now >= self.next_state || (may && self.state_due()) {
            self.send_state(now).await;
        }
        if now >= self.next_beat {
            // Whole seconds after the start; beats that were slept through are not made up for.
            while self.next_beat <= now {
                self.next_beat += BEAT;
            }
            let beat = self.beat();
            let _ = self.announce(Announced::Beat { beat, body: None }).await;
        }
    }

    /// Subscribes where that has not worked yet.
    async fn listen(&self, ears: &mut Ears) {
        let subjects = &self.config.subjects;
        if ears.asks.is_none() {
            ears.asks = self.subscribe(&subjects.state_asks_to(&self.config.me)).await;
        }
        if ears.announcements.is_none() {
            ears.announcements = self.subscribe(&subjects.announcements()).await;
        }
    }

    async fn subscribe(&self, pattern: &str) -> Option<Subscription> {
        match timeout(PUBLISH, self.connection.subscribe(pattern)).await {
            Ok(Ok(subscription)) => Some(subscription),
            Ok(Err(BusError::Disconnected)) | Err(_) => None,
            Ok(Err(error)) => {
                tracing::warn!(%error, pattern, "presence cannot listen");
                None
            }
        }
    }

    fn connection_changed(&mut self, ears: &mut Ears, state: Option<ConnectionState>) {
        match state {
            None => ears.state = None,
            // Whatever was said while it was away is lost, at both ends.
            Some(state) => self.state_wanted |= state.connected,
        }
        self.changed = true;
    }

    async fn hear(&mut self, message: Message) {
        let read = frames::read(&self.config.subjects, &message.subject, message.payload);
        let (from, announced) = match read {
            Ok(read) => read,
            Err(refused) => {
                self.shared.refused.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(subject = %message.subject, %refused, "refused an announcement");
                return;
            }
        };
        let now = Instant::now();
        match announced {
            announced if from == self.config.me => self.hear_own(announced, now),
            Announced::Goodbye { incarnation } => self.changed |= self.table.goodbye(&from, incarnation),
            Announced::Beat { beat, body } => match self.table.beat(&from, &beat, body, now) {
                Ok(heard) => {
                    self.refreshed = true;
                    self.changed |= heard.changed;
                    if heard.fresh {
                        self.greet(now);
                    }
                    if heard.ask {
                        self.ask(&from, &beat).await;
                    }
                }
                Err(ignored) => tracing::trace!(%from, ?ignored, "ignored a beat"),
            },
        }
    }

    /// A host has started: beat soon, so that it need not wait a second to learn of this one.
    fn greet(&mut self, now: Instant) {
        let last = self.next_beat.checked_sub(BEAT).unwrap_or(now);
        let soon = now + GREETING.mul_f64(self.random.random());
        self.next_beat = self.next_beat.min(soon.max(last + TICK));
    }

    fn hear_own(&self, announced: Announced, now: Instant) {
        let (incarnation, lag) = match announced {
            Announced::Beat { beat, .. } => {
                let age = now.saturating_duration_since(self.shared.started);
                (beat.incarnation, Some(age.saturating_sub(beat.uptime)))
            }
            Announced::Goodbye { incarnation } => (incarnation, None),
        };
        if incarnation != self.shared.incarnation {
            // Stale beats of this host's own former life look the same, so this only informs.
            if !self.shared.contested.swap(true, Ordering::Relaxed) {
                tracing::warn!(host = %self.config.me, "another incarnation of this host is heard");
            }
        } else if let Some(lag) = lag {
            lock(&self.shared.hearing).heard(now, lag);
        }
    }

    fn asked(&mut self, message: &Message) {
        let well_formed = self.config.subjects.parse_state_ask(&message.subject).is_some()
            && frames::read_state_ask(message.payload.clone()).is_ok();
        if well_formed {
            self.state_wanted = true;
        } else {
            self.shared.refused.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(subject = %message.subject, "refused a request for the state");
        }
    }

    async fn ask(&self, host: &HostId, beat: &Beat) {
        let subject = self.config.subjects.state_ask(host, &self.config.me);
        let _ = self.publish(&subject, frames::write_state_ask(beat.incarnation, beat.state)).await;
    }

    fn state_due(&self) -> bool {
        let number = lock(&self.shared.own).number;
        number != 0 && (self.state_wanted || number != self.sent_state)
    }

    async fn send_state(&mut self, now: Instant) {
        let own = lock(&self.shared.own).clone();
        self.next_state = now + STATE + STATE_JITTER.mul_f64(self.random.random());
        if own.number == 0 {
            return;
        }
        self.last_state = Some(now);
        self.state_wanted = false;
        // One that is lost now is asked for when a beat shows its number.
        self.sent_state = own.number;
        let beat = Beat { state: own.number, ..self.beat() };
        let _ = self.announce(Announced::Beat { beat, body: Some(own.body) }).await;
    }

    fn beat(&mut self) -> Beat {
        self.sequence += 1;
        Beat {
            incarnation: self.shared.incarnation,
            sequence: self.sequence,
            uptime: self.shared.started.elapsed(),
            state: self.sent_state,
            protocol: u32::from(wire::VERSION),
            rank: self.config.rank,
        }
    }

    async fn announce(&self, announced: Announced) -> Result<(), BusError> {
        let (kind, payload) = frames::write(&self.config.me, announced);
        self.publish(&self.config.subjects.announcement(kind, &self.config.me), payload).await
    }

    /// Publishes or drops.
    async fn publish(&self, subject: &str, payload: Bytes) -> Result<(), BusError> {
        timeout(PUBLISH, self.connection.publish(subject, None, payload))
            .await
            .unwrap_or(Err(BusError::Disconnected))
    }

    /// Shows readers what is new, not too often.
    fn show(&mut self) {
        let now = Instant::now();
        let since = now.saturating_duration_since(self.last_table);
        if since < self.copying() || !(self.changed || (self.refreshed && since >= REFRESH)) {
            return;
        }
        self.last_table = now;
        self.refreshed = false;
        self.tables.send_replace(Arc::new(self.table.clone()));
        if std::mem::take(&mut self.changed) {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    /// Says goodbye, and waits until the word comes back.
    async fn leave(&mut self, ears: &mut Ears) {
        self.said_goodbye = true;
        let incarnation = self.shared.incarnation;
        let said = self.announce(Announced::Goodbye { incarnation }).await;
        if said.is_err() || ears.announcements.is_none() {
            return;
        }
        let own = |message: Message| {
            let read = frames::read(&self.config.subjects, &message.subject, message.payload);
            read.is_ok_and(|(from, what)| {
                from == self.config.me && what == Announced::Goodbye { incarnation }
            })
        };
        let heard =
            async { while next(&mut ears.announcements).await.is_some_and(|message| !own(message)) {} };
        let _ = timeout(GOODBYE, heard).await;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.shared.gone.cancel();
    }
}

/// The connection's next state, or that there is none any more.
async fn changed(state: &mut Option<watch::Receiver<ConnectionState>>) -> Option<ConnectionState> {
    match state {
        Some(receiver) => receiver.changed().await.ok().map(|()| *receiver.borrow_and_update()),
        None => std::future::pending().await,
    }
}

/// The next message; never, where there is no subscription yet.
async fn next(subscription: &mut Option<Subscription>) -> Option<Message> {
    match subscription {
        Some(subscription) => subscription.next().await,
        None => std::future::pending().await,
    }
}
