//! Who has a route, and where its requests are counted.

use std::sync::{Arc, OnceLock};

use crate::metrics::{Metrics, RouteMeter};

/// A component that has a route. Its counters are looked up with the first request and kept as long as the route.
#[derive(Debug)]
pub(crate) struct Owner {
    name: String,
    meter: OnceLock<RouteMeter>,
}

impl Owner {
    /// The component of this name.
    pub(super) fn new(name: &str) -> Arc<Self> {
        Arc::new(Self { name: name.to_owned(), meter: OnceLock::new() })
    }

    /// The component.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where its requests are counted.
    pub(super) fn meter(&self, metrics: &Metrics) -> &RouteMeter {
        self.meter.get_or_init(|| RouteMeter::new(metrics, &self.name))
    }
}

/// By name: what was counted makes no difference.
impl PartialEq for Owner {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Owner {}
