//! A store in Redis, or in what speaks like it: one connection for all callers, kept and restored.
//!
//! What it promises, beyond what every store does: no command is written again once a byte of it was written; what
//! was written and not answered is reported as unknown; and a write that waited in a frozen server is refused by that
//! server when it wakes, because each write names the latest moment to begin, in the server's own time.
//!
//! Why the connection is our own and only the protocol a library's: `fred` writes what was under way again after a
//! reconnect, and the connection of the `redis` crate hands a command to a buffer from which it cannot be withdrawn,
//! so that neither can tell a caller whether it was written, nor keep one whose deadline passed from being written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis_protocol::resp2::types::BytesFrame;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::limits::BATCH_BYTES;
use super::{Context, Error};

mod ask;
mod clock;
mod command;
mod connection;
mod driver;
mod endpoint;
mod handshake;
mod keeper;
mod keys;
mod listing;
mod operations;
mod pipe;
mod protocol;
mod refusal;
mod scripts;
mod settings;

pub use settings::{RedisSettings, SettingsError};

use ask::{Stop, ask, late};
use connection::Request;
use endpoint::Endpoint;
use keeper::Phase;

/// Operations at once; the next one is refused.
const CALLERS: usize = 1024;

/// Memory of the operations that wait or are under way, in units of [`ROOM_UNIT`]: twice the largest batch.
const ROOM: usize = 2 * BATCH_BYTES / ROOM_UNIT;
const ROOM_UNIT: usize = 1024;

/// How long an operation waits for a connection that was just lost.
const GRACE: Duration = Duration::from_millis(250);

/// How long closing waits for the operations that are under way.
const CLOSE_TIME: Duration = Duration::from_secs(10);

/// How it stands with a store's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisState {
    /// There is none (yet, or any more); one is being tried.
    Connecting,
    /// There is one.
    Ready,
    /// The store was closed.
    Closed,
}

/// Buckets in a Redis server.
#[derive(Debug)]
pub struct RedisStore {
    phase: Arc<watch::Sender<Phase>>,
    keeper: AbortHandle,
    callers: Semaphore,
    room: Semaphore,
    closed: AtomicBool,
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl RedisStore {
    /// A store that begins to connect at once, and does not wait for it: a server that is not there is a trouble, not
    /// an error.
    ///
    /// # Errors
    /// [`SettingsError`] for what no server can make right.
    pub fn new(settings: RedisSettings) -> Result<Self, SettingsError> {
        let endpoint = Endpoint::new(&settings)?;
        let runtime = Handle::try_current().map_err(|_| SettingsError::NoRuntime)?;
        let phase = Arc::new(watch::Sender::new(Phase::Connecting { trouble: None, hopeful: true }));
        let keeper = runtime.spawn(keeper::keep(endpoint, Arc::clone(&phase))).abort_handle();
        let (callers, room) = (Semaphore::new(CALLERS), Semaphore::new(ROOM));
        Ok(Self { phase, keeper, callers, room, closed: AtomicBool::new(false) })
    }

    /// How it stands with the connection.
    #[must_use]
    pub fn state(&self) -> RedisState {
        match &*self.phase.borrow() {
            _ if self.closed.load(Ordering::Acquire) => RedisState::Closed,
            Phase::Ready { connection, .. } if connection.is_open() => RedisState::Ready,
            Phase::Ready { .. } | Phase::Connecting { .. } => RedisState::Connecting,
            Phase::Closed => RedisState::Closed,
        }
    }

    /// Why there is no connection, in words and without secrets. Nothing while there is one, or none was tried yet.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        match &*self.phase.borrow() {
            Phase::Connecting { trouble, .. } => trouble.clone(),
            Phase::Ready { .. } | Phase::Closed => None,
        }
    }

    /// What a user should know of the server although it serves: that it may lose what it has acknowledged.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        match &*self.phase.borrow() {
            Phase::Ready { notice, .. } => notice.clone(),
            Phase::Connecting { .. } | Phase::Closed => None,
        }
    }

    /// Waits until there is a connection, or the store is closed.
    pub async fn ready(&self) {
        let there = |phase: &Phase| match phase {
            Phase::Ready { connection, .. } => connection.is_open(),
            Phase::Connecting { .. } => false,
            Phase::Closed => true,
        };
        // An error would say that the store is gone, and with it whoever waits.
        let _ = self.phase.subscribe().wait_for(there).await;
    }

    /// Takes no more operations, waits for those under way (at most 10 s), closes the connection. What is under way
    /// even then ends as unknown.
    pub async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let all = u32::try_from(CALLERS).unwrap_or(u32::MAX);
        let _ended = timeout(CLOSE_TIME, self.callers.acquire_many(all)).await;
        self.keeper.abort();
        self.phase.send_replace(Phase::Closed);
    }

    /// Asks the server, on another connection if one was lost before anything was written.
    async fn perform(&self, context: &Context, size: usize, request: Request) -> Result<BytesFrame, Error> {
        let _turn = self.enter(context, size)?;
        let until = context.deadline.min(Instant::now() + GRACE);
        loop {
            let connection = keeper::connection(&self.phase, until).await?;
            match ask(&connection, &request, context.deadline).await {
                Err(Stop::NotWritten(_)) if Instant::now() < until => {}
                result => return Ok(result?),
            }
        }
    }

    /// A turn for one operation that holds `size` bytes.
    fn enter(
        &self,
        context: &Context,
        size: usize,
    ) -> Result<(SemaphorePermit<'_>, SemaphorePermit<'_>), Error> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::NotExecuted("the store is closed".into()));
        }
        if Instant::now() >= context.deadline {
            return Err(late());
        }
        let units = u32::try_from(size.div_ceil(ROOM_UNIT)).unwrap_or(u32::MAX);
        let turn = self.callers.try_acquire().and_then(|turn| Ok((turn, self.room.try_acquire_many(units)?)));
        turn.map_err(|_| {
            Error::NotExecuted("the store is busy: too many operations are waiting; try again later".into())
        })
    }
}
