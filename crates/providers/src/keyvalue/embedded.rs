//! A store on disk: one file of an embedded database, for one process.
//!
//! A write is acknowledged when it is on disk, and survives `kill -9` and a loss of power. One thread writes and
//! syncs once for all writes that wait; reads run beside it on snapshots. Nothing runs on the threads that serve,
//! everything that waits is bounded, and what is over a bound is refused as not executed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redb::ReadableDatabase;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::limits::{check_bucket, check_key, check_keys, cursor_key};
use super::operation::Write;
use super::{Context, Error, KeyValue, Page, Swap};

mod database;
#[cfg(test)]
mod faults;
mod held;
mod open;
mod rows;
#[cfg(test)]
mod tests;
mod writer;

pub use open::OpenError;

use database::Shared;
use open::Opener;
use rows::{Found, Read};
use writer::Writer;

/// How to open an [`EmbeddedStore`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Memory for pages of the file, in bytes.
    pub cache_bytes: usize,
    /// How long to wait for a file that another process is about to let go of.
    pub lock_wait: Duration,
    /// Writes that may wait; the next one is refused.
    pub waiting_writes: usize,
    /// Memory of the writes that wait, in bytes; at least [`super::limits::BATCH_BYTES`] for the largest to fit.
    pub waiting_bytes: usize,
    /// Reads that may wait; the next one is refused.
    pub waiting_reads: usize,
    /// Reads at once, each on a thread of its own.
    pub concurrent_reads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 32 * 1024 * 1024,
            lock_wait: Duration::from_secs(1),
            waiting_writes: 4096,
            waiting_bytes: 64 * 1024 * 1024,
            waiting_reads: 4096,
            concurrent_reads: 8,
        }
    }
}

/// Buckets in a file.
#[derive(Debug)]
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    writer: Writer,
    reads: Arc<Semaphore>,
    waiting_reads: Semaphore,
}

impl EmbeddedStore {
    /// Opens the store file at `path`. If there is none, makes an empty one (mode 0600), and its directory (0700).
    ///
    /// The whole file is read and its checksums are verified, on a thread for blocking work.
    ///
    /// # Errors
    /// [`OpenError`]; the file is as it was.
    pub async fn open(path: impl Into<PathBuf>, options: Options) -> Result<Self, OpenError> {
        let opener = Opener {
            path: path.into(),
            cache_bytes: options.cache_bytes,
            lock_wait: options.lock_wait,
            #[cfg(test)]
            faults: Arc::default(),
        };
        Self::open_with(opener, options).await
    }

    async fn open_with(opener: Opener, options: Options) -> Result<Self, OpenError> {
        let path = opener.path.clone();
        let work = move || {
            let path = opener.path.clone();
            let shared = Arc::new(Shared::open(opener)?);
            let writer = Writer::start(Arc::clone(&shared), options.waiting_writes, options.waiting_bytes)
                .map_err(|source| OpenError::Io { path, source })?;
            Ok(Self {
                shared,
                writer,
                reads: Arc::new(Semaphore::new(options.concurrent_reads.max(1))),
                waiting_reads: Semaphore::new(options.waiting_reads.max(1)),
            })
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(error) => Err(OpenError::Io { path, source: error.into() }),
        }
    }

    /// Finishes the writes that wait, refuses further ones, closes the file; when it returns, another process may
    /// open it. A store that is dropped does the same, without anybody knowing when.
    pub async fn close(&self) {
        self.writer.close().await;
    }

    async fn read(&self, context: &Context, bucket: &str, read: Read) -> Result<Found, Error> {
        check_bucket(bucket)?;
        if Instant::now() >= context.deadline {
            return Err(writer::late());
        }
        let _waiting = self.waiting_reads.try_acquire().map_err(|_| {
            Error::NotExecuted("the store is busy: too many reads are waiting; try again later".into())
        })?;
        let turn = match timeout_at(context.deadline, Arc::clone(&self.reads).acquire_owned()).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) => return Err(database::closed()),
            Err(_) => return Err(writer::late()),
        };
        let shared = Arc::clone(&self.shared);
        let bucket = bucket.to_owned();
        let work = tokio::task::spawn_blocking(move || {
            // Held by the work itself: a caller who gives up does not make room for one more thread.
            let _turn = turn;
            shared.with(|database| {
                let answer = match database.begin_read() {
                    Ok(transaction) => rows::read(&transaction, &bucket, &read),
                    Err(error) => Err(error.into()),
                };
                answer.unwrap_or_else(|error| {
                    shared.note(&error);
                    Err(Error::Other(format!("the store could not read: {error}")))
                })
            })
        });
        let result = match timeout_at(context.deadline, work).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => {
                self.shared.note_panic(&error.to_string());
                Err(Error::Other("the store could not read: its file may be damaged".into()))
            }
            Err(_) => Err(Error::Unknown("the deadline passed while the store read".into())),
        };
        if matches!(result, Err(Error::Other(_) | Error::NotExecuted(_))) {
            self.writer.nudge();
        }
        result
    }
}

/// The answer to a question that was not asked: a mistake of this module.
fn mismatch(found: &Found) -> Error {
    Error::Other(format!("the store answered {found:?}"))
}

#[async_trait]
impl KeyValue for EmbeddedStore {
    async fn get(&self, context: &Context, bucket: &str, key: &str) -> Result<Option<Bytes>, Error> {
        check_key(key)?;
        match self.read(context, bucket, Read::Get { key: key.into() }).await? {
            Found::Value(value) => Ok(value),
            other => Err(mismatch(&other)),
        }
    }

    async fn set(&self, context: &Context, bucket: &str, key: &str, value: Bytes) -> Result<(), Error> {
        self.writer.write(context, bucket, Write::Set { key: key.into(), value }).await.map(drop)
    }

    async fn delete(&self, context: &Context, bucket: &str, key: &str) -> Result<(), Error> {
        self.writer.write(context, bucket, Write::Delete { key: key.into() }).await.map(drop)
    }

    async fn exists(&self, context: &Context, bucket: &str, key: &str) -> Result<bool, Error> {
        check_key(key)?;
        match self.read(context, bucket, Read::Exists { key: key.into() }).await? {
            Found::Exists(exists) => Ok(exists),
            other => Err(mismatch(&other)),
        }
    }

    async fn list_keys(&self, context: &Context, bucket: &str, cursor: Option<&str>) -> Result<Page, Error> {
        let after = cursor_key(cursor)?.map(str::to_owned);
        match self.read(context, bucket, Read::ListKeys { after }).await? {
            Found::Page(page) => Ok(page),
            other => Err(mismatch(&other)),
        }
    }

    async fn increment(&self, context: &Context, bucket: &str, key: &str, delta: i64) -> Result<i64, Error> {
        self.writer.write(context, bucket, Write::Increment { key: key.into(), delta }).await?.sum()
    }

    async fn compare_and_swap(
        &self,
        context: &Context,
        bucket: &str,
        key: &str,
        expected: Option<&Bytes>,
        new: Bytes,
    ) -> Result<Swap, Error> {
        let write = Write::CompareAndSwap { key: key.into(), expected: expected.cloned(), new };
        self.writer.write(context, bucket, write).await?.swap()
    }

    async fn get_many(
        &self,
        context: &Context,
        bucket: &str,
        keys: &[String],
    ) -> Result<Vec<Option<Bytes>>, Error> {
        check_keys(keys)?;
        match self.read(context, bucket, Read::GetMany { keys: keys.to_vec() }).await? {
            Found::Values(values) => Ok(values),
            other => Err(mismatch(&other)),
        }
    }

    async fn set_many(
        &self,
        context: &Context,
        bucket: &str,
        pairs: &[(String, Bytes)],
    ) -> Result<(), Error> {
        self.writer.write(context, bucket, Write::SetMany { pairs: pairs.to_vec() }).await.map(drop)
    }

    async fn delete_many(&self, context: &Context, bucket: &str, keys: &[String]) -> Result<(), Error> {
        self.writer.write(context, bucket, Write::DeleteMany { keys: keys.to_vec() }).await.map(drop)
    }
}
