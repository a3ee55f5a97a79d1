//! `wasi:keyvalue` in both published drafts, over whatever store a link leads to.
//!
//! The drafts differ in two types (the cursor of `list-keys` and the number of `increment`) and in
//! compare-and-swap, which only the second has; their texts are in `wit/`. Every operation carries the deadline of
//! the request that caused it, or less if the link says so.

mod atomics;
mod cursor;
mod types;

use std::sync::Arc;

use bytes::Bytes;
use dunlin_providers::keyvalue::{Context, Error, KeyValue};
use tokio::time::Instant;
use wasmtime::StoreContextMut;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceType, Type};

use crate::bindings::KeyValueBinding;
use crate::guest::Guest;
use cursor::Cursors;
use types::{KeyResponse, Pair, StoreError};

pub(crate) use types::Draft;

/// A store that a component opened.
pub(crate) struct Bucket {
    binding: Arc<KeyValueBinding>,
    name: String,
    cursors: Cursors,
}

/// One operation on a bucket.
struct Call {
    binding: Arc<KeyValueBinding>,
    bucket: String,
    context: Context,
}

impl Call {
    fn new(store: &mut StoreContextMut<'_, Guest>, bucket: &Resource<Bucket>) -> wasmtime::Result<Self> {
        let request = Guest::request(store);
        let bucket = store.data().table.get(bucket)?;
        Ok(Self::on(&bucket.binding, &bucket.name, request.deadline, request.traceparent))
    }

    fn on(
        binding: &Arc<KeyValueBinding>,
        bucket: &str,
        deadline: Instant,
        traceparent: Option<String>,
    ) -> Self {
        let own = binding.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let deadline = own.map_or(deadline, |own| own.min(deadline));
        Self {
            binding: Arc::clone(binding),
            bucket: bucket.to_owned(),
            context: Context { deadline, traceparent },
        }
    }

    fn store(&self) -> &dyn KeyValue {
        &*self.binding.store
    }

    /// Waits for an operation no longer than its deadline; what a store does after that is not known.
    async fn wait<T>(&self, operation: impl Future<Output = Result<T, Error>>) -> Result<T, StoreError> {
        match tokio::time::timeout_at(self.context.deadline, operation).await {
            Ok(result) => result.map_err(StoreError::from),
            Err(_) => Err(Error::Unknown("no answer by the deadline".to_owned()).into()),
        }
    }
}

/// What every function of `wasi:keyvalue` returns to its component.
type Answer<T> = wasmtime::Result<(Result<T, StoreError>,)>;

/// Adds the three interfaces of one draft, each only if `binding_of` has a store for it.
pub(crate) fn add_to_linker(
    linker: &mut Linker<Guest>,
    component: &Component,
    draft: Draft,
    binding_of: impl Fn(&str) -> Option<Arc<KeyValueBinding>>,
) -> wasmtime::Result<()> {
    let name = |interface: &str| format!("wasi:keyvalue/{interface}@{}", draft.version());
    if let Some(binding) = binding_of(&name("store")) {
        add_store(&mut linker.instance(&name("store"))?, draft, binding)?;
    }
    if binding_of(&name("atomics")).is_some() {
        atomics::add(&mut linker.instance(&name("atomics"))?, draft)?;
    }
    if binding_of(&name("batch")).is_some() {
        let keyed = gives_every_key(component, &name("batch"));
        add_batch(&mut linker.instance(&name("batch"))?, keyed)?;
    }
    Ok(())
}

fn add_store(
    instance: &mut LinkerInstance<'_, Guest>,
    draft: Draft,
    binding: Arc<KeyValueBinding>,
) -> wasmtime::Result<()> {
    instance.resource("bucket", ResourceType::host::<Bucket>(), |mut store, id| {
        store.data_mut().table.delete(Resource::<Bucket>::new_own(id))?;
        Ok(())
    })?;
    instance.func_wrap("open", move |mut store: StoreContextMut<'_, Guest>, (identifier,): (String,)| {
        let name = binding.bucket.clone().unwrap_or(identifier);
        let bucket = Bucket { binding: Arc::clone(&binding), name, cursors: Cursors::default() };
        let bucket: Result<_, StoreError> = Ok(store.data_mut().table.push(bucket)?);
        Ok((bucket,))
    })?;
    instance
        .func_wrap_async("[method]bucket.get", |store, (bucket, key)| Box::new(get(store, bucket, key)))?;
    instance.func_wrap_async("[method]bucket.set", |store, (bucket, key, value)| {
        Box::new(set(store, bucket, key, value))
    })?;
    instance.func_wrap_async("[method]bucket.delete", |store, (bucket, key)| {
        Box::new(delete(store, bucket, key))
    })?;
    instance.func_wrap_async("[method]bucket.exists", |store, (bucket, key)| {
        Box::new(exists(store, bucket, key))
    })?;
    match draft {
        Draft::First => instance.func_wrap_async("[method]bucket.list-keys", |store, (bucket, cursor)| {
            Box::new(list_by_number(store, bucket, cursor))
        }),
        Draft::Second => instance.func_wrap_async("[method]bucket.list-keys", |store, (bucket, cursor)| {
            Box::new(list_by_text(store, bucket, cursor))
        }),
    }
}

/// Whether `component` expects `get-many` to give every key with or without a value, rather than a pair or nothing.
///
/// The second draft was published with the one and changed to the other without a new version (in 2026).
fn gives_every_key(component: &Component, batch: &str) -> bool {
    let engine = component.engine();
    let ty = component.component_type();
    let import = ty.get_import(engine, batch).map(|import| import.ty);
    let Some(ComponentItem::ComponentInstance(instance)) = import else { return false };
    let get_many = instance.get_export(engine, "get-many").map(|export| export.ty);
    let Some(ComponentItem::ComponentFunc(get_many)) = get_many else { return false };
    let element = get_many.results().next().and_then(|result| match result {
        Type::Result(result) => match result.ok() {
            Some(Type::List(list)) => Some(list.ty()),
            _ => None,
        },
        _ => None,
    });
    matches!(element, Some(Type::Tuple(_)))
}

fn add_batch(instance: &mut LinkerInstance<'_, Guest>, keyed: bool) -> wasmtime::Result<()> {
    if keyed {
        instance
            .func_wrap_async("get-many", |store, (bucket, keys)| Box::new(get_many(store, bucket, keys)))?;
    } else {
        instance
            .func_wrap_async("get-many", |store, (bucket, keys)| Box::new(get_pairs(store, bucket, keys)))?;
    }
    instance
        .func_wrap_async("set-many", |store, (bucket, pairs)| Box::new(set_many(store, bucket, pairs)))?;
    instance
        .func_wrap_async("delete-many", |store, (bucket, keys)| Box::new(delete_many(store, bucket, keys)))
}

async fn get(
    mut store: StoreContextMut<'_, Guest>,
    bucket: Resource<Bucket>,
    key: String,
) -> Answer<Option<Vec<u8>>> {
    let call = Call::new(&mut store, &bucket)?;
    let value = call.wait(call.store().get(&call.context, &call.bucket, &key)).await;
    Ok((value.map(|value| value.map(Vec::from)),))
}

async fn set(
    mut store: StoreContextMut<'_, Guest>,
    bucket: Resource<Bucket>,
    key: String,
    value: Vec<u8>,
) -> Answer<()> {
    let call = Call::new(&mut store, &bucket)?;
    Ok((call.wait(call.store().set(&call.context, &call.bucket, &key, Bytes::from(value))).await,))
}

async fn delete(mut store: StoreContextMut<'_, Guest>, bucket: Resource<Bucket>, key: String) -> Answer<()> {
    let call = Call::new(&mut store, &bucket)?;
    Ok((call.wait(call.store().delete(&call.context, &call.bucket, &key)).await,))
}

async fn exists(
    mut store: StoreContextMut<'_, Guest>,
    bucket: Resource<Bucket>,
    key: String,
) -> Answer<bool> {
    let call = Call::new(&mut store, &bucket)?;
    Ok((call.wait(call.store().exists(&call.context, &call.bucket, &key)).await,))
}

async fn list_by_text(
    mut store: StoreContextMut<'_, Guest>,
    bucket: Resource<Bucket>,
    cursor: Option<String>,
) -> Answer<KeyResponse<String>> {
    let call = Call::new(&mut store, &bucket)?;
    let page = call.wait(call.store().list_keys(&call.context, &call.bucket, cursor.as_deref())).await;
    Ok((page.map(|page| KeyResponse { keys: page.keys, cursor: page.cursor }),))
}

async fn list_by_number(
    mut store: StoreContextMut<'_, Guest>,
    bucket: Resource<Bucket>,
    cursor: Option<u64>,
) -> Answer<KeyResponse<u64>> {
    let call = Call::new(&mut store, &bucket)?;
    let cursors = &store.data().table.get(&bucket)?.cursors;
    let cursor = match cursor.map(|number| cursors.text_of(number)).transpose() {
        Ok(cursor) => cursor,
        Err(error) => return Ok((Err(error),)),
    };
    let page = call.wait(call.store().list_keys(&call.context, &call.bucket, cursor.as_deref())).await;
    let page = match page {
        Ok(page) => page,
        Err(error) => return Ok((Err(error),)),
    };
    let cursors = &mut store.data_mut().table.get_mut(&bucket)?.cursors;
    let cursor = page.cursor.map(|text| cursors.number_of(text)).transpose();
    Ok((cursor.map(|cursor| KeyResponse { keys: page.keys, cursor }),))
}

async fn get_many(
    mut store: StoreContextMut<'_, Guest>,
    bucket: Resource<Bucket>,
    keys: Vec<String>,
) -> Answer<Vec<(String, Option<Vec<u8>>)>> {
    let call = Call::new(&mut store, &bucket)?;
    let values = call.wait(call.store().get_many(&call.context, &call.bucket, &keys)).await;
    let bytes = |value: Option<Bytes>| value.map(Vec::from);
    Ok((values.map(|values| keys.into_iter().zip(values.into_iter().map(bytes)).collect()),))
}

async fn get_pairs(
    store: StoreContextMut<'_, Guest>,
    bucket: Resource<Bucket>,
    keys: Vec<String>,
) -> Answer<Vec<Option<Pair>>> {
    let (values,) = get_many(store, bucket, keys).await?;
    let pair = |(key, value): (String, Option<Vec<u8>>)| value.map(|value| (key, value));
    Ok((values.map(|values| values.into_iter().map(pair).collect()),))
}

async fn set_many(
    mut store: StoreContextMut<'_, Guest>,
    bucket: Resource<Bucket>,
    pairs: Vec<Pair>,
) -> Answer<()> {
    let call = Call::new(&mut store, &bucket)?;
    let pairs: Vec<(String, Bytes)> =
        pairs.into_iter().map(|(key, value)| (key, Bytes::from(value))).collect();
    Ok((call.wait(call.store().set_many(&call.context, &call.bucket, &pairs)).await,))
}

async fn delete_many(
    mut store: StoreContextMut<'_, Guest>,
    bucket: Resource<Bucket>,
    keys: Vec<String>,
) -> Answer<()> {
    let call = Call::new(&mut store, &bucket)?;
    Ok((call.wait(call.store().delete_many(&call.context, &call.bucket, &keys)).await,))
}
