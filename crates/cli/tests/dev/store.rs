//! The key-value guest behind a site's ingress as a store, so that what tries stores can try the whole way there.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use dunlin_providers::keyvalue::{Context, Error, KeyValue, Page, Swap, limits};
use http::StatusCode;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::guests::{Guests, bytes, page, understood};

/// A link leads to one bucket, so there is a component for each: with names that run into each other.
pub const BUCKETS: [&str; 8] = ["b", "ba", "bab", "b.", "b.b", "b-b", "b_b", "b.ab"];

/// Asks the components of [`BUCKETS`], named `kv-0` and so on, each with its name as hostname.
pub struct HttpStore {
    guests: Guests,
    buckets: Mutex<Buckets>,
}

/// Which component stands for which bucket.
struct Buckets {
    taken: HashMap<String, usize>,
    free: VecDeque<usize>,
}

impl HttpStore {
    /// Through the ingress at `site`, such as `http://127.0.0.1:8082`.
    pub fn new(site: String) -> Self {
        let buckets = Buckets { taken: HashMap::new(), free: (0..BUCKETS.len()).collect() };
        Self { guests: Guests::new(site), buckets: Mutex::new(buckets) }
    }

    /// Forgets which bucket is which; each is emptied before it stands for another.
    pub async fn renew(&self) {
        let mut buckets = self.buckets.lock().await;
        let taken: Vec<_> = buckets.taken.drain().map(|(_, index)| index).collect();
        // To the end, so that what is still on its way to one is over when it is its turn again.
        buckets.free.extend(taken);
    }

    async fn component(&self, context: &Context, bucket: &str) -> Result<usize, Error> {
        // Which bucket it is, is said in a manifest, where a bad name is refused; here nothing else can be.
        limits::check_bucket(bucket)?;
        let mut buckets = self.buckets.lock().await;
        if let Some(index) = buckets.taken.get(bucket) {
            return Ok(*index);
        }
        let index = buckets.free.pop_front().expect("more buckets in one case than there are components");
        loop {
            let keys = page(&self.guests.ask(context, index, "list", &[], None).await?).keys;
            if keys.is_empty() {
                break;
            }
            let keys: Vec<_> = keys.iter().map(|key| ("key", key.as_bytes())).collect();
            self.guests.ask(context, index, "delete-many", &keys, None).await?;
        }
        buckets.taken.insert(bucket.to_owned(), index);
        Ok(index)
    }

    async fn call(
        &self,
        context: &Context,
        bucket: &str,
        function: &str,
        arguments: &[(&str, &[u8])],
        value: Option<Bytes>,
    ) -> Result<Value, Error> {
        self.guests.ask(context, self.component(context, bucket).await?, function, arguments, value).await
    }
}

#[async_trait::async_trait]
impl KeyValue for HttpStore {
    async fn get(&self, context: &Context, bucket: &str, key: &str) -> Result<Option<Bytes>, Error> {
        let component = self.component(context, bucket).await?;
        let arguments: [(&str, &[u8]); 2] = [("raw", b""), ("key", key.as_bytes())];
        let (status, bytes) = self.guests.send(context, component, "get", &arguments, None).await?;
        match (status, serde_json::from_slice::<Value>(&bytes)) {
            (StatusCode::OK, _) => Ok(Some(bytes)),
            (StatusCode::NO_CONTENT, _) => Ok(None),
            (_, Ok(json)) => Err(understood(json["error"].as_str().unwrap_or("no reason"))),
            (status, Err(_)) => Err(Error::Unknown(format!("{status}: {}", String::from_utf8_lossy(&bytes)))),
        }
    }

    async fn set(&self, context: &Context, bucket: &str, key: &str, value: Bytes) -> Result<(), Error> {
        self.call(context, bucket, "set", &[("key", key.as_bytes())], Some(value)).await.map(drop)
    }

    async fn delete(&self, context: &Context, bucket: &str, key: &str) -> Result<(), Error> {
        self.call(context, bucket, "delete", &[("key", key.as_bytes())], None).await.map(drop)
    }

    async fn exists(&self, context: &Context, bucket: &str, key: &str) -> Result<bool, Error> {
        let json = self.call(context, bucket, "exists", &[("key", key.as_bytes())], None).await?;
        Ok(json["exists"].as_bool().unwrap())
    }

    async fn list_keys(&self, context: &Context, bucket: &str, cursor: Option<&str>) -> Result<Page, Error> {
        let cursor: Vec<_> = cursor.iter().map(|cursor| ("cursor", cursor.as_bytes())).collect();
        Ok(page(&self.call(context, bucket, "list", &cursor, None).await?))
    }

    async fn increment(&self, context: &Context, bucket: &str, key: &str, delta: i64) -> Result<i64, Error> {
        let delta = delta.to_string();
        let arguments = [("key", key.as_bytes()), ("delta", delta.as_bytes())];
        Ok(self.call(context, bucket, "increment", &arguments, None).await?["value"].as_i64().unwrap())
    }

    async fn compare_and_swap(
        &self,
        context: &Context,
        bucket: &str,
        key: &str,
        expected: Option<&Bytes>,
        new: Bytes,
    ) -> Result<Swap, Error> {
        let mut arguments: Vec<(&str, &[u8])> = vec![("key", key.as_bytes())];
        arguments.extend(expected.map(|expected| ("expected", expected.as_ref())));
        let json = self.call(context, bucket, "cas", &arguments, Some(new)).await?;
        let swapped = json["swapped"].as_bool().unwrap();
        Ok(if swapped { Swap::Swapped } else { Swap::Changed(bytes(&json["seen"])) })
    }

    async fn get_many(
        &self,
        context: &Context,
        bucket: &str,
        keys: &[String],
    ) -> Result<Vec<Option<Bytes>>, Error> {
        let keys: Vec<_> = keys.iter().map(|key| ("key", key.as_bytes())).collect();
        let json = self.call(context, bucket, "get-many", &keys, None).await?;
        Ok(json["values"].as_array().unwrap().iter().map(|pair| bytes(&pair[1])).collect())
    }

    async fn set_many(
        &self,
        context: &Context,
        bucket: &str,
        pairs: &[(String, Bytes)],
    ) -> Result<(), Error> {
        let pairs = pairs.iter().flat_map(|(key, value)| [("key", key.as_bytes()), ("value", value)]);
        self.call(context, bucket, "set-many", &pairs.collect::<Vec<_>>(), None).await.map(drop)
    }

    async fn delete_many(&self, context: &Context, bucket: &str, keys: &[String]) -> Result<(), Error> {
        let keys: Vec<_> = keys.iter().map(|key| ("key", key.as_bytes())).collect();
        self.call(context, bucket, "delete-many", &keys, None).await.map(drop)
    }
}
