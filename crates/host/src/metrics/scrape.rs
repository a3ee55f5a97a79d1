//! What others count (the lattice, the bus), read when somebody asks for metrics.

use std::collections::BTreeMap;

use dunlin_lattice::presence::Presence;
use prometheus::{IntCounter, IntGaugeVec};
use tokio::time::Instant;

use super::Metrics;
use crate::bus::Connections;
use crate::calls::Calls;

impl Metrics {
    /// Reads what calls and streams count.
    pub(crate) fn read_calls(&self, calls: &Calls) {
        let (client, counters, witness) = calls.counted();
        let made = i64::try_from(client.in_flight()).unwrap_or(i64::MAX);
        self.calls_in_flight.with_label_values(&["made"]).set(made);
        set(&self.calls_refused, counters.refused());
        set(&self.records_dropped, witness.dropped());

        let streams = &counters.streams;
        self.streams.set(i64::try_from(streams.open()).unwrap_or(i64::MAX));
        set(&self.stream_bytes.with_label_values(&["sent"]), streams.sent());
        set(&self.stream_bytes.with_label_values(&["received"]), streams.received());
        for (reason, count) in streams.broken().filter(|(_, count)| *count > 0) {
            set(&self.streams_broken.with_label_values(&[reason]), count);
        }

        let peers = client.peers();
        for (site, count) in peers.ejections() {
            set(&self.ejections.with_label_values(&[site.as_str()]), count);
            // So that a site whose hosts all came back shows 0, and not nothing.
            self.ejected.with_label_values(&[site.as_str()]).set(0);
        }
        let mut now: BTreeMap<String, i64> = BTreeMap::new();
        for host in peers.ejected(Instant::now()) {
            *now.entry(host.site).or_default() += 1;
        }
        for (site, count) in now {
            self.ejected.with_label_values(&[site.as_str()]).set(count);
        }
    }

    /// Reads what presence counts.
    pub(crate) fn read_presence(&self, presence: &Presence) {
        set(&self.beats_heard, presence.beats_heard());
        set(&self.presence_refused, presence.refused());
        self.own_lag.set(presence.own_lag().unwrap_or_default().as_secs_f64());
        self.deaf.set(i64::from(presence.deaf()));
    }

    /// Reads how the connections to the bus are.
    pub(crate) fn read_bus(&self, connections: &Connections) {
        let up: &IntGaugeVec = &self.bus_connected;
        for (purpose, found) in connections.now() {
            up.with_label_values(&[purpose.as_str()]).set(i64::from(found.connected));
            set(&self.bus_reconnects.with_label_values(&[purpose.as_str()]), found.reconnects);
            set(&self.bus_dropped.with_label_values(&[purpose.as_str()]), found.dropped);
        }
    }
}

/// Shows what was counted elsewhere. Only one reader at a time does this.
fn set(counter: &IntCounter, value: u64) {
    counter.reset();
    counter.inc_by(value);
}
