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

use async_trait::async_trait;
use bytes::Bytes;
use redis_protocol::resp2::types::{BytesFrame, Resp2Frame};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::limits::{
    BATCH_BYTES, VALUE_BYTES, check_bucket, check_key, check_keys, check_pairs, check_value, cursor_key,
};
use super::{Context, Error, KeyValue, Page, Swap};

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
mod pipe;
mod protocol;
mod refusal;
mod scripts;
mod settings;

pub use settings::{RedisSettings, SettingsError};

use ask::{Stop, ask, late, strange};
use connection::Request;
use endpoint::Endpoint;
use keeper::Phase;
use scripts::Script;

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

    async fn write(
        &self,
        context: &Context,
        script: Script,
        keys: Vec<Bytes>,
        arguments: Vec<Bytes>,
    ) -> Result<BytesFrame, Error> {
        let size = keys.iter().chain(&arguments).map(Bytes::len).sum();
        self.perform(context, size, Request::Script { script, keys, arguments }).await
    }

    async fn plain(&self, context: &Context, word: &'static str, key: Bytes) -> Result<BytesFrame, Error> {
        let words = vec![Bytes::from_static(word.as_bytes()), key];
        self.perform(context, 0, Request::Plain(words)).await
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

/// A key of a bucket, as Redis knows it.
fn place(bucket: &str, key: &str) -> Result<Bytes, Error> {
    check_bucket(bucket)?;
    check_key(key)?;
    Ok(keys::name(bucket, key).into())
}

fn places<'a>(bucket: &str, keys: impl Iterator<Item = &'a String>) -> Vec<Bytes> {
    keys.map(|key| keys::name(bucket, key).into()).collect()
}

/// A value or nothing.
fn value(frame: BytesFrame) -> Result<Option<Bytes>, Error> {
    match frame {
        BytesFrame::BulkString(value) => Ok(Some(value)),
        BytesFrame::Null => Ok(None),
        other => Err(strange(&other)),
    }
}

fn done(frame: BytesFrame) -> Result<(), Error> {
    if matches!(frame, BytesFrame::SimpleString(_)) { Ok(()) } else { Err(strange(&frame)) }
}

/// What a swap answers: 1, or 0 and what is there.
fn swap(frame: BytesFrame) -> Result<Swap, Error> {
    let BytesFrame::Array(parts) = frame else { return Err(strange(&frame)) };
    let mut parts = parts.into_iter();
    match (parts.next(), parts.next()) {
        (Some(BytesFrame::Integer(1)), None) => Ok(Swap::Swapped),
        (Some(BytesFrame::Integer(0)), Some(current)) => Ok(Swap::Changed(value(current)?)),
        _ => Err(strange(&BytesFrame::Array(Vec::new()))),
    }
}

#[async_trait]
impl KeyValue for RedisStore {
    async fn get(&self, context: &Context, bucket: &str, key: &str) -> Result<Option<Bytes>, Error> {
        value(self.plain(context, "GET", place(bucket, key)?).await?)
    }

    async fn set(&self, context: &Context, bucket: &str, key: &str, value: Bytes) -> Result<(), Error> {
        let key = place(bucket, key)?;
        check_value(&value)?;
        done(self.write(context, Script::Set, vec![key], vec![value]).await?)
    }

    async fn delete(&self, context: &Context, bucket: &str, key: &str) -> Result<(), Error> {
        done(self.write(context, Script::Delete, vec![place(bucket, key)?], Vec::new()).await?)
    }

    async fn exists(&self, context: &Context, bucket: &str, key: &str) -> Result<bool, Error> {
        match self.plain(context, "EXISTS", place(bucket, key)?).await? {
            BytesFrame::Integer(count) => Ok(count > 0),
            other => Err(strange(&other)),
        }
    }

    async fn list_keys(&self, context: &Context, bucket: &str, cursor: Option<&str>) -> Result<Page, Error> {
        check_bucket(bucket)?;
        let after = cursor_key(cursor)?;
        let _turn = self.enter(context, 0)?;
        let until = context.deadline.min(Instant::now() + GRACE);
        let connection = keeper::connection(&self.phase, until).await?;
        listing::page(&connection, context.deadline, bucket, after).await
    }

    async fn increment(&self, context: &Context, bucket: &str, key: &str, delta: i64) -> Result<i64, Error> {
        let (key, delta) = (place(bucket, key)?, delta.to_string().into());
        let sum = self.write(context, Script::Increment, vec![key], vec![delta]).await?;
        sum.as_str().and_then(|digits| digits.parse().ok()).ok_or_else(|| strange(&sum))
    }

    async fn compare_and_swap(
        &self,
        context: &Context,
        bucket: &str,
        key: &str,
        expected: Option<&Bytes>,
        new: Bytes,
    ) -> Result<Swap, Error> {
        let key = place(bucket, key)?;
        check_value(&new)?;
        let mut arguments = vec![new, VALUE_BYTES.to_string().into()];
        arguments.extend(expected.cloned());
        swap(self.write(context, Script::Swap, vec![key], arguments).await?)
    }

    async fn get_many(
        &self,
        context: &Context,
        bucket: &str,
        keys: &[String],
    ) -> Result<Vec<Option<Bytes>>, Error> {
        check_bucket(bucket)?;
        check_keys(keys)?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let limits = [VALUE_BYTES, BATCH_BYTES].map(|limit| limit.to_string().into());
        match self.write(context, Script::GetMany, places(bucket, keys.iter()), limits.into()).await? {
            BytesFrame::Array(values) if values.len() == keys.len() => {
                values.into_iter().map(value).collect()
            }
            other => Err(strange(&other)),
        }
    }

    async fn set_many(
        &self,
        context: &Context,
        bucket: &str,
        pairs: &[(String, Bytes)],
    ) -> Result<(), Error> {
        check_bucket(bucket)?;
        check_pairs(pairs)?;
        if pairs.is_empty() {
            return Ok(());
        }
        let keys = places(bucket, pairs.iter().map(|(key, _)| key));
        let values = pairs.iter().map(|(_, value)| value.clone()).collect();
        done(self.write(context, Script::Set, keys, values).await?)
    }

    async fn delete_many(&self, context: &Context, bucket: &str, keys: &[String]) -> Result<(), Error> {
        check_bucket(bucket)?;
        check_keys(keys)?;
        if keys.is_empty() {
            return Ok(());
        }
        done(self.write(context, Script::Delete, places(bucket, keys.iter()), Vec::new()).await?)
    }
}
