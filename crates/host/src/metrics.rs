//! What the host counts, for Prometheus and for `dunlin dev`'s live line.

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

/// The host's metrics. Names follow Prometheus' conventions: a unit at the end, `_total` for counters.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    /// Requests at this host's ingress, by component and status class.
    pub requests: IntCounterVec,
    /// Seconds from the request's head to the response's head, by component.
    pub request_seconds: HistogramVec,
    /// Requests that Dunlin itself had to fail (no replica, deadline, unknown outcome, trap), by reason.
    pub failures: IntCounterVec,
    /// Requests that went on to another host, by component and site.
    pub forwarded: IntCounterVec,
    /// Calls that came from other hosts, by function.
    pub calls_served: IntCounterVec,
    /// Open connections at the ingress.
    pub connections: IntGauge,
    /// Slots by state.
    pub slots: IntGaugeVec,
    /// Hosts that are seen, by site.
    pub hosts_seen: IntGaugeVec,
    /// Calls to other hosts, by target and outcome: `answered`, `not-executed`, `unknown` or `failed`.
    pub calls_made: IntCounterVec,
    /// Every request at this host, for the live line.
    pub all_requests: IntCounter,
}

impl Metrics {
    /// Makes and registers all of them.
    ///
    /// # Errors
    /// A name that Prometheus refuses or that is there twice: a mistake in this file.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some("dunlin".into()), None)?;
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            Ok::<_, prometheus::Error>(gauges)
        };
        let buckets =
            vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        let request_seconds = HistogramVec::new(
            HistogramOpts::new("http_request_seconds", "From the request's head to the response's head.")
                .buckets(buckets),
            &["component"],
        )?;
        registry.register(Box::new(request_seconds.clone()))?;
        let connections = IntGauge::new("http_connections", "Open connections at the ingress.")?;
        registry.register(Box::new(connections.clone()))?;
        let all_requests = IntCounter::new("http_requests_all_total", "Every request at the ingress.")?;
        registry.register(Box::new(all_requests.clone()))?;
        Ok(Self {
            requests: counters("http_requests_total", "Requests at the ingress.", &["component", "status"])?,
            request_seconds,
            failures: counters(
                "http_failures_total",
                "Requests that could not be answered by the component.",
                &["reason"],
            )?,
            forwarded: counters(
                "http_forwarded_total",
                "Requests that went to another host.",
                &["component", "site"],
            )?,
            calls_served: counters("calls_served_total", "Calls from other hosts.", &["function"])?,
            connections,
            slots: gauges("slots", "Components on this host, by state.", &["state"])?,
            hosts_seen: gauges("hosts_seen", "Hosts heard from within ten seconds.", &["site"])?,
            calls_made: counters("calls_made_total", "Calls to other hosts.", &["target", "outcome"])?,
            all_requests,
            registry,
        })
    }

    /// All metrics in Prometheus' text format.
    ///
    /// # Errors
    /// A metric that cannot be written down.
    pub fn text(&self) -> Result<String, prometheus::Error> {
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
