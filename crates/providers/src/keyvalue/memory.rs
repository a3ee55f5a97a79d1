//! A store in memory: for development and tests. It is gone with the process, and it never waits, so that it
//! works under a paused clock.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use super::limits::{PageBuilder, Total, check_bucket, check_key, check_keys, cursor_key};
use super::operation::{Outcome, Rows, Write, apply};
use super::{Context, Error, KeyValue, Page, Swap};

/// Most bytes of keys and values that [`MemoryStore::default`] holds: one component must not eat its host.
pub const DEFAULT_BYTES: usize = 256 * 1024 * 1024;

/// Buckets in memory.
#[derive(Debug)]
pub struct MemoryStore {
    buckets: Mutex<Buckets>,
}

#[derive(Debug)]
struct Buckets {
    keys: BTreeMap<String, BTreeMap<String, Bytes>>,
    bytes: usize,
    limit: usize,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::with_limit(DEFAULT_BYTES)
    }
}

impl MemoryStore {
    /// An empty store that holds at most `bytes` of keys and values.
    #[must_use]
    pub fn with_limit(bytes: usize) -> Self {
        Self { buckets: Mutex::new(Buckets { keys: BTreeMap::new(), bytes: 0, limit: bytes }) }
    }

    fn write(&self, context: &Context, bucket: &str, write: Write) -> Result<Outcome, Error> {
        write.check(bucket)?;
        apply(&mut *self.open(context)?, bucket, write)?
    }

    fn read(&self, context: &Context, bucket: &str) -> Result<MutexGuard<'_, Buckets>, Error> {
        check_bucket(bucket)?;
        self.open(context)
    }

    fn open(&self, context: &Context) -> Result<MutexGuard<'_, Buckets>, Error> {
        if Instant::now() >= context.deadline {
            return Err(Error::NotExecuted("the deadline has passed".into()));
        }
        // No step below leaves a row half written when it panics.
        Ok(self.buckets.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Buckets {
    fn find(&self, bucket: &str, key: &str) -> Option<&Bytes> {
        self.keys.get(bucket)?.get(key)
    }
}

impl Rows for Buckets {
    type Failure = Error;

    fn get(&mut self, bucket: &str, key: &str) -> Result<Option<Bytes>, Error> {
        Ok(self.find(bucket, key).cloned())
    }

    fn put(&mut self, bucket: &str, key: &str, value: Bytes) -> Result<(), Error> {
        let before = self.find(bucket, key).map_or(0, |old| key.len() + old.len());
        let after = self.bytes - before + key.len() + value.len();
        if after > self.limit {
            let limit = self.limit;
            return Err(Error::Other(format!("the store in memory is full: it holds at most {limit} bytes")));
        }
        self.bytes = after;
        // A value may be a slice of a much larger message, which must not stay with it.
        let value = Bytes::copy_from_slice(&value);
        self.keys.entry(bucket.to_owned()).or_default().insert(key.to_owned(), value);
        Ok(())
    }

    fn remove(&mut self, bucket: &str, key: &str) -> Result<(), Error> {
        let Some(keys) = self.keys.get_mut(bucket) else { return Ok(()) };
        if let Some(value) = keys.remove(key) {
            self.bytes -= key.len() + value.len();
        }
        if keys.is_empty() {
            self.keys.remove(bucket);
        }
        Ok(())
    }
}

#[async_trait]
impl KeyValue for MemoryStore {
    async fn get(&self, context: &Context, bucket: &str, key: &str) -> Result<Option<Bytes>, Error> {
        check_key(key)?;
        Ok(self.read(context, bucket)?.find(bucket, key).cloned())
    }

    async fn set(&self, context: &Context, bucket: &str, key: &str, value: Bytes) -> Result<(), Error> {
        self.write(context, bucket, Write::Set { key: key.into(), value }).map(drop)
    }

    async fn delete(&self, context: &Context, bucket: &str, key: &str) -> Result<(), Error> {
        self.write(context, bucket, Write::Delete { key: key.into() }).map(drop)
    }

    async fn exists(&self, context: &Context, bucket: &str, key: &str) -> Result<bool, Error> {
        check_key(key)?;
        Ok(self.read(context, bucket)?.find(bucket, key).is_some())
    }

    async fn list_keys(&self, context: &Context, bucket: &str, cursor: Option<&str>) -> Result<Page, Error> {
        let after = cursor_key(cursor)?;
        let buckets = self.read(context, bucket)?;
        let Some(keys) = buckets.keys.get(bucket) else { return Ok(Page::default()) };
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut page = PageBuilder::default();
        for (key, _) in keys.range::<str, _>((start, Bound::Unbounded)) {
            if !page.push(key) {
                return Ok(page.finish(true));
            }
        }
        Ok(page.finish(false))
    }

    async fn increment(&self, context: &Context, bucket: &str, key: &str, delta: i64) -> Result<i64, Error> {
        self.write(context, bucket, Write::Increment { key: key.into(), delta })?.sum()
    }

    async fn compare_and_swap(
        &self,
        context: &Context,
        bucket: &str,
        key: &str,
        expected: Option<&Bytes>,
        new: Bytes,
    ) -> Result<Swap, Error> {
        let expected = expected.cloned();
        self.write(context, bucket, Write::CompareAndSwap { key: key.into(), expected, new })?.swap()
    }

    async fn get_many(
        &self,
        context: &Context,
        bucket: &str,
        keys: &[String],
    ) -> Result<Vec<Option<Bytes>>, Error> {
        check_keys(keys)?;
        let buckets = self.read(context, bucket)?;
        let mut answer = Total::default();
        let find = |key: &String| {
            let value = buckets.find(bucket, key).cloned();
            answer.add(value.as_ref().map_or(0, Bytes::len))?;
            Ok(value)
        };
        keys.iter().map(find).collect()
    }

    async fn set_many(
        &self,
        context: &Context,
        bucket: &str,
        pairs: &[(String, Bytes)],
    ) -> Result<(), Error> {
        self.write(context, bucket, Write::SetMany { pairs: pairs.to_vec() }).map(drop)
    }

    async fn delete_many(&self, context: &Context, bucket: &str, keys: &[String]) -> Result<(), Error> {
        self.write(context, bucket, Write::DeleteMany { keys: keys.to_vec() }).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        Context { deadline: Instant::now() + std::time::Duration::from_secs(5), traceparent: None }
    }

    #[tokio::test]
    async fn a_full_store_refuses_and_takes_again_after_a_delete() {
        let (store, context) = (MemoryStore::with_limit(10), context());
        store.set(&context, "b", "k", Bytes::from_static(b"12345")).await.unwrap();
        let error = store.set(&context, "b", "l", Bytes::from_static(b"12345")).await.unwrap_err();
        assert!(error.to_string().contains("full: it holds at most 10 bytes"), "{error}");
        store.set(&context, "b", "k", Bytes::from_static(b"123456789")).await.unwrap();
        store.delete(&context, "b", "k").await.unwrap();
        store.set(&context, "c", "l", Bytes::from_static(b"12345")).await.unwrap();
        assert_eq!(store.get(&context, "b", "k").await.unwrap(), None);
    }
}
