//! Binds a component's imports to what its links lead to, and refuses it if one leads nowhere.

use std::sync::Arc;

use wasmtime::component::{InstancePre, Linker};
use wasmtime_wasi_http::handler::ProxyPre;
use wasmtime_wasi_http::{WasiHttp, WasiHttpView as _, p2, p3};

use crate::bindings::Bindings;
use crate::capability::{config, keyvalue, logging};
use crate::compile::Compiled;
use crate::guest::Guest;
use crate::invoke::caller;
use crate::limits::Limits;
use crate::names::{
    covers, how_to_link, is_given, is_http_handler_0_2, is_http_handler_0_3, is_keyvalue, is_outbound_http,
};

/// Bytes of a page of linear memory.
const PAGE: u64 = 65_536;

/// Why a component was refused before it ran.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum PrepareError {
    /// Imports that no link binds; all of them.
    #[error("{}", unlinked(.imports))]
    Unlinked {
        /// The imports that lead nowhere.
        imports: Vec<String>,
    },
    /// An import and what its link leads to do not fit together.
    #[error("an import does not fit what it is linked to: {0}")]
    Mismatch(String),
    /// A linked interface carries what cannot leave a component.
    #[error(
        "the interface {interface} cannot be linked to another component: {function} {what}; links carry plain values only"
    )]
    Unportable {
        /// The interface.
        interface: String,
        /// Its function, or the resource.
        function: String,
        /// What is wrong with it.
        what: String,
    },
    /// The component cannot live within its limits.
    #[error(
        "the component begins with {needed} bytes of memory, and its limit is {limit}: raise resources.limits.memory"
    )]
    Memory {
        /// Bytes that it begins with.
        needed: u64,
        /// Bytes allowed.
        limit: u64,
    },
}

fn unlinked(imports: &[String]) -> String {
    let mut text = match imports {
        [one] => format!("nothing is linked to the import {one}"),
        all => format!("nothing is linked to these {} imports: {}", all.len(), all.join(", ")),
    };
    let mut hints: Vec<String> = imports.iter().map(|name| how_to_link(name)).collect();
    hints.dedup();
    text.push_str("; ");
    text.push_str(&hints.join("; "));
    text
}

/// What every component gets; see [`crate::names::is_given`].
pub(crate) fn given(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    let options = p2::bindings::LinkOptions::default();
    p2::bindings::http::types::add_to_linker::<_, WasiHttp>(&mut linker, &(&options).into(), Guest::http)?;
    p3::bindings::http::types::add_to_linker::<_, WasiHttp>(&mut linker, Guest::http)?;
    config::add_to_linker(&mut linker)?;
    logging::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// Imports of `compiled` that neither a link nor the host provides.
fn missing(compiled: &Compiled, bindings: &Bindings) -> Vec<String> {
    let linked = |name: &str| {
        is_given(name)
            || (is_outbound_http(name) && bindings.egress.is_some())
            || (is_keyvalue(name) && bindings.keyvalue.keys().any(|import| covers(import, name)))
            || bindings.components.keys().any(|import| covers(import, name))
    };
    compiled.imports().iter().filter(|name| !linked(name)).cloned().collect()
}

/// The component with all imports bound, ready to be instantiated.
pub(crate) fn link(
    given: &Linker<Guest>,
    compiled: &Compiled,
    bindings: &Bindings,
    limits: &Limits,
) -> Result<InstancePre<Guest>, PrepareError> {
    let imports = missing(compiled, bindings);
    if !imports.is_empty() {
        return Err(PrepareError::Unlinked { imports });
    }
    let required = compiled.component().resources_required();
    let pages = required.and_then(|required| required.max_initial_memory_size).unwrap_or(0);
    let needed = pages.saturating_mul(PAGE);
    if needed > limits.memory {
        return Err(PrepareError::Memory { needed, limit: limits.memory });
    }
    let mismatch = |error: wasmtime::Error| PrepareError::Mismatch(format!("{error:#}"));
    let mut linker = given.clone();
    for draft in keyvalue::Draft::ALL {
        let binding_of = |name: &str| {
            let binding = bindings.keyvalue.iter().find(|(import, _)| covers(import, name));
            binding.map(|(_, binding)| Arc::new(binding.clone()))
        };
        keyvalue::add_to_linker(&mut linker, compiled.component(), draft, binding_of).map_err(mismatch)?;
    }
    if bindings.egress.is_some() {
        let outgoing = p2::bindings::http::outgoing_handler::add_to_linker::<_, WasiHttp>;
        outgoing(&mut linker, Guest::http).map_err(mismatch)?;
        p3::bindings::http::client::add_to_linker::<_, WasiHttp>(&mut linker, Guest::http)
            .map_err(mismatch)?;
    }
    caller::add_to_linker(&mut linker, compiled.component(), |name| {
        let own = !is_given(name) && !is_keyvalue(name) && !is_outbound_http(name);
        let link = bindings.components.iter().find(|(import, _)| own && covers(import, name));
        link.map(|(_, invoke)| Arc::clone(invoke))
    })?;
    linker.instantiate_pre(compiled.component()).map_err(mismatch)
}

/// The HTTP handler that `compiled` exports, if any; the newer one if both.
pub(crate) fn http_handler(
    compiled: &Compiled,
    instance: &InstancePre<Guest>,
) -> Result<Option<ProxyPre<Guest>>, PrepareError> {
    let mismatch = |error: wasmtime::Error| PrepareError::Mismatch(format!("{error:#}"));
    let exports = |is: fn(&str) -> bool| compiled.exports().iter().any(|name| is(name));
    if exports(is_http_handler_0_3) {
        let pre = p3::bindings::ServicePre::new(instance.clone()).map_err(mismatch)?;
        return Ok(Some(ProxyPre::P3(pre)));
    }
    if exports(is_http_handler_0_2) {
        let pre = p2::bindings::ProxyPre::new(instance.clone()).map_err(mismatch)?;
        return Ok(Some(ProxyPre::P2(pre)));
    }
    Ok(None)
}
