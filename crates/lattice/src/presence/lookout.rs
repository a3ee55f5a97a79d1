//! Says which hosts come and go, for whoever reads along; decides nothing.

use std::collections::BTreeMap;

use dunlin_manifest::HostId;
use tokio::time::Instant;

use super::table::{SILENCE, Table};

/// Whom this host heard lately.
#[derive(Debug, Default)]
pub(super) struct Lookout {
    /// With the incarnation.
    heard: BTreeMap<HostId, u64>,
}

impl Lookout {
    /// Compares with the last look. Costs nothing but a walk through the table.
    pub(super) fn look(&mut self, table: &Table, now: Instant) {
        for (host, seen) in table.iter() {
            let before = self.heard.get(host).copied();
            let here = !seen.goodbye && seen.age(now) < SILENCE;
            match (before, here) {
                (Some(incarnation), true) if incarnation == seen.incarnation => {}
                (_, true) => {
                    tracing::info!(%host, incarnation = seen.incarnation, "host seen");
                    self.heard.insert(host.clone(), seen.incarnation);
                }
                (Some(_), false) => {
                    tracing::info!(%host, goodbye = seen.goodbye, "host lost: nothing is heard of it");
                    self.heard.remove(host);
                }
                (None, false) => {}
            }
        }
        // Whoever left the table without a word was not heard for minutes; those are not in `heard` either.
        self.heard.retain(|host, _| table.get(host).is_some());
    }
}
