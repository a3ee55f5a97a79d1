//! The engine: one for all components of a process. Compiles, prepares, and keeps what both need.

use std::collections::HashMap;
use std::hash::{Hash as _, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::available_parallelism;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::bindings::Bindings;
use crate::cache::{Cache, CacheError};
use crate::capability::logging::LogGate;
use crate::compile::{CodeFrom, CompileError, Compiled, check_kind, digest_of, hex};
use crate::counters::Counters;
use crate::guest::Guest;
use crate::limits::Limits;
use crate::link::{PrepareError, given, http_handler, link};
use crate::load::load;
use crate::shared::Shared;
use crate::ticker::{Running, Ticker};
use crate::workload::Workload;

/// How an engine is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// Where compiled code is kept, a directory of this host alone; `None`: nowhere.
    pub cache: Option<PathBuf>,
    /// Most bytes of compiled code kept there.
    pub cache_size: u64,
    /// Largest component, in bytes.
    pub largest_component: u64,
    /// Components compiled at once; each uses all cores for a while.
    pub compilations: usize,
    /// Instances at once, of all components.
    pub instances: u32,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            cache: None,
            cache_size: 1 << 30,
            largest_component: 64 << 20,
            compilations: 1,
            instances: 1_000,
        }
    }
}

/// Why an engine cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime does not work here.
    #[error("WebAssembly cannot be run on this machine: {0}")]
    Unsupported(String),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The thread that keeps time for guests cannot be started.
    #[error("no thread can be started: {0}")]
    Thread(std::io::Error),
}

/// Compiles and prepares components. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    engine: wasmtime::Engine,
    given: Linker<Guest>,
    cache: Option<Cache>,
    /// What distinguishes compiled code of this engine from that of others.
    tag: String,
    largest_component: u64,
    compilations: Semaphore,
    /// What is compiled and in use, by digest.
    compiled: Mutex<HashMap<String, Weak<Compiled>>>,
    ticker: Ticker,
    seats: usize,
}

impl Engine {
    /// Sets an engine up.
    ///
    /// # Errors
    ///
    /// See [`EngineError`].
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        let engine = pooling(config.instances)?;
        let unsupported = |error: wasmtime::Error| EngineError::Unsupported(format!("{error:#}"));
        let given = given(&engine).map_err(unsupported)?;
        let cache = config.cache.map(|directory| Cache::open(&directory, config.cache_size)).transpose()?;
        let mut tag = Sha256Hasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut tag);
        let ticker = Ticker::start(&engine).map_err(EngineError::Thread)?;
        // One core at least is never held by one component's long computations.
        let cores = available_parallelism().map_or(1, usize::from);
        Ok(Self(Arc::new(Inner {
            engine,
            given,
            cache,
            tag: hex(&tag.0.finalize()[..8]),
            largest_component: config.largest_component,
            compilations: Semaphore::new(config.compilations.max(1)),
            compiled: Mutex::default(),
            ticker,
            seats: (cores - 1).max(1),
        })))
    }

    /// Compiles a component, or takes its code from the cache. Runs on threads meant for blocking work.
    ///
    /// # Errors
    ///
    /// See [`CompileError`].
    pub async fn compile(&self, bytes: Bytes) -> Result<Arc<Compiled>, CompileError> {
        self.obtain(bytes).await.map(|(compiled, _)| compiled)
    }

    /// As [`Engine::compile`], and says where the code came from.
    ///
    /// # Errors
    ///
    /// See [`CompileError`].
    pub async fn obtain(&self, bytes: Bytes) -> Result<(Arc<Compiled>, CodeFrom), CompileError> {
        check_kind(&bytes, self.0.largest_component)?;
        // Held while compiling, so that the same component asked for twice is compiled once.
        let permit =
            self.0.compilations.acquire().await.map_err(|error| CompileError::Failed(error.to_string()))?;
        let inner = Arc::clone(&self.0);
        let result = tokio::task::spawn_blocking(move || inner.compile(&bytes)).await;
        drop(permit);
        result.map_err(|error| CompileError::Failed(error.to_string()))?
    }

    /// Binds the imports of a component.
    ///
    /// # Errors
    ///
    /// See [`PrepareError`]: nothing has run then.
    pub fn prepare(
        &self,
        compiled: &Compiled,
        bindings: Bindings,
        limits: Limits,
    ) -> Result<Workload, PrepareError> {
        let instance = link(&self.0.given, compiled, &bindings, &limits)?;
        let http = http_handler(compiled, &instance)?;
        let most = limits.max_concurrency.max(1) as usize;
        Ok(Workload::new(Shared {
            engine: self.clone(),
            instance,
            http,
            config: bindings.config,
            log: Arc::new(LogGate::new(bindings.log, &limits)),
            egress: bindings.egress,
            counters: Counters::default(),
            memory: Arc::default(),
            requests: Arc::new(Semaphore::new(most)),
            instances: Arc::new(Semaphore::new(most)),
            seats: Arc::new(Semaphore::new(self.0.seats)),
            limits: Limits { max_concurrency: u32::try_from(most).unwrap_or(u32::MAX), ..limits },
        }))
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.0.engine
    }

    pub(crate) fn running(&self) -> Running {
        self.0.ticker.running()
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").field("tag", &self.0.tag).finish_non_exhaustive()
    }
}

impl Inner {
    fn compile(&self, bytes: &Bytes) -> Result<(Arc<Compiled>, CodeFrom), CompileError> {
        let digest = digest_of(bytes);
        if let Some(compiled) = self.known().get(&digest).and_then(Weak::upgrade) {
            return Ok((compiled, CodeFrom::Memory));
        }
        let name = format!("{}-{}", digest.trim_start_matches("sha256:"), self.tag);
        let (component, from) = match self.load(&name) {
            Some(component) => (component, CodeFrom::Cache),
            None => {
                let invalid = |error: wasmtime::Error| CompileError::Invalid(format!("{error:#}"));
                let component = Component::from_binary(&self.engine, bytes).map_err(invalid)?;
                if let Some(cache) = &self.cache
                    && let Ok(code) = component.serialize()
                {
                    cache.write(&name, &code);
                }
                (component, CodeFrom::Compiler)
            }
        };
        let compiled = Arc::new(Compiled::new(component, digest.clone())?);
        let mut known = self.known();
        known.retain(|_, compiled| compiled.strong_count() > 0);
        known.insert(digest, Arc::downgrade(&compiled));
        Ok((compiled, from))
    }

    fn load(&self, name: &str) -> Option<Component> {
        let cache = self.cache.as_ref()?;
        let code = cache.read(name)?;
        match load(&self.engine, &code) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(%error, name, "compiled code cannot be loaded: compiling again");
                cache.remove(name);
                None
            }
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Weak<Compiled>>> {
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An engine that reserves room for `instances`, or for fewer where address space is short.
fn pooling(instances: u32) -> Result<wasmtime::Engine, EngineError> {
    let mut last = None;
    for instances in [instances, instances / 10] {
        let instances = instances.max(10);
        let mut pool = PoolingAllocationConfig::new();
        // A component is usually a few core modules with one memory between them.
        pool.total_component_instances(instances)
            .total_core_instances(instances.saturating_mul(4))
            .total_memories(instances)
            .total_tables(instances.saturating_mul(2))
            .total_stacks(instances.saturating_mul(2))
            .table_elements(100_000)
            .max_component_instance_size(4 << 20)
            .max_core_instance_size(4 << 20)
            // Small memories are wiped rather than given back to the system, which costs less.
            .linear_memory_keep_resident(256 << 10)
            .table_keep_resident(16 << 10)
            .async_stack_keep_resident(16 << 10)
            .pagemap_scan(Enabled::Auto);
        let mut config = settings();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        match wasmtime::Engine::new(&config) {
            Ok(engine) => return Ok(engine),
            Err(error) => last = Some(error),
        }
    }
    if let Some(error) = last {
        tracing::warn!(%error, "no room can be reserved for instances: each will take its own, which is slower");
    }
    wasmtime::Engine::new(&settings()).map_err(|error| EngineError::Unsupported(format!("{error:#}")))
}

fn settings() -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true).wasm_component_model_async(true).epoch_interruption(true);
    config
}

/// Lets what can only be hashed by a [`Hasher`] be hashed by a function that is the same everywhere.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}
