//! The providers that this host has open, and those that it should have but cannot open.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use dunlin_manifest::{HostId, KeyValueBackend, Object, Snapshot, WasmProvider};
use dunlin_providers::keyvalue::KeyValue;
use dunlin_providers::keyvalue::embedded::{EmbeddedStore, Options};
use dunlin_providers::keyvalue::memory::MemoryStore;
use dunlin_providers::keyvalue::redis::{RedisSettings, RedisStore};
use dunlin_source::{Consumer, SecretError, SecretFiles};

use crate::status::Condition;

/// Stores by provider name.
type Open = BTreeMap<String, Store>;

/// A store that is open here.
#[derive(Clone)]
enum Store {
    Embedded(Arc<EmbeddedStore>),
    Memory(Arc<MemoryStore>),
    /// With what it was opened with: another address or password is another connection.
    Redis(Arc<RedisStore>, Arc<RedisSettings>),
}

impl Store {
    fn keyvalue(&self) -> Arc<dyn KeyValue> {
        match self {
            Self::Embedded(store) => Arc::clone(store) as _,
            Self::Memory(store) => Arc::clone(store) as _,
            Self::Redis(store, _) => Arc::clone(store) as _,
        }
    }

    async fn close(&self) {
        match self {
            Self::Embedded(store) => store.close().await,
            Self::Redis(store, _) => store.close().await,
            Self::Memory(_) => {}
        }
    }

    /// Why it cannot be used now, if that is known.
    fn trouble(&self) -> Option<String> {
        match self {
            Self::Redis(store, _) => store.trouble(),
            Self::Embedded(_) | Self::Memory(_) => None,
        }
    }

    /// Whether it is what `backend` asks for.
    fn is(&self, backend: &Backend) -> bool {
        match (self, backend) {
            (Self::Embedded(_), Backend::Embedded) | (Self::Memory(_), Backend::Memory) => true,
            (Self::Redis(_, with), Backend::Redis(settings)) => **with == *settings,
            _ => false,
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
    /// Whether an embedded store stands in for Redis.
    stand_ins: bool,
    /// Where Redis is reached instead of at the url of its manifest, by provider.
    urls: BTreeMap<String, String>,
    secrets: Option<SecretFiles>,
    open: ArcSwap<Open>,
    troubles: ArcSwap<Vec<Condition>>,
}

/// How a provider is served here.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Backend {
    Embedded,
    Memory,
    Redis(RedisSettings),
}

impl Stores {
    /// No store is open yet. `first`: this host holds the data of providers that name no host.
    pub(crate) fn new(id: HostId, folder: PathBuf, first: bool, secrets: Option<SecretFiles>) -> Self {
        Self {
            id,
            folder,
            first,
            stand_ins: false,
            urls: BTreeMap::new(),
            secrets,
            open: ArcSwap::default(),
            troubles: ArcSwap::default(),
        }
    }

    /// The same for development: Redis at other addresses, or an embedded store in its place.
    pub(crate) fn in_development(self, urls: BTreeMap<String, String>, stand_ins: bool) -> Self {
        Self { urls, stand_ins, ..self }
    }

    /// The store of a provider, if it is open here.
    pub(crate) fn get(&self, provider: &str) -> Option<Arc<dyn KeyValue>> {
        self.open.load().get(provider).map(Store::keyvalue)
    }

    /// The providers that are open here and, as far as is known, can be used.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let open = self.open.load();
        open.iter().filter(|(_, store)| store.trouble().is_none()).map(|(name, _)| name.clone()).collect()
    }

    /// Why some are not open that should be.
    pub(crate) fn troubles(&self) -> Arc<Vec<Condition>> {
        self.troubles.load_full()
    }

    /// Opens what `snapshot` gives to this host and closes what it does not; tries again what failed. Of `former`
    /// providers those stay open that are. Returns whether anything changed. Not for two tasks at once.
    pub(crate) async fn follow(
        &self,
        snapshot: &Snapshot,
        former: &BTreeMap<String, Object<WasmProvider>>,
    ) -> bool {
        let before = self.open.load_full();
        let mut open = Open::new();
        let mut troubles = Vec::new();
        for (name, object) in &snapshot.providers {
            let opened = match self.mine(name, &object.spec) {
                Ok(None) => continue,
                Ok(Some(backend)) => match before.get(name).filter(|store| store.is(&backend)) {
                    Some(store) => Ok(store.clone()),
                    None => self.start(name, backend).await,
                },
                Err(error) => Err(error),
            };
            let trouble = match opened {
                Ok(store) => {
                    let trouble = store.trouble();
                    open.insert(name.clone(), store);
                    trouble
                }
                Err(message) => Some(message),
            };
            troubles.extend(trouble.map(|message| Condition {
                object: format!("provider/{name}"),
                reason: "CannotOpen".into(),
                message: format!("{}: {message}", self.id),
            }));
        }
        let stay = before.iter().filter(|(name, _)| former.contains_key(*name));
        open.extend(stay.map(|(name, store)| (name.clone(), store.clone())));
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
    fn mine(&self, name: &str, provider: &WasmProvider) -> Result<Option<Backend>, String> {
        let backend = match &provider.keyvalue {
            KeyValueBackend::Embedded => Backend::Embedded,
            KeyValueBackend::Memory => Backend::Memory,
            KeyValueBackend::Redis(_) if self.stand_ins => Backend::Embedded,
            KeyValueBackend::Redis(redis) => {
                let Some(place) = provider.sites.get(&self.id.site) else { return Ok(None) };
                let url = self.urls.get(name).or(place.url.as_ref()).cloned().unwrap_or_default();
                return self.redis(name, url, redis.secret_ref.as_ref()).map(Backend::Redis).map(Some);
            }
        };
        // A store on one host is one data set: where several sites reach the same Redis, its stand-in is in the first.
        let Some((site, place)) = provider.sites.iter().next() else { return Ok(None) };
        let holds = match &place.host {
            Some(host) => *host == self.id.host,
            None => self.first,
        };
        Ok((*site == self.id.site && holds).then_some(backend))
    }

    /// How a Redis is reached; what is secret of it comes from the secret that its provider names.
    fn redis(
        &self,
        name: &str,
        url: String,
        secret: Option<&dunlin_manifest::SecretReference>,
    ) -> Result<RedisSettings, String> {
        let Some(secret) = secret else { return Ok(RedisSettings { url, ..RedisSettings::default() }) };
        let Some(secrets) = &self.secrets else {
            return Err(format!(
                "it needs the secret {:?}: name a directory of secrets with --secrets",
                secret.name
            ));
        };
        let consumer = Consumer::Provider(name.to_owned());
        let key = |key: &str| match secrets.get(&consumer, &secret.name, key) {
            Ok(value) => Ok(Some(value)),
            Err(SecretError::MissingKey { .. }) => Ok(None),
            Err(error) => Err(error.to_string()),
        };
        Ok(RedisSettings {
            url,
            username: key("username")?,
            password: key("password")?,
            authority: key("ca.crt")?,
        })
    }

    async fn start(&self, name: &str, backend: Backend) -> Result<Store, String> {
        match backend {
            Backend::Memory => Ok(Store::Memory(Arc::default())),
            Backend::Redis(settings) => {
                let store = RedisStore::new(settings.clone()).map_err(|error| error.to_string())?;
                Ok(Store::Redis(Arc::new(store), Arc::new(settings)))
            }
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
