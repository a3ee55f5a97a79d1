//! What the host counts, for Prometheus and for `dunlin dev`'s live line.
//!
//! What happens on every request or call is counted through handles that were looked up once ([`RouteMeter`],
//! [`CallMeter`]); what others count already is read when somebody asks ([`scrape`]).

mod call;
mod register;
mod route;
mod scrape;

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{
    Encoder, Gauge, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder,
};

pub(crate) use self::call::{CallMeter, place_in_words};
use self::register::Register;
pub(crate) use self::route::RouteMeter;

/// The host's metrics. Names follow Prometheus' conventions: a unit at the end, `_total` for counters.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    /// Held while they are read: two readers at once would count twice what is read from elsewhere.
    scraping: Arc<Mutex<()>>,
    /// Requests at this host's ingress, by component and status.
    pub requests: IntCounterVec,
    /// Seconds from the request's head to the response's head, by component.
    pub request_seconds: HistogramVec,
    /// Requests that Dunlin itself had to fail (no replica, deadline, unknown outcome, trap), by reason.
    pub failures: IntCounterVec,
    /// Requests that went on to another host, by component and site.
    pub forwarded: IntCounterVec,
    /// Every request at this host, for the live line.
    pub all_requests: IntCounter,
    /// Open connections at the ingress.
    pub connections: IntGauge,
    /// Calls that came from other hosts, by function.
    pub calls_served: IntCounterVec,
    /// Calls to other hosts, by target and outcome; see [`dunlin_lattice::Ending::word`].
    pub calls_made: IntCounterVec,
    /// Seconds until a call was answered, by target and place.
    pub(crate) call_seconds: HistogramVec,
    pub(crate) call_retries: IntCounterVec,
    pub(crate) calls_in_flight: IntGaugeVec,
    calls_refused: IntCounter,
    records_dropped: IntCounter,
    ejections: IntCounterVec,
    ejected: IntGaugeVec,
    streams: IntGauge,
    stream_bytes: IntCounterVec,
    streams_broken: IntCounterVec,
    beats_heard: IntCounter,
    presence_refused: IntCounter,
    own_lag: Gauge,
    deaf: IntGauge,
    bus_connected: IntGaugeVec,
    bus_reconnects: IntCounterVec,
    bus_dropped: IntCounterVec,
    /// Calls to new identities on trial, by component and outcome.
    pub(crate) canary_calls: IntCounterVec,
    /// Slots by state.
    pub slots: IntGaugeVec,
    /// Hosts that are seen, by site.
    pub hosts_seen: IntGaugeVec,
}

impl Metrics {
    /// Makes and registers all of them.
    ///
    /// # Errors
    /// A name that Prometheus refuses or that is there twice: a mistake in this file.
    pub fn new() -> Result<Self, prometheus::Error> {
        Self::register().map(|(metrics, _)| metrics)
    }

    /// All metrics with their meanings, in Markdown: the page `docs/reference/metrics.md`.
    ///
    /// # Errors
    /// As [`Metrics::new`].
    pub fn reference() -> Result<String, prometheus::Error> {
        Self::register().map(|(_, register)| register.page())
    }

    #[rustfmt::skip] // One line a metric.
    fn register() -> Result<(Self, Register), prometheus::Error> {
        let mut make = Register::new()?;
        let metrics = Self {
            registry: make.registry.clone(),
            scraping: Arc::default(),
            requests: make.counters("http_requests_total", &["component", "status"], "Requests at the ingress.")?,
            request_seconds: make.histograms("http_request_seconds", &["component"], "From the request's head to the response's head.")?,
            failures: make.counters("http_failures_total", &["reason"], "Requests that could not be answered by the component.")?,
            forwarded: make.counters("http_forwarded_total", &["component", "site"], "Requests that went to another host.")?,
            all_requests: make.counter("http_requests_all_total", "Every request at the ingress.")?,
            connections: make.gauge("http_connections", "Open connections at the ingress.")?,
            calls_served: make.counters("calls_served_total", &["function"], "Calls from other hosts: `http`, `keyvalue`, or `component`.")?,
            calls_made: make.counters("calls_made_total", &["target", "outcome"], "Calls to other hosts; the outcome is `answered`, `not-executed`, `unknown`, `failed`, or `given-up` (the caller went away first).")?,
            call_seconds: make.histograms("call_seconds", &["target", "place"], "From a call to its answer, retries included; the place is `here` (no call over the lattice), `own-site` or `other-site`.")?,
            call_retries: make.counters("call_retries_total", &["target", "reason"], "Further hosts that were asked, by what the one before answered.")?,
            calls_in_flight: make.gauges("calls_in_flight", &["side"], "Calls under way: `made` by this host, or `served` by it.")?,
            calls_refused: make.counter("calls_refused_total", "Messages for this host that broke the rules of the wire.")?,
            records_dropped: make.counter("call_records_dropped_total", "Calls that `dunlin calls` should have shown, had there not been too many.")?,
            ejections: make.counters("ejections_total", &["site"], "Times that a host of the site was put last because it did not answer.")?,
            ejected: make.gauges("ejected_hosts", &["site"], "Hosts that this host tries last now.")?,
            streams: make.gauge("streams_open", "Bodies that are on their way as streams, either direction.")?,
            stream_bytes: make.counters("stream_bytes_total", &["direction"], "Bytes of streams, `sent` or `received`.")?,
            streams_broken: make.counters("streams_broken_total", &["reason"], "Streams that ended before their end; each end counts for itself.")?,
            beats_heard: make.counter("presence_beats_heard_total", "Beats of other hosts.")?,
            presence_refused: make.counter("presence_refused_total", "Announcements that were malformed, or not of the host that their subject names.")?,
            own_lag: make.seconds("presence_own_lag_seconds", "How long this host's newest beat took to come back to it.")?,
            deaf: make.gauge("presence_deaf", "1 while this host hears too badly to judge others.")?,
            bus_connected: make.gauges("bus_connected", &["purpose"], "1 while the connection stands.")?,
            bus_reconnects: make.counters("bus_reconnects_total", &["purpose"], "Times that the connection was made anew.")?,
            bus_dropped: make.counters("bus_dropped_total", &["purpose"], "Messages that were dropped because too many waited to be read.")?,
            canary_calls: make.counters("canary_calls_total", &["component", "outcome"], "Calls to new identities on trial; the outcome is `answered` or `failed` (5xx, a trap, too late).")?,
            slots: make.gauges("slots", &["state"], "Components on this host, by state.")?,
            hosts_seen: make.gauges("hosts_seen", &["site"], "Hosts heard from within ten seconds.")?,
        };
        Ok((metrics, make))
    }

    /// All metrics in Prometheus' text format, after `read` has set what is read from elsewhere.
    ///
    /// # Errors
    /// A metric that cannot be written down.
    pub(crate) fn text(&self, read: impl FnOnce()) -> Result<String, prometheus::Error> {
        let _alone = self.scraping.lock().unwrap_or_else(PoisonError::into_inner);
        read();
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Requests so far, and those among them that Dunlin had to fail.
    #[must_use]
    pub fn requests_and_failures(&self) -> (u64, u64) {
        let families = self.registry.gather();
        let failed = families
            .iter()
            .filter(|family| family.name() == "dunlin_http_failures_total")
            .flat_map(|family| family.get_metric())
            .map(|metric| metric.get_counter().get_value() as u64)
            .sum();
        (self.all_requests.get(), failed)
    }
}
