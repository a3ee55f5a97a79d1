//! What a host says of itself, and when: beats, states, requests for others' states, the goodbye.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dunlin_manifest::HostId;
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::{Instant, timeout};

use super::frames::{self, Announced, Beat};
use super::{PresenceConfig, Shared, lock};
use crate::bus::{BusError, Connection};
use crate::wire;

/// How often a host beats.
const BEAT: Duration = Duration::from_secs(1);
/// Within what time a host that has just started is greeted; spread, as all others do the same.
const GREETING: Duration = Duration::from_millis(100);
/// How long a state is not repeated if nobody asks: 25 to 35 s.
const STATE: Duration = Duration::from_secs(25);
const STATE_JITTER: Duration = Duration::from_secs(10);
/// The least time between two states of this host, however often it changes or is asked for.
const STATE_GAP: Duration = Duration::from_millis(50);
/// The least time between two beats.
const BEAT_GAP: Duration = Duration::from_millis(250);
/// How long the bus may take to accept a message.
pub(super) const PUBLISH: Duration = Duration::from_secs(1);

pub(super) struct Voice {
    pub(super) connection: Arc<dyn Connection>,
    pub(super) config: PresenceConfig,
    pub(super) shared: Arc<Shared>,
    random: StdRng,
    sequence: u64,
    next_beat: Instant,
    next_state: Instant,
    last_state: Option<Instant>,
    /// The number of the state that was sent last; another one is sent as soon as may be.
    sent_state: u64,
    /// Somebody asked for the state, or may have missed it.
    state_wanted: bool,
}

impl Voice {
    pub(super) fn new(
        connection: Arc<dyn Connection>,
        config: PresenceConfig,
        shared: Arc<Shared>,
        random: StdRng,
    ) -> Self {
        let now = shared.started;
        Self {
            connection,
            config,
            shared,
            random,
            sequence: 0,
            next_beat: now,
            next_state: now,
            last_state: None,
            sent_state: 0,
            state_wanted: false,
        }
    }

    /// When there will be something to say.
    pub(super) fn due(&self) -> Instant {
        let state = if self.state_changed() { self.state_allowed() } else { self.next_state };
        state.min(self.next_beat)
    }

    /// Says whatever is due by `now`; a state before the beat that shows its number.
    pub(super) async fn speak(&mut self, now: Instant) {
        if now >= self.next_state || (self.state_changed() && now >= self.state_allowed()) {
            self.send_state(now).await;
        }
        if now >= self.next_beat {
            // Whole seconds after the last one; beats that were slept through are not made up for.
            while self.next_beat <= now {
                self.next_beat += BEAT;
            }
            let beat = self.beat();
            let _ = self.announce(Announced::Beat { beat, body: None }).await;
        }
    }

    /// Others may not have the state: say it again soon.
    pub(super) fn repeat_state(&mut self) {
        self.state_wanted = true;
    }

    /// A host has started: beat soon, so that it need not wait a second to learn of this one.
    pub(super) fn greet(&mut self, now: Instant) {
        let last = self.next_beat.checked_sub(BEAT).unwrap_or(now);
        let soon = now + GREETING.mul_f64(self.random.random());
        self.next_beat = self.next_beat.min(soon.max(last + BEAT_GAP));
    }

    /// Says goodbye; whether the bus took it.
    pub(super) async fn goodbye(&self) -> bool {
        self.announce(Announced::Goodbye { incarnation: self.shared.incarnation }).await.is_ok()
    }

    /// Asks a host for the state that its beat showed.
    pub(super) async fn ask(&self, host: &HostId, beat: &Beat) {
        let subject = self.config.subjects.state_ask(host, &self.config.me);
        let _ = self.publish(&subject, frames::write_state_ask(beat.incarnation, beat.state)).await;
    }

    fn state_changed(&self) -> bool {
        let number = lock(&self.shared.own).number;
        number != 0 && (self.state_wanted || number != self.sent_state)
    }

    fn state_allowed(&self) -> Instant {
        self.last_state.map_or(self.shared.started, |last| last + STATE_GAP)
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
}
