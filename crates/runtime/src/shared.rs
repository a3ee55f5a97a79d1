//! What all instances of one prepared component share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::Semaphore;
use wasmtime::component::InstancePre;
use wasmtime_wasi_http::handler::ProxyPre;

use crate::capability::egress::Egress;
use crate::capability::logging::LogGate;
use crate::counters::Counters;
use crate::engine::Engine;
use crate::guest::Guest;
use crate::limits::Limits;

/// See the module.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    /// The component with its imports bound.
    pub(crate) instance: InstancePre<Guest>,
    /// The same, if it serves HTTP.
    pub(crate) http: Option<ProxyPre<Guest>>,
    pub(crate) limits: Limits,
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) log: Arc<LogGate>,
    pub(crate) egress: Option<Egress>,
    pub(crate) counters: Counters,
    /// Linear memory of all instances, in bytes.
    pub(crate) memory: Arc<AtomicU64>,
    /// One permit for each request that may be under way.
    pub(crate) requests: Arc<Semaphore>,
    /// One permit for each instance that may be alive.
    pub(crate) instances: Arc<Semaphore>,
    /// One permit for each instance that may compute for long at the same time.
    pub(crate) seats: Arc<Semaphore>,
}
