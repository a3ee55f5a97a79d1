//! A suite that finds nothing proves nothing: stores with one mistake each are caught, by a case that names it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dunlin_providers::keyvalue::{Context, Error, KeyValue, MemoryStore, Page, Swap, conformance};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mistake {
    None,
    EmptyIsAbsent,
    BucketAndKeyRunTogether,
    ReadThenWriteIncrement,
    ReadThenWriteSwap,
    GetManyWithoutDuplicates,
    PagesByNumber,
    ListsOnlyOnePage,
    ForgetsDeadlines,
    WrapsAround,
    DeleteOfAbsentFails,
}

/// A store in memory with one mistake.
struct Mistaken {
    store: MemoryStore,
    mistake: Mistake,
}

impl Mistaken {
    fn context(&self, context: &Context) -> Context {
        let mut context = context.clone();
        if self.mistake == Mistake::ForgetsDeadlines {
            context.deadline += std::time::Duration::from_secs(60);
        }
        context
    }

    fn place(&self, bucket: &str, key: &str) -> (String, String) {
        if self.mistake != Mistake::BucketAndKeyRunTogether {
            return (bucket.into(), key.into());
        }
        // As with one name space and no separator.
        let (begin, end) = bucket.split_at(bucket.len().min(20));
        (begin.into(), format!("{end}{key}"))
    }
}

#[async_trait]
impl KeyValue for Mistaken {
    async fn get(&self, context: &Context, bucket: &str, key: &str) -> Result<Option<Bytes>, Error> {
        let (bucket, key) = self.place(bucket, key);
        let value = self.store.get(&self.context(context), &bucket, &key).await?;
        Ok(value.filter(|value| self.mistake != Mistake::EmptyIsAbsent || !value.is_empty()))
    }

    async fn set(&self, context: &Context, bucket: &str, key: &str, value: Bytes) -> Result<(), Error> {
        let (bucket, key) = self.place(bucket, key);
        self.store.set(&self.context(context), &bucket, &key, value).await
    }

    async fn delete(&self, context: &Context, bucket: &str, key: &str) -> Result<(), Error> {
        if self.mistake == Mistake::DeleteOfAbsentFails && !self.exists(context, bucket, key).await? {
            return Err(Error::Other("no such key".into()));
        }
        let (bucket, key) = self.place(bucket, key);
        self.store.delete(&self.context(context), &bucket, &key).await
    }

    async fn exists(&self, context: &Context, bucket: &str, key: &str) -> Result<bool, Error> {
        let (bucket, key) = self.place(bucket, key);
        self.store.exists(&self.context(context), &bucket, &key).await
    }

    async fn list_keys(&self, context: &Context, bucket: &str, cursor: Option<&str>) -> Result<Page, Error> {
        let context = &self.context(context);
        match self.mistake {
            Mistake::ListsOnlyOnePage => {
                Ok(Page { cursor: None, ..self.store.list_keys(context, bucket, cursor).await? })
            }
            Mistake::PagesByNumber => {
                // Keys that come or go before a page move all that follow.
                let skip = cursor.map_or(Ok(0), str::parse).map_err(|_| Error::Other("bad cursor".into()))?;
                let (mut all, mut next) = (Vec::new(), None);
                loop {
                    let page = self.store.list_keys(context, bucket, next.as_deref()).await?;
                    all.extend(page.keys);
                    next = page.cursor;
                    if next.is_none() {
                        break;
                    }
                }
                let more = all.len() > skip + 1000;
                let keys = all.into_iter().skip(skip).take(1000).collect();
                Ok(Page { keys, cursor: more.then(|| (skip + 1000).to_string()) })
            }
            _ => self.store.list_keys(context, bucket, cursor).await,
        }
    }

    async fn increment(&self, context: &Context, bucket: &str, key: &str, delta: i64) -> Result<i64, Error> {
        let context = &self.context(context);
        match self.mistake {
            Mistake::ReadThenWriteIncrement => {
                let current = self.store.increment(context, bucket, key, 0).await?;
                tokio::task::yield_now().await;
                let sum = current.checked_add(delta).ok_or_else(|| Error::Other("overflow".into()))?;
                self.store.set(context, bucket, key, sum.to_string().into()).await?;
                Ok(sum)
            }
            Mistake::WrapsAround => {
                let sum = self.store.increment(context, bucket, key, 0).await?.wrapping_add(delta);
                self.store.set(context, bucket, key, sum.to_string().into()).await?;
                Ok(sum)
            }
            _ => {
                let (bucket, key) = self.place(bucket, key);
                self.store.increment(context, &bucket, &key, delta).await
            }
        }
    }

    async fn compare_and_swap(
        &self,
        context: &Context,
        bucket: &str,
        key: &str,
        expected: Option<&Bytes>,
        new: Bytes,
    ) -> Result<Swap, Error> {
        let context = &self.context(context);
        if self.mistake == Mistake::ReadThenWriteSwap {
            let current = self.store.get(context, bucket, key).await?;
            if current.as_ref() != expected {
                return Ok(Swap::Changed(current));
            }
            tokio::task::yield_now().await;
            self.store.set(context, bucket, key, new).await?;
            return Ok(Swap::Swapped);
        }
        let (bucket, key) = self.place(bucket, key);
        self.store.compare_and_swap(context, &bucket, &key, expected, new).await
    }

    async fn get_many(
        &self,
        context: &Context,
        bucket: &str,
        keys: &[String],
    ) -> Result<Vec<Option<Bytes>>, Error> {
        let mut keys = keys.to_vec();
        if self.mistake == Mistake::GetManyWithoutDuplicates {
            keys.sort();
            keys.dedup();
        }
        self.store.get_many(&self.context(context), bucket, &keys).await
    }

    async fn set_many(
        &self,
        context: &Context,
        bucket: &str,
        pairs: &[(String, Bytes)],
    ) -> Result<(), Error> {
        self.store.set_many(&self.context(context), bucket, pairs).await
    }

    async fn delete_many(&self, context: &Context, bucket: &str, keys: &[String]) -> Result<(), Error> {
        self.store.delete_many(&self.context(context), bucket, keys).await
    }
}

async fn caught(mistake: Mistake) -> Vec<&'static str> {
    let make = async || Arc::new(Mistaken { store: MemoryStore::default(), mistake }) as Arc<dyn KeyValue>;
    let failures = conformance::run(make).await.err();
    failures.map_or_else(Vec::new, |failures| failures.0.into_iter().map(|(name, _)| name).collect())
}

#[tokio::test]
async fn the_suite_catches_mistakes_and_names_them() {
    assert!(caught(Mistake::None).await.is_empty());
    let cases = [
        (Mistake::EmptyIsAbsent, "basic::an_empty_value_is_not_an_absent_one"),
        (Mistake::BucketAndKeyRunTogether, "basic::buckets_are_apart"),
        (Mistake::ReadThenWriteIncrement, "concurrent::a_hundred_increments_give_a_hundred_numbers"),
        (Mistake::ReadThenWriteSwap, "concurrent::one_of_many_swaps_wins"),
        (Mistake::GetManyWithoutDuplicates, "batch::get_many_answers_in_the_order_asked"),
        (Mistake::PagesByNumber, "listing::keys_that_stay_are_listed_once_while_others_come_and_go"),
        (Mistake::ListsOnlyOnePage, "listing::every_key_once_over_many_pages"),
        (Mistake::ForgetsDeadlines, "refused::what_comes_after_its_deadline"),
        (Mistake::WrapsAround, "counter::overflow_is_an_error_and_changes_nothing"),
        (Mistake::DeleteOfAbsentFails, "basic::deleting_what_is_absent_is_no_error"),
    ];
    for (mistake, name) in cases {
        let found = caught(mistake).await;
        assert!(found.contains(&name), "{mistake:?}: {found:?}");
    }
}
