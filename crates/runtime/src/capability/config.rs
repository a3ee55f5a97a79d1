//! `wasi:config`, in all its published drafts: they differ in names only.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Linker, Lower};

use crate::guest::Guest;

/// `error` of `wasi:config`. Never returned: the values are in memory.
#[derive(ComponentType, Lower)]
#[component(variant)]
enum ConfigError {
    #[component(name = "upstream")]
    #[allow(dead_code, reason = "part of the interface")]
    Upstream(String),
    #[component(name = "io")]
    #[allow(dead_code, reason = "part of the interface")]
    Io(String),
}

/// The interface under every name it was published with.
const NAMES: [&str; 3] =
    ["wasi:config/store@0.2.0-rc.1", "wasi:config/store@0.2.0-draft", "wasi:config/runtime@0.2.0-draft"];

/// What `get` returns.
type One = Result<Option<String>, ConfigError>;
/// What `get-all` returns.
type All = Result<Vec<(String, String)>, ConfigError>;

pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    for name in NAMES {
        let mut instance = linker.instance(name)?;
        instance.func_wrap("get", |store: StoreContextMut<'_, Guest>, (key,): (String,)| {
            let value: One = Ok(store.data().shared.config.get(&key).cloned());
            Ok((value,))
        })?;
        instance.func_wrap("get-all", |store: StoreContextMut<'_, Guest>, (): ()| {
            let config = &store.data().shared.config;
            let all: All = Ok(config.iter().map(|(key, value)| (key.clone(), value.clone())).collect());
            Ok((all,))
        })?;
    }
    Ok(())
}
