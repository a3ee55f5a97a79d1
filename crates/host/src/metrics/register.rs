//! Makes metrics, registers them, and remembers what each means: the reference page is written from that.

use prometheus::core::Collector;
use prometheus::{
    Error, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry,
};

/// What every name begins with.
const PREFIX: &str = "dunlin";

/// From half a millisecond, a call within a site, to ten seconds, the longest patience.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// What the reference page begins with.
const HEAD: &str = "# Metrics\n\n\
    Generated from `crates/host/src/metrics/mod.rs`; a test fails when it is stale.\n\n\
    A host shows these at `/metrics` of its admin port, in Prometheus' text format. A metric with labels is shown once \
    there is something\nto count. Seconds are histograms from half a millisecond to ten seconds.\n\n";

/// What there is to say of one metric.
#[derive(Debug, Clone)]
struct Described {
    name: &'static str,
    kind: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
}

/// Registers one metric after the other.
#[derive(Debug)]
pub(super) struct Register {
    pub(super) registry: Registry,
    described: Vec<Described>,
}

impl Register {
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self { registry: Registry::new_custom(Some(PREFIX.to_owned()), None)?, described: Vec::new() })
    }

    pub(super) fn counter(&mut self, name: &'static str, help: &'static str) -> Result<IntCounter, Error> {
        self.keep(IntCounter::new(name, help)?, Described { name, kind: "counter", labels: &[], help })
    }

    pub(super) fn counters(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Result<IntCounterVec, Error> {
        let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.keep(counters, Described { name, kind: "counter", labels, help })
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str) -> Result<IntGauge, Error> {
        self.keep(IntGauge::new(name, help)?, Described { name, kind: "gauge", labels: &[], help })
    }

    /// A gauge of seconds, which are not whole.
    pub(super) fn seconds(&mut self, name: &'static str, help: &'static str) -> Result<Gauge, Error> {
        self.keep(Gauge::new(name, help)?, Described { name, kind: "gauge", labels: &[], help })
    }

    pub(super) fn gauges(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Result<IntGaugeVec, Error> {
        let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
        self.keep(gauges, Described { name, kind: "gauge", labels, help })
    }

    pub(super) fn histograms(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Result<HistogramVec, Error> {
        let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
        let histograms = HistogramVec::new(options, labels)?;
        self.keep(histograms, Described { name, kind: "histogram", labels, help })
    }

    fn keep<C: Collector + Clone + 'static>(&mut self, metric: C, described: Described) -> Result<C, Error> {
        self.registry.register(Box::new(metric.clone()))?;
        self.described.push(described);
        Ok(metric)
    }

    /// The page that tells what every metric means, sorted by name.
    pub(super) fn page(mut self) -> String {
        self.described.sort_by_key(|described| described.name);
        let row = |described: &Described| {
            let labels: Vec<_> = described.labels.iter().map(|label| format!("`{label}`")).collect();
            let Described { name, kind, help, .. } = described;
            format!("| `{PREFIX}_{name}` | {kind} | {} | {help} |\n", labels.join(", "))
        };
        let rows: String = self.described.iter().map(row).collect();
        format!("{HEAD}| name | type | labels | what |\n| --- | --- | --- | --- |\n{rows}")
    }
}

/// The histogram of one label value after the other, for whoever resolves them once.
pub(super) fn resolve<const N: usize>(
    histograms: &HistogramVec,
    first: &str,
    second: [&str; N],
) -> [Histogram; N] {
    second.map(|second| histograms.with_label_values(&[first, second]))
}
