//! What is counted of the requests for one component, looked up once for each route.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::StatusCode;
use prometheus::{Histogram, IntCounter, IntCounterVec};

use super::{CallMeter, Metrics};

/// The statuses that nearly all answers have; others are looked up each time.
const USUAL: [StatusCode; 8] = [
    StatusCode::OK,
    StatusCode::CREATED,
    StatusCode::NO_CONTENT,
    StatusCode::NOT_MODIFIED,
    StatusCode::BAD_REQUEST,
    StatusCode::NOT_FOUND,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// Counts requests for one component.
#[derive(Debug)]
pub(crate) struct RouteMeter {
    component: String,
    seconds: Histogram,
    requests: IntCounterVec,
    usual: [OnceLock<IntCounter>; USUAL.len()],
    forwarded: IntCounterVec,
    /// By site; there are few, and a new one is rare.
    sites: ArcSwap<BTreeMap<String, IntCounter>>,
    /// Of the requests that are forwarded.
    pub(crate) calls: CallMeter,
}

impl RouteMeter {
    pub(crate) fn new(metrics: &Metrics, component: &str) -> Self {
        Self {
            component: component.to_owned(),
            seconds: metrics.request_seconds.with_label_values(&[component]),
            requests: metrics.requests.clone(),
            usual: Default::default(),
            forwarded: metrics.forwarded.clone(),
            sites: ArcSwap::default(),
            calls: CallMeter::new(metrics, component),
        }
    }

    /// Counts a request that a host of `site` answered.
    pub(crate) fn forwarded_to(&self, site: &str) {
        if let Some(counter) = self.sites.load().get(site) {
            return counter.inc();
        }
        let counter = self.forwarded.with_label_values(&[self.component.as_str(), site]);
        counter.inc();
        self.sites.rcu(|known| {
            let mut more = BTreeMap::clone(known);
            more.insert(site.to_owned(), counter.clone());
            more
        });
    }

    /// Counts a request that was answered.
    pub(crate) fn answered(&self, status: StatusCode, took: Duration) {
        let look_up = || self.requests.with_label_values(&[self.component.as_str(), status.as_str()]);
        let usual = USUAL.iter().zip(&self.usual).find(|(known, _)| **known == status);
        match usual {
            // Made when it is needed first, so that statuses that never were do not show.
            Some((_, counter)) => counter.get_or_init(look_up).inc(),
            None => look_up().inc(),
        }
        self.seconds.observe(took.as_secs_f64());
    }
}
