//! The key-value capability: one trait that every store implements, and the host's proxy to a store elsewhere.

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod embedded;
pub mod limits;
pub mod memory;
mod operation;
pub mod redis;

pub use embedded::EmbeddedStore;
pub use memory::MemoryStore;
pub use redis::RedisStore;

/// What every operation carries besides its arguments.
#[derive(Debug, Clone)]
pub struct Context {
    /// When the caller stops waiting; work not begun by then is not begun.
    pub deadline: Instant,
    /// W3C `traceparent` of the request that caused this, if it has one.
    pub traceparent: Option<String>,
}

/// A store of buckets; a bucket holds keys (UTF-8) and values (bytes). Buckets need no creation.
///
/// What is acknowledged is kept. A counter is its decimal digits in ASCII, as in Redis, so that `get` reads it.
#[async_trait]
pub trait KeyValue: Send + Sync + 'static {
    /// The value of `key`, or `None`.
    async fn get(&self, context: &Context, bucket: &str, key: &str) -> Result<Option<Bytes>, Error>;
    /// Sets `key`, whatever was there.
    async fn set(&self, context: &Context, bucket: &str, key: &str, value: Bytes) -> Result<(), Error>;
    /// Removes `key`; no error if it is not there.
    async fn delete(&self, context: &Context, bucket: &str, key: &str) -> Result<(), Error>;
    /// Whether `key` is there.
    async fn exists(&self, context: &Context, bucket: &str, key: &str) -> Result<bool, Error>;
    /// A page of keys. A key that is there from the first page to the last is listed exactly once.
    async fn list_keys(&self, context: &Context, bucket: &str, cursor: Option<&str>) -> Result<Page, Error>;
    /// Adds `delta` to the counter at `key` (absent counts as 0) in one step and returns the sum.
    async fn increment(&self, context: &Context, bucket: &str, key: &str, delta: i64) -> Result<i64, Error>;
    /// Sets `key` to `new` if its value still is `expected` (`None`: absent), in one step.
    async fn compare_and_swap(
        &self,
        context: &Context,
        bucket: &str,
        key: &str,
        expected: Option<&Bytes>,
        new: Bytes,
    ) -> Result<Swap, Error>;
    /// The values of `keys`, in their order.
    async fn get_many(
        &self,
        context: &Context,
        bucket: &str,
        keys: &[String],
    ) -> Result<Vec<Option<Bytes>>, Error>;
    /// Sets all pairs; not atomic together.
    async fn set_many(&self, context: &Context, bucket: &str, pairs: &[(String, Bytes)])
    -> Result<(), Error>;
    /// Removes all keys; not atomic together.
    async fn delete_many(&self, context: &Context, bucket: &str, keys: &[String]) -> Result<(), Error>;
}

/// One page of [`KeyValue::list_keys`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The keys of this page.
    pub keys: Vec<String>,
    /// Give it back for the next page; `None` after the last.
    pub cursor: Option<String>,
}

/// How a compare-and-swap ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swap {
    /// The new value is in place.
    Swapped,
    /// Somebody was faster; this is the value now.
    Changed(Option<Bytes>),
}

/// Why an operation gave no result.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The bucket does not exist or is not one this link leads to.
    #[error("no such store: {0}")]
    NoSuchStore(String),
    /// The caller may not use it.
    #[error("access denied: {0}")]
    AccessDenied(String),
    /// Nothing was executed.
    #[error("not executed: {0}")]
    NotExecuted(String),
    /// It may or may not have been executed.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// It was executed and failed, or the arguments are wrong (a counter that is no number, a key too long).
    #[error("{0}")]
    Other(String),
}
