//! The providers that this host has open, and those that it should have but cannot open.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use dunlin_manifest::{HostId, KeyValueBackend, Snapshot, WasmProvider};
use dunlin_providers::keyvalue::KeyValue;
use dunlin_providers::keyvalue::embedded::{EmbeddedStore, Options};
use dunlin_providers::keyvalue::memory::MemoryStore;

use crate::status::Condition;

/// Stores by provider name.
type Open = BTreeMap<String, Store>;

/// A store that is open here.
#[derive(Clone)]
enum Store {
    Embedded(Arc<EmbeddedStore>),
    Memory(Arc<MemoryStore>),
}

impl Store {
    fn keyvalue(&self) -> Arc<dyn KeyValue> {
        match self {
            Self::Embedded(store) => Arc::clone(store) as _,
            Self::Memory(store) => Arc::clone(store) as _,
        }
    }

    async fn close(&self) {
        if let Self::Embedded(store) = self {
            store.close().await;
        }
    }
}

/// Opens and closes stores as the snapshot says; read on every operation of a link.
pub(crate) struct Stores {
    id: HostId,
    /// Where embedded stores keep their files.
    folder: PathBuf,
    /// Whether this host holds the data of providers that name no host.
    first: bool,
    /// Whether an embedded store stands in for a backend that this version cannot open.
    stand_ins: bool,
    open: ArcSwap<Open>,
    troubles: ArcSwap<Vec<Condition>>,
}

/// How a provider is served here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backend {
    Embedded,
    Memory,
}

impl Stores {
    pub(crate) fn new(id: HostId, folder: PathBuf, first: bool, stand_ins: bool) -> Self {
        Self { id, folder, first, stand_ins, open: ArcSwap::default(), troubles: ArcSwap::default() }
    }

    /// The store of a provider, if it is open here.
    pub(crate) fn get(&self, provider: &str) -> Option<Arc<dyn KeyValue>> {
        self.open.load().get(provider).map(Store::keyvalue)
    }

    /// The providers that are open here.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.open.load().keys().cloned().collect()
    }

    /// Why some are not open that should be.
    pub(crate) fn troubles(&self) -> Arc<Vec<Condition>> {
        self.troubles.load_full()
    }

    /// Opens what `snapshot` gives to this host and closes what it does not; tries again what failed. Returns whether
    /// anything changed. Not for two tasks at once.
    pub(crate) async fn follow(&self, snapshot: &Snapshot) -> bool {
        let before = self.open.load_full();
        let mut open = Open::new();
        let mut troubles = Vec::new();
        for (name, object) in &snapshot.providers {
            let Some(backend) = self.mine(&object.spec) else { continue };
            if let Some(store) = before.get(name) {
                open.insert(name.clone(), store.clone());
                continue;
            }
            match self.start(name, backend).await {
                Ok(store) => drop(open.insert(name.clone(), store)),
                Err(message) => {
                    let object = format!("provider/{name}");
                    troubles.push(Condition {
                        object,
                        reason: "CannotOpen".into(),
                        message: format!("{}: {message}", self.id),
                    });
                }
            }
        }
        let changed = before.keys().ne(open.keys()) || **self.troubles.load() != troubles;
        if changed {
            self.open.store(Arc::new(open));
            self.troubles.store(Arc::new(troubles));
        }
        changed
    }

    /// Closes all stores, when nothing uses them any more.
    pub(crate) async fn close(&self) {
        for store in self.open.swap(Arc::default()).values() {
            store.close().await;
        }
    }

    /// Whether this host opens the provider, and as what.
    fn mine(&self, provider: &WasmProvider) -> Option<Backend> {
        let backend = match provider.keyvalue {
            KeyValueBackend::Embedded => Backend::Embedded,
            KeyValueBackend::Memory => Backend::Memory,
            KeyValueBackend::Redis(_) if self.stand_ins => Backend::Embedded,
            KeyValueBackend::Redis(_) => return None,
        };
        // A store on one host is one data set: where several sites reach the same Redis, its stand-in is in the first.
        let (site, place) = provider.sites.iter().next()?;
        let holds = match &place.host {
            Some(host) => *host == self.id.host,
            None => self.first,
        };
        (*site == self.id.site && holds).then_some(backend)
    }

    async fn start(&self, name: &str, backend: Backend) -> Result<Store, String> {
        match backend {
            Backend::Memory => Ok(Store::Memory(Arc::default())),
            Backend::Embedded => {
                let file = self.folder.join(format!("{name}.redb"));
                let store =
                    EmbeddedStore::open(file, Options::default()).await.map_err(|error| error.to_string())?;
                Ok(Store::Embedded(Arc::new(store)))
            }
        }
    }
}

/// A provider's backend in words, as status tells it.
pub(crate) fn backend_in_words(provider: &WasmProvider, stand_ins: bool) -> &'static str {
    match provider.keyvalue {
        KeyValueBackend::Embedded => "embedded store",
        KeyValueBackend::Memory => "memory store",
        KeyValueBackend::Redis(_) if stand_ins => "embedded store",
        KeyValueBackend::Redis(_) => "Redis",
    }
}
