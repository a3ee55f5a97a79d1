//! A request that another host answers: one forward, never a second.

use std::sync::Arc;

use bytes::Bytes;
use dunlin_lattice::{CallError, Ending, Executed, Request as Call, Safety, Unanswered};
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::Instant;

use super::body::{ResponseBody, answer_from_lattice, to_lattice};
use super::owner::Owner;
use super::patience::Patience;
use super::{respond, trace};
use crate::directory::Replica;
use crate::host::Shared;
use crate::wire::http::{HANDLE, decode_response, encode_request};

/// The body of a request that goes on.
pub(super) type RequestBody = UnsyncBoxBody<Bytes, hyper::Error>;

/// Hosts that may answer for this one: any if the route allows it, else those of this site.
pub(super) fn candidates(shared: &Shared, component: &str, remote: bool) -> Vec<Replica> {
    let directory = shared.directory.load();
    let replicas = directory.component(component).iter();
    replicas.filter(|replica| remote || replica.host.site == shared.id.site).cloned().collect()
}

/// Sends the request to one of the candidates, to others as far as the routing table allows, and its answer back. Where
/// none of them took it, whoever is there by the next picture is asked as well, as long as `patience` lasts.
pub(super) async fn forward(
    shared: &Arc<Shared>,
    owner: &Owner,
    (mut candidates, remote): (Vec<Replica>, bool),
    request: Request<RequestBody>,
    deadline: Instant,
    mut patience: Patience,
) -> Response<ResponseBody> {
    let component = owner.name();
    let meter = owner.meter(&shared.metrics);
    if candidates.is_empty() {
        super::note(shared, owner, Some(&meter.calls), &request).ends(Ending::NotExecuted);
        return respond::unavailable(format!(
            "no host that may answer has component {component:?} ready; try again soon"
        ));
    }
    let (head, body) = request.into_parts();
    let values = encode_request(&head);
    let body = match tokio::time::timeout_at(deadline, to_lattice(body)).await {
        Ok(Ok(body)) => body,
        Ok(Err(reason)) => return respond::bad_request(format!("the request broke off: {reason}")),
        Err(_) => return respond::too_late("the request did not arrive in time; nothing was executed"),
    };
    let mut call = Call {
        target: component.to_string(),
        function: HANDLE.to_owned(),
        from_component: String::new(),
        link: String::new(),
        values,
        body,
        deadline,
        safety: safety(&head.method),
        traceparent: head.headers.get(trace::PARENT).and_then(|value| value.to_str().ok()).map(str::to_owned),
    };
    let reply = loop {
        match shared.calls.call_or_return(&meter.calls, &candidates, call).await {
            Ok(reply) => break reply,
            Err(Unanswered { error: error @ CallError::Unavailable { .. }, again: Some(again) }) => {
                match others(shared, component, remote, &candidates, &mut patience).await {
                    Some(others) => (candidates, call) = (others, *again),
                    None => return explain(error, deadline),
                }
            }
            Err(Unanswered { error, .. }) => return explain(error, deadline),
        }
    };
    meter.forwarded_to(&reply.served_by.site);
    match decode_response(reply.values) {
        Ok(head) => {
            let stalled = shared.request_timeout(component);
            Response::from_parts(head, answer_from_lattice(reply.body, stalled))
        }
        Err(error) => {
            respond::bad_gateway(format!("{} answered what cannot be sent on: {error}", reply.served_by))
        }
    }
}

/// Ready hosts that were not known when `tried` were asked, as soon as there are any.
async fn others(
    shared: &Shared,
    component: &str,
    remote: bool,
    tried: &[Replica],
    patience: &mut Patience,
) -> Option<Vec<Replica>> {
    while patience.news().await {
        let mut others = candidates(shared, component, remote);
        others.retain(|other| other.ready && !tried.iter().any(|tried| tried.host == other.host));
        if !others.is_empty() {
            return Some(others);
        }
    }
    None
}

/// Which methods do no harm when they are executed twice.
fn safety(method: &Method) -> Safety {
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => Safety::Read,
        _ => Safety::Write,
    }
}

fn explain(error: CallError, deadline: Instant) -> Response<ResponseBody> {
    let text = error.to_string();
    match (&error, error.executed()) {
        (CallError::DeadlinePassed, _) => respond::too_late(text),
        (CallError::Refused { .. } | CallError::NotLinked { .. }, _) | (_, Executed::Yes) => {
            respond::bad_gateway(text)
        }
        (_, Executed::No) => respond::unavailable(text),
        (_, Executed::Unknown) => respond::unknown(text, Instant::now() >= deadline),
    }
}
