//! What each operation asks of Redis, and what its answer means.

use async_trait::async_trait;
use bytes::Bytes;
use redis_protocol::resp2::types::{BytesFrame, Resp2Frame};
use tokio::time::Instant;

use super::ask::strange;
use super::connection::Request;
use super::scripts::Script;
use super::{GRACE, RedisStore, keeper, keys, listing};
use crate::keyvalue::limits::{
    BATCH_BYTES, VALUE_BYTES, check_bucket, check_key, check_keys, check_pairs, check_value, cursor_key,
};
use crate::keyvalue::{Context, Error, KeyValue, Page, Swap};

impl RedisStore {
    async fn script(
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
        done(self.script(context, Script::Set, vec![key], vec![value]).await?)
    }

    async fn delete(&self, context: &Context, bucket: &str, key: &str) -> Result<(), Error> {
        done(self.script(context, Script::Delete, vec![place(bucket, key)?], Vec::new()).await?)
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
        let sum = self.script(context, Script::Increment, vec![key], vec![delta]).await?;
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
        swap(self.script(context, Script::Swap, vec![key], arguments).await?)
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
        match self.script(context, Script::GetMany, places(bucket, keys.iter()), limits.into()).await? {
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
        done(self.script(context, Script::Set, keys, values).await?)
    }

    async fn delete_many(&self, context: &Context, bucket: &str, keys: &[String]) -> Result<(), Error> {
        check_bucket(bucket)?;
        check_keys(keys)?;
        if keys.is_empty() {
            return Ok(());
        }
        done(self.script(context, Script::Delete, places(bucket, keys.iter()), Vec::new()).await?)
    }
}
