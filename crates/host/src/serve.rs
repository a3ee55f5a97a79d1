//! Calls from other hosts: requests for a component here, operations on a store here, functions of a component here.

use std::sync::Arc;

use async_trait::async_trait;
use dunlin_lattice::{Answer, Incoming, Refusal, Serve};
use dunlin_manifest::{Link, LinkTarget, Remote};
use dunlin_providers::keyvalue::{Context, Error, KeyValue};
use dunlin_runtime::{HandleError, InvokeContext, InvokeError};
use http::Request;
use prometheus::{IntCounter, IntGauge};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::host::Shared;
use crate::ingress;
use crate::links::bucket;
use crate::slots::Way;
use crate::spans;
use crate::wire::http::{HANDLE, decode_request, encode_response};
use crate::wire::keyvalue::{Operation, encode_outcome, is_keyvalue};
use crate::wire::{pack, unpack};

/// Answers calls with what this host has.
pub(crate) struct Service {
    shared: Arc<Shared>,
    /// Looked up once: requests, operations on stores, functions of components.
    served: [IntCounter; KINDS.len()],
    in_flight: IntGauge,
}

/// What calls are for, as the metric names it.
const KINDS: [&str; 3] = ["http", "keyvalue", "component"];

/// A call that is being executed; dropped with it, whatever becomes of it.
struct Executing<'a>(&'a IntGauge);

impl Drop for Executing<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Service {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let served = KINDS.map(|kind| shared.metrics.calls_served.with_label_values(&[kind]));
        let in_flight = shared.metrics.calls_in_flight.with_label_values(&["served"]);
        Self { shared, served, in_flight }
    }
}

#[async_trait]
impl Serve for Service {
    async fn serve(&self, call: Incoming) -> Result<Answer, Refusal> {
        let [http, keyvalue, component] = &self.served;
        self.in_flight.inc();
        let _executing = Executing(&self.in_flight);
        match call.function.as_str() {
            HANDLE => {
                http.inc();
                self.http(call).await
            }
            function if is_keyvalue(function) => {
                keyvalue.inc();
                self.keyvalue(call).await
            }
            _ => {
                component.inc();
                self.component(call).await
            }
        }
    }
}

impl Service {
    async fn http(&self, call: Incoming) -> Result<Answer, Refusal> {
        let snapshot = Arc::clone(&self.shared.snapshot.borrow());
        let http = snapshot.components.get(&call.target).and_then(|object| object.spec.http.as_ref());
        // A component that was just removed, or lost its route, still serves what is under way.
        if http.is_some_and(|http| http.remote == Remote::Deny) && call.from.site != self.shared.id.site {
            return Err(Refusal::Refused(format!("the route of {} says `remote: Deny`", call.target)));
        }
        let way = self.way(&call.target)?;
        let head = decode_request(call.values).map_err(|error| Refusal::Refused(error.to_string()))?;
        let mut request = Request::from_parts(head, ingress::from_lattice(call.body));
        // What the head says is of the span that asked; the component belongs to this call's.
        if let Some(traceparent) = &call.traceparent {
            ingress::trace::set(request.headers_mut(), traceparent);
        }
        let deadline = call.deadline.min(Instant::now() + way.request_timeout());
        let result = ingress::run(&self.shared, way.workload(), request, deadline).await;
        way.handled(&self.shared, &call.target, &result);
        let response = match result {
            Ok(response) => response,
            Err(HandleError::Busy(_)) => return Err(Refusal::Busy),
            Err(HandleError::DeadlinePassed) => return Err(Refusal::DeadlinePassed),
            // An answer of its own: a trap, a limit. It is what a client of this host would see.
            Err(error) => ingress::failure(&error),
        };
        let (head, body) = response.into_parts();
        let values = encode_response(&head);
        Ok(Answer { values, body: ingress::answer_to_lattice(body).await })
    }

    async fn keyvalue(&self, call: Incoming) -> Result<Answer, Refusal> {
        let (component, name) = (call.from_component.clone(), call.link.clone());
        let target = call.target.clone();
        let linked = |fits: &dyn Fn(&Link) -> bool| self.linked(&component, &name, &target, fits);
        if !linked(&|_| true) {
            return Err(not_linked(&call));
        }
        let store = self.shared.stores.get(&call.target).ok_or(Refusal::NotHere)?;
        perform(store.as_ref(), call, |asked| {
            if linked(&|link| bucket(&component, link) == asked) {
                Ok(())
            } else {
                Err(Refusal::NotLinked(format!(
                    "link {name:?} of {component} does not lead to bucket {asked:?}"
                )))
            }
        })
        .await
    }

    async fn component(&self, call: Incoming) -> Result<Answer, Refusal> {
        let linked =
            |fits: &dyn Fn(&Link) -> bool| self.linked(&call.from_component, &call.link, &call.target, fits);
        if !linked(&|_| true) {
            return Err(not_linked(&call));
        }
        let (interface, function) = call.function.split_once('#').unwrap_or_default();
        if !linked(&|link| dunlin_runtime::names::covers(&link.import, interface)) {
            return Err(Refusal::NotLinked(format!(
                "link {:?} of {} is not for {interface}",
                call.link, call.from_component
            )));
        }
        let way = self.way(&call.target)?;
        let context = InvokeContext { deadline: call.deadline, traceparent: call.traceparent };
        let function = (interface, function);
        let results = way.invoke(&self.shared, &call.target, function, call.values, &context).await;
        results.map(|values| Answer { values, ..Answer::default() }).map_err(|error| match error {
            InvokeError::NotExecuted(reason) => Refusal::Refused(reason),
            InvokeError::Unknown(reason) => Refusal::Unknown(reason),
            InvokeError::Trapped(reason) => Refusal::Failed(reason),
        })
    }

    /// The way to the running component, if it takes calls.
    fn way(&self, component: &str) -> Result<Way, Refusal> {
        let slots = self.shared.slots.load();
        let slot = slots.get(component).ok_or(Refusal::NotHere)?;
        Way::into_slot(slot).ok_or(Refusal::Draining)
    }

    /// Whether `component` has a link of this name to `target` that fits, in this host's own snapshot, in a former one by
    /// which something may still run, or in the form before an update on trial.
    fn linked(&self, component: &str, name: &str, target: &str, fits: &dyn Fn(&Link) -> bool) -> bool {
        let leads_here = |link: &Link| {
            matches!(&link.target, LinkTarget::Provider(name) | LinkTarget::Component(name) if name == target)
                && fits(link)
        };
        let snapshot = self.shared.snapshot.borrow();
        let now = snapshot.components.get(component).and_then(|object| object.spec.links.get(name));
        now.is_some_and(leads_here)
            || self.shared.former.former().links(component, name).any(leads_here)
            || self.shared.trials.link(component, name).as_ref().is_some_and(leads_here)
    }
}

fn not_linked(call: &Incoming) -> Refusal {
    Refusal::NotLinked(format!(
        "component {} has no link {:?} to {}",
        call.from_component, call.link, call.target
    ))
}

/// Does an operation on a store, if `allowed` agrees to its bucket, and answers with the outcome.
pub(crate) async fn perform(
    store: &dyn KeyValue,
    call: Incoming,
    allowed: impl FnOnce(&str) -> Result<(), Refusal>,
) -> Result<Answer, Refusal> {
    let refused = |error: &dyn std::fmt::Display| Refusal::Refused(error.to_string());
    let arguments = unpack(call.values, call.body).await.map_err(|error| refused(&error))?;
    let operation = Operation::decode(&call.function, arguments).map_err(|error| refused(&error))?;
    allowed(operation.bucket())?;
    let context = Context { deadline: call.deadline, traceparent: call.traceparent };
    let (context, span) = spans::provider(&call.target, &call.function, operation.bucket(), &context);
    let outcome = operation.run(store, &context).instrument(span.clone()).await;
    if !span.is_disabled() {
        span.record("outcome", outcome.as_ref().map_or_else(ToString::to_string, |_| "done".to_owned()));
    }
    match outcome {
        // The lattice has a word of its own for what nobody knows.
        Err(Error::Unknown(reason)) => Err(Refusal::Unknown(reason)),
        outcome => {
            let (values, body) = pack(encode_outcome(&outcome));
            Ok(Answer { values, body })
        }
    }
}
