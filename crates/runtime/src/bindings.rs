//! What a component's imports lead to. Nothing outside of this, but what [`crate::names`] gives to all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dunlin_providers::keyvalue::KeyValue;
use dunlin_providers::logging::LogSink;

use crate::capability::egress::Egress;
use crate::invoke::Invoke;

/// The links of a component, resolved.
#[derive(Clone, Default)]
pub struct Bindings {
    /// What `wasi:config` answers.
    pub config: BTreeMap<String, String>,
    /// Where `wasi:logging`, standard output and standard error go; without it they are lost.
    pub log: Option<Arc<dyn LogSink>>,
    /// Stores, by the `import` of their link: `wasi:keyvalue`, or as narrow as [`crate::names::covers`] knows.
    pub keyvalue: BTreeMap<String, KeyValueBinding>,
    /// Outbound HTTP.
    pub egress: Option<Egress>,
    /// Other components, by the `import` of their link, such as `example:greeter/greet`.
    pub components: BTreeMap<String, Arc<dyn Invoke>>,
}

/// A link to a store.
#[derive(Clone)]
pub struct KeyValueBinding {
    /// The store.
    pub store: Arc<dyn KeyValue>,
    /// The bucket that the link leads to.
    ///
    /// With it, `open` gives this bucket whatever identifier the component asks for, so that the same component
    /// runs against any bucket its link names. Without it, the identifier is the name of the bucket.
    pub bucket: Option<String>,
    /// Most time for one operation; never more than the request has left.
    pub timeout: Option<Duration>,
}
