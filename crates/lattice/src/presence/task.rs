//! The task behind [`super::Presence`]: listens to everybody, feeds the values, and lets the host speak.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::frames::{self, Announced};
use super::lookout::Lookout;
use super::table::Table;
use super::voice::{PUBLISH, Voice};
use super::{Shared, lock};
use crate::bus::{BusError, ConnectionState, Message, Subscription};

/// How often the timer fires: a fraction of the slip that makes deaf.
const TICK: Duration = Duration::from_millis(250);
/// How late mere beats show in the table that readers see.
const REFRESH: Duration = Duration::from_millis(100);
/// The least time between two tables, for each host in them: copying a large one takes its time.
const COPY: Duration = Duration::from_micros(10);
/// How long the task waits to hear its own goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

pub(super) struct Task {
    voice: Voice,
    shared: Arc<Shared>,
    table: Table,
    tables: watch::Sender<Arc<Table>>,
    changes: watch::Sender<u64>,
    next_tick: Instant,
    last_table: Instant,
    refreshed: bool,
    changed: bool,
    was_deaf: bool,
    lookout: Lookout,
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
    pub(super) fn new(voice: Voice, tables: watch::Sender<Arc<Table>>, changes: watch::Sender<u64>) -> Self {
        let shared = Arc::clone(&voice.shared);
        let now = shared.started;
        Self {
            voice,
            table: Table::new(now),
            tables,
            changes,
            next_tick: now,
            last_table: now,
            refreshed: false,
            changed: false,
            was_deaf: false,
            lookout: Lookout::default(),
            shared,
        }
    }

    pub(super) async fn run(mut self) {
        let mut ears = Ears { announcements: None, asks: None, state: Some(self.voice.connection.state()) };
        loop {
            let wake = self.next_wake(ears.announcements.is_some());
            // In a fixed order, so that a simulation repeats itself; the timer first, which starves nobody.
            let event = tokio::select! {
                biased;
                () = sleep_until(wake) => Event::Tick,
                () = self.shared.leave.cancelled() => Event::Leave,
                message = next(&mut ears.announcements) => Event::Announcement(message),
                message = next(&mut ears.asks) => Event::Ask(message),
                () = self.shared.own_changed.notified() => Event::Own,
                state = changed(&mut ears.state) => Event::Connection(state),
            };
            match event {
                Event::Tick | Event::Own => {}
                Event::Announcement(Some(message)) => self.hear(message).await,
                Event::Ask(Some(message)) => self.asked(message),
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
            wake = wake.min(self.voice.due());
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
            self.lookout.look(&self.table, now);
        }
        let deaf = lock(&self.shared.hearing).deaf(now);
        if deaf != self.was_deaf {
            self.was_deaf = deaf;
            self.changed = true;
            tracing::info!(host = %self.voice.config.me, deaf, "hearing changed");
        }
        if ears.announcements.is_some() {
            self.voice.speak(now).await;
        }
    }

    /// Subscribes where that has not worked yet.
    async fn listen(&self, ears: &mut Ears) {
        let subjects = &self.voice.config.subjects;
        if ears.asks.is_none() {
            ears.asks = self.subscribe(&subjects.state_asks_to(&self.voice.config.me)).await;
        }
        if ears.announcements.is_none() {
            ears.announcements = self.subscribe(&subjects.announcements()).await;
        }
    }

    async fn subscribe(&self, pattern: &str) -> Option<Subscription> {
        match timeout(PUBLISH, self.voice.connection.subscribe(pattern)).await {
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
            Some(state) if state.connected => self.voice.repeat_state(),
            Some(_) => {}
        }
        self.changed = true;
    }

    async fn hear(&mut self, message: Message) {
        let read = frames::read(&self.voice.config.subjects, &message.subject, message.payload);
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
            announced if from == self.voice.config.me => self.hear_own(announced, now),
            Announced::Goodbye { incarnation } => self.changed |= self.table.goodbye(&from, incarnation),
            Announced::Beat { beat, body } => match self.table.beat(&from, &beat, body, now) {
                Ok(heard) => {
                    self.shared.heard.fetch_add(1, Ordering::Relaxed);
                    self.refreshed = true;
                    self.changed |= heard.changed;
                    if heard.fresh {
                        self.voice.greet(now);
                    }
                    if heard.ask {
                        self.voice.ask(&from, &beat).await;
                    }
                }
                Err(ignored) => tracing::trace!(%from, ?ignored, "ignored a beat"),
            },
        }
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
            let before = lock(&self.shared.rival).replace(now);
            if before.is_none() {
                tracing::warn!(host = %self.voice.config.me, "another incarnation of this host is heard");
            }
        } else if let Some(lag) = lag {
            let micros = u64::try_from(lag.as_micros()).unwrap_or(u64::MAX).saturating_add(1);
            self.shared.lag.store(micros, Ordering::Relaxed);
            lock(&self.shared.hearing).heard(now, lag);
        }
    }

    fn asked(&mut self, message: Message) {
        let well_formed = self.voice.config.subjects.parse_state_ask(&message.subject).is_some()
            && frames::read_state_ask(message.payload).is_ok();
        if well_formed {
            self.voice.repeat_state();
        } else {
            self.shared.refused.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(subject = %message.subject, "refused a request for the state");
        }
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
        let incarnation = self.shared.incarnation;
        if !self.voice.goodbye().await || ears.announcements.is_none() {
            return;
        }
        let own = |message: Message| {
            let read = frames::read(&self.voice.config.subjects, &message.subject, message.payload);
            read.is_ok_and(|(from, what)| {
                from == self.voice.config.me && what == Announced::Goodbye { incarnation }
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
