//! The identity of what runs in a slot.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::types::{Limits, Link, Readiness, WasmComponent, short_hash};
use crate::units;

/// What is hashed. The names and their order are frozen by a golden test: a change would replace every
/// running component at once. A field that comes later is skipped while it is absent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Content<'a> {
    image: &'a str,
    links: &'a BTreeMap<String, Link>,
    config: &'a BTreeMap<String, String>,
    readiness: &'a Option<Readiness>,
    memory: u64,
    request: String,
    max_concurrency: u32,
    #[serde(skip_serializing_if = "Limits::is_usual_request_body")]
    request_body: u64,
}

/// The identity of a component: 32 hexadecimal digits that differ when what runs in a slot differs.
///
/// In it are the image's digest, the links with their egress hosts, buckets and timeouts, `config` as it was
/// resolved (so that a changed secret is a new identity), readiness and resources. `timeouts.request` and
/// `maxConcurrency` count as resources: a slot is built with them. Not in it are sites, failover, HTTP
/// routes, update, suspend and metadata, which change where a slot runs or what reaches it, not what it is.
#[must_use]
pub fn identity(spec: &WasmComponent, image_digest: &str, config: &BTreeMap<String, String>) -> String {
    let content = Content {
        image: image_digest,
        links: &spec.links,
        config,
        readiness: &spec.readiness,
        memory: spec.resources.limits.memory,
        request: units::format_duration(spec.timeouts.request),
        max_concurrency: spec.max_concurrency,
        request_body: spec.resources.limits.request_body,
    };
    // Maps with text keys and plain values always serialize.
    let text = serde_json::to_string(&content).unwrap_or_default();
    short_hash("dunlin identity 1", &text)
}

impl WasmComponent {
    /// This component with what runs in a slot taken from `other`: all that [`identity`] is made of. Where it runs and
    /// what reaches it stays as it is.
    #[must_use]
    pub fn with_identity_of(&self, other: &Self) -> Self {
        Self {
            image: other.image.clone(),
            links: other.links.clone(),
            config: other.config.clone(),
            readiness: other.readiness.clone(),
            resources: other.resources.clone(),
            timeouts: other.timeouts.clone(),
            max_concurrency: other.max_concurrency,
            sites: self.sites.clone(),
            failover: self.failover.clone(),
            http: self.http.clone(),
            update: self.update.clone(),
            suspend: self.suspend,
        }
    }
}
