//! The side that is called: one function of an exported interface, in an instance of its own.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::{Instant, timeout_at};
use wasmtime::Store;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{ComponentExportIndex, Func, Instance, Type, Val};

use super::{Invoke, InvokeContext, InvokeError};
use crate::guest::Guest;
use crate::life::{Fate, Life};
use crate::names::InterfaceName;
use crate::shared::Shared;
use crate::values::Reader;
use crate::values::dynamic::{decode_all, encode_all, unportable};
use crate::values::plain::{Plain, shapes, with_shapes};
use crate::worker::{finish, new_store, start};
use crate::workload::Workload;

#[async_trait]
impl Invoke for Workload {
    async fn invoke(
        &self,
        interface: &str,
        function: &str,
        values: Bytes,
        context: &InvokeContext,
    ) -> Result<Bytes, InvokeError> {
        let not = |text: &str| InvokeError::NotExecuted(text.to_owned());
        if Instant::now() >= context.deadline {
            return Err(not("the deadline had passed"));
        }
        let shared = self.shared();
        let (index, ty) = find(shared, interface, function)
            .ok_or_else(|| InvokeError::NotExecuted(format!("{interface}#{function} is not exported")))?;
        let _permit = shared.requests.try_acquire().map_err(|_| not("busy"))?;
        let unknown = |_| InvokeError::Unknown("no answer by the deadline".to_owned());
        timeout_at(context.deadline, call(shared, &index, &ty, values, context)).await.map_err(unknown)?
    }
}

/// The exported function, of the very version asked for or of one that fits.
fn find(shared: &Shared, interface: &str, function: &str) -> Option<(ComponentExportIndex, ComponentFunc)> {
    let component = shared.instance.component();
    let engine = component.engine();
    let wanted = InterfaceName::parse(interface);
    let ty = component.component_type();
    let fits = |name: &str| {
        let found = InterfaceName::parse(name);
        (found.package, found.interface) == (wanted.package, wanted.interface)
            && (wanted.version.is_none() || found.version.is_none() || track(&found) == track(&wanted))
    };
    let exact = ty.exports(engine).find(|(name, _)| *name == interface);
    let (name, item) = exact.or_else(|| ty.exports(engine).find(|(name, _)| fits(name)))?;
    let ComponentItem::ComponentInstance(instance) = item.ty else { return None };
    let ComponentItem::ComponentFunc(ty) = instance.get_export(engine, function)?.ty else { return None };
    let instance = component.get_export_index(None, name)?;
    Some((component.get_export_index(Some(&instance), function)?, ty))
}

/// What versions that fit each other have in common: the first number that is not zero, and those before it.
fn track<'a>(name: &InterfaceName<'a>) -> Option<&'a str> {
    let version = name.version?;
    if version.contains('-') {
        return Some(version);
    }
    let numbers: usize = version.split('.').take_while(|number| *number == "0").count() + 1;
    let end = version.match_indices('.').nth(numbers - 1).map_or(version.len(), |(end, _)| end);
    Some(&version[..end])
}

async fn call(
    shared: &Arc<Shared>,
    index: &ComponentExportIndex,
    ty: &ComponentFunc,
    values: Bytes,
    context: &InvokeContext,
) -> Result<Bytes, InvokeError> {
    let (mut store, life) =
        new_store(shared).await.map_err(|error| InvokeError::NotExecuted(error.to_string()))?;
    let started = start(shared, &life, &mut store, async |store| {
        let instance: Instance = shared.instance.instantiate_async(&mut *store).await?;
        instance.get_func(&mut *store, index).ok_or_else(|| wasmtime::format_err!("the function is gone"))
    });
    let function = started.await.map_err(|error| InvokeError::NotExecuted(error.to_string()))?;
    life.begin(context.deadline);
    store.data_mut().invoked(context);
    let result = taking_turns(&life, run(&mut store, function, ty, values)).await;
    match result {
        Ok(answer) => {
            finish(&store, &life, Ok(()));
            answer
        }
        Err(error) => {
            finish(&store, &life, Err(error));
            Err(match life.fate() {
                Some(Fate::Trapped(reason)) => InvokeError::Trapped(reason.clone()),
                Some(Fate::Memory) => InvokeError::Trapped("it ran out of memory".to_owned()),
                _ => InvokeError::Unknown("no answer by the deadline".to_owned()),
            })
        }
    }
}

/// Gives its seat back whenever `future` waits.
async fn taking_turns<F: Future>(life: &Life, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        let poll = future.as_mut().poll(context);
        life.stand_up();
        poll
    })
    .await
}

/// The values of the results; the outer error is a trap.
async fn run(
    store: &mut Store<Guest>,
    function: Func,
    ty: &ComponentFunc,
    values: Bytes,
) -> wasmtime::Result<Result<Bytes, InvokeError>> {
    with_shapes!(
        shapes(ty),
        |Params, Results| run_plain::<Params, Results>(store, function, values).await,
        else run_dynamic(store, function, ty, values).await
    )
}

fn wrong(error: impl std::fmt::Display) -> InvokeError {
    InvokeError::NotExecuted(format!("the values do not fit the function: {error}"))
}

async fn run_plain<P: Plain, R: Plain>(
    store: &mut Store<Guest>,
    function: Func,
    values: Bytes,
) -> wasmtime::Result<Result<Bytes, InvokeError>> {
    let params = match P::from_bytes(values) {
        Ok(params) => params,
        Err(error) => return Ok(Err(wrong(error))),
    };
    let function = function.typed::<P, R>(&mut *store)?;
    Ok(Ok(function.call_async(store, params).await?.to_bytes()))
}

async fn run_dynamic(
    store: &mut Store<Guest>,
    function: Func,
    ty: &ComponentFunc,
    values: Bytes,
) -> wasmtime::Result<Result<Bytes, InvokeError>> {
    let params: Vec<Type> = ty.params().map(|(_, ty)| ty).collect();
    let results: Vec<Type> = ty.results().collect();
    if let Some(what) = params.iter().chain(&results).find_map(unportable) {
        return Ok(Err(wrong(format_args!("it has {what} in its signature"))));
    }
    let params = match decode_all(Reader::new(values), &params) {
        Ok(params) => params,
        Err(error) => return Ok(Err(wrong(error))),
    };
    let mut values = vec![Val::Bool(false); results.len()];
    function.call_async(store, &params, &mut values).await?;
    encode_all(&values, &results).map(Ok).map_err(wasmtime::Error::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_fit_share_a_track() {
        let of = |name| track(&InterfaceName::parse(name));
        assert_eq!(of("a:b/c@0.1.0"), of("a:b/c@0.1.7"));
        assert_ne!(of("a:b/c@0.1.0"), of("a:b/c@0.2.0"));
        assert_eq!(of("a:b/c@1.1.0"), of("a:b/c@1.2.0"));
        assert_ne!(of("a:b/c@1.0.0-rc1"), of("a:b/c@1.0.0"));
        assert_eq!(of("a:b/c"), None);
    }
}
