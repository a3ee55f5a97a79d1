//! A call while it is under way: counted and told of when it ends, whatever becomes of it.

use std::time::{Duration, SystemTime};

use dunlin_lattice::witness::Record;
use dunlin_lattice::{Body, CallError, Ending, Place, Reply, Report, TraceContext};
use tokio::time::Instant;

use super::Calls;
use crate::metrics::CallMeter;

/// Who calls what; only looked at while somebody watches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    /// The component that calls; empty for a request from outside.
    pub(crate) component: &'a str,
    /// By which of its links; empty for a request from outside.
    pub(crate) link: &'a str,
    /// What is called.
    pub(crate) target: &'a str,
    /// What of it.
    pub(crate) function: &'a str,
    /// The trace that the call belongs to.
    pub(crate) traceparent: Option<&'a str>,
}

/// Ends when it is dropped: as "given up", unless it was said how.
pub(crate) struct Underway<'a> {
    calls: &'a Calls,
    /// None for requests, which have metrics of their own.
    meter: Option<&'a CallMeter>,
    begun: Instant,
    ending: Ending,
    /// How it goes; the lattice fills it.
    pub(crate) report: Report,
    /// While somebody watches.
    record: Option<Box<Record>>,
}

impl<'a> Underway<'a> {
    pub(super) fn new(calls: &'a Calls, meter: Option<&'a CallMeter>, names: Names<'_>) -> Self {
        let record = calls.witness.watched().then(|| Box::new(fresh(calls, names)));
        let (begun, report) = (Instant::now(), Report::default());
        Self { calls, meter, begun, ending: Ending::GivenUp, report, record }
    }

    /// It stays in this process.
    pub(crate) fn stays_here(mut self) -> Self {
        self.report.attempts = 1;
        self.report.to = Some((std::sync::Arc::clone(&self.calls.id), Place::SameProcess));
        self
    }

    /// What goes out, in bytes.
    pub(super) fn asks(&mut self, values: usize, body: &Body) {
        if let Some(record) = &mut self.record {
            record.asked = size(values, body);
        }
    }

    /// It ended so.
    pub(crate) fn ends(&mut self, ending: Ending) {
        self.ending = ending;
    }

    /// It ended with this.
    pub(super) fn results(&mut self, result: Result<&Reply, &CallError>) {
        self.ending = Ending::of(result);
        if let (Some(record), Ok(reply)) = (&mut self.record, result) {
            record.answered = size(reply.values.len(), &reply.body);
        }
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        let took = self.begun.elapsed();
        let place = self.report.to.as_ref().map(|(_, place)| *place);
        if let Some(meter) = self.meter {
            meter.ended(self.ending, place, took);
            self.report.retried.iter().for_each(|reason| meter.retried(*reason));
        }
        if let Some(mut record) = self.record.take() {
            record.at = SystemTime::now();
            record.to = self.report.to.as_ref().map(|(host, _)| host.as_ref().clone());
            record.place = place;
            record.attempts = self.report.attempts;
            record.took = took;
            record.ending = self.ending;
            self.calls.witness.tell(*record);
        }
    }
}

fn fresh(calls: &Calls, names: Names<'_>) -> Record {
    let trace = names.traceparent.and_then(TraceContext::parse).map(|context| context.trace_id().to_string());
    // A request from outside is told of under the component that it is for.
    let component = if names.component.is_empty() { names.target } else { names.component };
    Record {
        at: SystemTime::UNIX_EPOCH,
        trace,
        from: calls.id.as_ref().clone(),
        component: component.to_owned(),
        link: names.link.to_owned(),
        target: names.target.to_owned(),
        function: names.function.to_owned(),
        to: None,
        place: None,
        attempts: 0,
        took: Duration::ZERO,
        ending: Ending::GivenUp,
        asked: 0,
        answered: 0,
    }
}

/// What is known of the size; a stream's is not.
fn size(values: usize, body: &Body) -> u64 {
    let body = if let Body::Whole(bytes) = body { bytes.len() } else { 0 };
    (values + body) as u64
}
