//! The side that calls: an imported interface whose every function becomes a call over its link.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::timeout_at;
use wasmtime::StoreContextMut;
use wasmtime::component::types::{ComponentFunc, ComponentInstance, ComponentItem};
use wasmtime::component::{Component, Linker, LinkerInstance, Type, Val};

use super::{Invoke, InvokeContext, InvokeError};
use crate::guest::Guest;
use crate::link::PrepareError;
use crate::values::Reader;
use crate::values::dynamic::{decode_all, encode_all, unportable};
use crate::values::plain::{Plain, shapes, with_shapes};

/// One function at the other end of a link.
struct Target {
    link: Arc<dyn Invoke>,
    interface: String,
    function: String,
}

impl Target {
    async fn call(&self, store: &mut StoreContextMut<'_, Guest>, values: Bytes) -> wasmtime::Result<Bytes> {
        let request = Guest::request(store);
        let context = InvokeContext { deadline: request.deadline, traceparent: request.traceparent };
        let call = self.link.invoke(&self.interface, &self.function, values, &context);
        let answer = timeout_at(context.deadline, call).await;
        let answer =
            answer.unwrap_or_else(|_| Err(InvokeError::Unknown("no answer by the deadline".to_owned())));
        answer.map_err(|error| self.failed(&error))
    }

    /// The interface has no place for this, so the caller traps.
    fn failed(&self, error: &dyn std::fmt::Display) -> wasmtime::Error {
        wasmtime::format_err!("the linked {}#{}: {error}", self.interface, self.function)
    }
}

/// Adds every imported interface of `component` for which `link_of` has a link.
pub(crate) fn add_to_linker(
    linker: &mut Linker<Guest>,
    component: &Component,
    link_of: impl Fn(&str) -> Option<Arc<dyn Invoke>>,
) -> Result<(), PrepareError> {
    let engine = component.engine();
    for (name, import) in component.component_type().imports(engine) {
        let Some(link) = link_of(name) else { continue };
        match import.ty {
            ComponentItem::ComponentInstance(interface) => {
                add_interface(linker, engine, name, &interface, &link)?;
            }
            _ => return Err(refused(name, name, "is no interface")),
        }
    }
    Ok(())
}

fn refused(interface: &str, function: &str, what: impl Into<String>) -> PrepareError {
    PrepareError::Unportable {
        interface: interface.to_owned(),
        function: function.to_owned(),
        what: what.into(),
    }
}

fn add_interface(
    linker: &mut Linker<Guest>,
    engine: &wasmtime::Engine,
    name: &str,
    interface: &ComponentInstance,
    link: &Arc<dyn Invoke>,
) -> Result<(), PrepareError> {
    let mismatch = |error: wasmtime::Error| PrepareError::Mismatch(format!("{error:#}"));
    let mut instance = linker.instance(name).map_err(mismatch)?;
    for (export, item) in interface.exports(engine) {
        match item.ty {
            ComponentItem::Type(_) => {}
            ComponentItem::Resource(_) => return Err(refused(name, export, "is a resource")),
            ComponentItem::ComponentFunc(function) => {
                check(name, export, &function)?;
                let target = Target {
                    link: Arc::clone(link),
                    interface: name.to_owned(),
                    function: export.to_owned(),
                };
                add_function(&mut instance, &function, target).map_err(mismatch)?;
            }
            _ => return Err(refused(name, export, "is no function")),
        }
    }
    Ok(())
}

fn check(interface: &str, name: &str, function: &ComponentFunc) -> Result<(), PrepareError> {
    if function.async_() {
        return Err(refused(interface, name, "is async"));
    }
    let mut types = function.params().map(|(_, ty)| ty).chain(function.results());
    match types.find_map(|ty| unportable(&ty)) {
        Some(what) => Err(refused(interface, name, format!("has {what} in its signature"))),
        None => Ok(()),
    }
}

fn add_function(
    instance: &mut LinkerInstance<'_, Guest>,
    function: &ComponentFunc,
    target: Target,
) -> wasmtime::Result<()> {
    let name = target.function.clone();
    let target = Arc::new(target);
    with_shapes!(
        shapes(function),
        |Params, Results| add_plain::<Params, Results>(instance, &name, target),
        else add_dynamic(instance, &name, function, target)
    )
}

fn add_plain<P: Plain, R: Plain>(
    instance: &mut LinkerInstance<'_, Guest>,
    name: &str,
    target: Arc<Target>,
) -> wasmtime::Result<()> {
    instance.func_wrap_async(name, move |mut store: StoreContextMut<'_, Guest>, params: P| {
        let target = Arc::clone(&target);
        Box::new(async move {
            let answer = target.call(&mut store, params.to_bytes()).await?;
            R::from_bytes(answer).map_err(|error| target.failed(&error))
        })
    })
}

fn add_dynamic(
    instance: &mut LinkerInstance<'_, Guest>,
    name: &str,
    function: &ComponentFunc,
    target: Arc<Target>,
) -> wasmtime::Result<()> {
    let types: Arc<(Vec<Type>, Vec<Type>)> =
        Arc::new((function.params().map(|(_, ty)| ty).collect(), function.results().collect()));
    instance.func_new_async(
        name,
        move |mut store: StoreContextMut<'_, Guest>, _, params: &[Val], results: &mut [Val]| {
            let (target, types) = (Arc::clone(&target), Arc::clone(&types));
            Box::new(async move {
                let values = encode_all(params, &types.0).map_err(|error| target.failed(&error))?;
                let answer = target.call(&mut store, values).await?;
                let values =
                    decode_all(Reader::new(answer), &types.1).map_err(|error| target.failed(&error))?;
                for (result, value) in results.iter_mut().zip(values) {
                    *result = value;
                }
                Ok(())
            })
        },
    )
}
