//! `wasi:keyvalue/atomics`: increment, and compare-and-swap in the second draft.

use std::sync::Arc;

use bytes::Bytes;
use dunlin_providers::keyvalue::Swap;
use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, Resource, ResourceType};

use super::types::{CasError, Draft, StoreError};
use super::{Answer, Bucket, Call};
use crate::bindings::KeyValueBinding;
use crate::guest::Guest;

/// A compare-and-swap that was begun: what the value was then.
pub(crate) struct Cas {
    binding: Arc<KeyValueBinding>,
    bucket: String,
    key: String,
    seen: Option<Bytes>,
}

pub(super) fn add(instance: &mut LinkerInstance<'_, Guest>, draft: Draft) -> wasmtime::Result<()> {
    match draft {
        Draft::First => instance.func_wrap_async("increment", |store, (bucket, key, delta)| {
            Box::new(increment_unsigned(store, bucket, key, delta))
        }),
        Draft::Second => {
            instance.func_wrap_async("increment", |store, (bucket, key, delta)| {
                Box::new(increment(store, bucket, key, delta))
            })?;
            add_cas(instance)
        }
    }
}

fn add_cas(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.resource("cas", ResourceType::host::<Cas>(), |mut store, id| {
        store.data_mut().table.delete(Resource::<Cas>::new_own(id))?;
        Ok(())
    })?;
    instance
        .func_wrap_async("[static]cas.new", |store, (bucket, key)| Box::new(begin(store, bucket, key)))?;
    instance.func_wrap(
        "[method]cas.current",
        |store: StoreContextMut<'_, Guest>, (cas,): (Resource<Cas>,)| {
            let seen = &store.data().table.get(&cas)?.seen;
            let seen: Result<_, StoreError> = Ok(seen.as_ref().map(|value| value.to_vec()));
            Ok((seen,))
        },
    )?;
    instance.func_wrap_async("swap", |store, (cas, value)| Box::new(swap(store, cas, value)))
}

async fn increment(
    mut store: StoreContextMut<'_, Guest>,
    bucket: Resource<Bucket>,
    key: String,
    delta: i64,
) -> Answer<i64> {
    let call = Call::new(&mut store, &bucket)?;
    Ok((call.wait(call.store().increment(&call.context, &call.bucket, &key, delta)).await,))
}

/// The first draft counts without sign; what does not fit is an error, never wrapped around.
async fn increment_unsigned(
    store: StoreContextMut<'_, Guest>,
    bucket: Resource<Bucket>,
    key: String,
    delta: u64,
) -> Answer<u64> {
    let Ok(delta) = i64::try_from(delta) else {
        return Ok((Err(StoreError::Other(format!("{delta} is more than a counter holds"))),));
    };
    let (sum,) = increment(store, bucket, key, delta).await?;
    let unsigned = |sum: i64| {
        u64::try_from(sum).map_err(|_| {
            let text = format!("the counter is now {sum}, which 0.2.0-draft cannot say; use 0.2.0-draft2");
            StoreError::Other(text)
        })
    };
    Ok((sum.and_then(unsigned),))
}

async fn begin(
    mut store: StoreContextMut<'_, Guest>,
    bucket: Resource<Bucket>,
    key: String,
) -> Answer<Resource<Cas>> {
    let call = Call::new(&mut store, &bucket)?;
    let seen = match call.wait(call.store().get(&call.context, &call.bucket, &key)).await {
        Ok(seen) => seen,
        Err(error) => return Ok((Err(error),)),
    };
    let cas = Cas { binding: call.binding, bucket: call.bucket, key, seen };
    Ok((Ok(store.data_mut().table.push(cas)?),))
}

async fn swap(
    mut store: StoreContextMut<'_, Guest>,
    cas: Resource<Cas>,
    value: Vec<u8>,
) -> wasmtime::Result<(Result<(), CasError>,)> {
    let request = Guest::request(&mut store);
    let cas = store.data_mut().table.delete(cas)?;
    let call = Call::on(&cas.binding, &cas.bucket, request.deadline, request.traceparent);
    let swap = call.store().compare_and_swap(
        &call.context,
        &call.bucket,
        &cas.key,
        cas.seen.as_ref(),
        Bytes::from(value),
    );
    let result = match call.wait(swap).await {
        Ok(Swap::Swapped) => Ok(()),
        Ok(Swap::Changed(now)) => {
            Err(CasError::Failed(store.data_mut().table.push(Cas { seen: now, ..cas })?))
        }
        Err(error) => Err(CasError::Store(error)),
    };
    Ok((result,))
}
