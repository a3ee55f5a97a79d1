//! Where the links of components lead: to a store or a component of this host, else over the lattice.

mod component;
#[cfg(test)]
mod lost;
mod store;

use std::sync::{Arc, OnceLock, Weak};

use arc_swap::ArcSwap;
use dunlin_manifest::Link;
use dunlin_providers::keyvalue::KeyValue;
use dunlin_runtime::Invoke;

use self::component::LinkedComponent;
use self::store::LinkedStore;
use crate::calls::Calls;
use crate::directory::Directory;
use crate::host::Shared;
use crate::stores::Stores;

/// The bucket that a link of `component` leads to: the one that it names, else one of the component's name.
pub(crate) fn bucket<'a>(component: &'a str, link: &'a Link) -> &'a str {
    link.bucket.as_deref().unwrap_or(component)
}

/// Makes what the imports of components are bound to.
pub(crate) struct Links {
    calls: Arc<Calls>,
    stores: Arc<Stores>,
    directory: Arc<ArcSwap<Directory>>,
    /// Known once the host is built; links to components of this host go through it.
    host: OnceLock<Weak<Shared>>,
}

impl Links {
    pub(crate) fn new(calls: Arc<Calls>, stores: Arc<Stores>, directory: Arc<ArcSwap<Directory>>) -> Self {
        Self { calls, stores, directory, host: OnceLock::new() }
    }

    /// Tells the links which host they belong to.
    pub(crate) fn know_host(&self, shared: &Arc<Shared>) {
        // Said once, when the host is built.
        let _ = self.host.set(Arc::downgrade(shared));
    }

    /// The store that `link` of `component` leads to.
    pub(crate) fn store(&self, component: &str, link: &str, provider: &str) -> Arc<dyn KeyValue> {
        Arc::new(LinkedStore {
            calls: Arc::clone(&self.calls),
            stores: Arc::clone(&self.stores),
            directory: Arc::clone(&self.directory),
            component: component.to_owned(),
            link: link.to_owned(),
            provider: provider.to_owned(),
            meter: self.calls.meter(provider),
        })
    }

    /// The component that `link` of `component` leads to.
    pub(crate) fn component(
        &self,
        component: &str,
        name: &str,
        target: &str,
        link: &Link,
    ) -> Arc<dyn Invoke> {
        Arc::new(LinkedComponent {
            calls: Arc::clone(&self.calls),
            directory: Arc::clone(&self.directory),
            host: self.host.get().cloned().unwrap_or_default(),
            component: component.to_owned(),
            link: name.to_owned(),
            target: target.to_owned(),
            meter: self.calls.meter(target),
            timeout: link.timeout,
        })
    }
}
