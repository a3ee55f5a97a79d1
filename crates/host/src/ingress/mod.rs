//! Where requests come in: finds the component, runs it here or forwards the request, and tells clients plainly when
//! neither can be done.

mod body;
mod forward;
mod owner;
mod patience;
mod respond;
mod routes;
pub(crate) mod trace;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use dunlin_lattice::Ending;
use dunlin_manifest::Replicas;
use dunlin_runtime::{HandleError, RequestContext, Workload};
use http::{HeaderValue, Request, Response};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use tokio::time::Instant;
use tracing::Instrument as _;

pub(crate) use self::body::{ResponseBody, answer_to_lattice, from_lattice};
use self::owner::Owner;
use self::patience::Patience;
pub(crate) use self::respond::failure;
use self::routes::Route;
pub(crate) use self::routes::Routes;
use crate::calls::{Names, Underway};
use crate::host::Shared;
use crate::metrics::CallMeter;
use crate::slots::Way;
use crate::spans;
use crate::wire::http::HANDLE;

/// The header that tells which host ran the component.
pub(crate) const SERVED_BY: &str = "dunlin-served-by";

/// Answers one request.
pub(crate) async fn serve(shared: Arc<Shared>, mut request: Request<Incoming>) -> Response<ResponseBody> {
    let begun = Instant::now();
    shared.metrics.all_requests.inc();
    if let Err(reason) = check_host(&request) {
        return respond::bad_request(reason);
    }
    if !request.method().is_safe() && shared.wake.in_doubt() {
        return refuse_as_old(&shared);
    }
    let Some((owner, remote)) = find(&shared, &request) else {
        return respond::no_route(hostname(&request), request.uri().path());
    };
    let (parent, own) = trace::begin(request.headers_mut());
    let span = spans::request(&shared, owner.name(), &request, parent, own);
    let response = answer(&shared, &owner, remote, request, begun).instrument(span.clone()).await;
    let (status, took) = (response.status(), begun.elapsed());
    if let Some(reason) = response.extensions().get::<respond::Reason>() {
        shared.metrics.failures.with_label_values(&[reason.0]).inc();
    }
    owner.meter(&shared.metrics).answered(status, took);
    if !span.is_disabled() {
        span.record("status", status.as_u16()).record("milliseconds", took.as_secs_f64() * 1e3);
    }
    response
}

/// Nobody knows how long the request lay in a socket; whoever sent it may have done without since.
fn refuse_as_old(shared: &Shared) -> Response<ResponseBody> {
    let text = "this host stood still until just now, and the request may be old: nothing was executed";
    let response = respond::unavailable(text);
    shared.metrics.failures.with_label_values(&["stood-still"]).inc();
    response
}

/// One host and a valid one (RFC 9112, section 3.2): what is routed on must mean the same to everybody on the way.
fn check_host(request: &Request<Incoming>) -> Result<(), &'static str> {
    let mut hosts = request.headers().get_all(http::header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => Err("the request names more than one host"),
        (Some(host), None) if http::uri::Authority::try_from(host.as_bytes()).is_err() => {
            Err("the request's host header is no host")
        }
        (None, None) if request.uri().authority().is_none() => Err("the request names no host"),
        _ => Ok(()),
    }
}

/// The component that answers a request, and whether another site may.
fn find(shared: &Shared, request: &Request<Incoming>) -> Option<(Arc<Owner>, bool)> {
    let routes = shared.routes.load();
    let route = routes.find(hostname(request), request.uri().path())?;
    Some((owner(shared, route), route.remote))
}

/// The name that the client asked for: of HTTP/2's `:authority`, else of the `host` header.
fn hostname(request: &Request<Incoming>) -> Option<&str> {
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    authority.or_else(|| request.headers().get(http::header::HOST)?.to_str().ok())
}

/// The component that has the route now: the one that Git names, or, until that has a ready slot, one that had it before.
fn owner(shared: &Shared, route: &Route) -> Arc<Owner> {
    if route.before.is_empty() || is_ready(shared, route.component.name()) {
        return Arc::clone(&route.component);
    }
    let before = route.before.iter().find(|owner| is_ready(shared, owner.name()));
    Arc::clone(before.unwrap_or(&route.component))
}

/// Components that answer for a route only until its owner is ready, which has still to become so: Git asks for it somewhere.
pub(crate) fn holds(shared: &Shared) -> BTreeSet<String> {
    let snapshot = shared.snapshot.borrow();
    let is_asked_for = |component: &str| {
        let object = snapshot.components.get(component);
        object
            .is_some_and(|object| object.spec.sites.values().any(|site| site.replicas != Replicas::Count(0)))
    };
    let routes = shared.routes.load();
    let handed_over = routes.all().map(|(_, route)| route).filter(|route| !route.before.is_empty());
    let waited_for = handed_over.filter(|route| is_asked_for(route.component.name()));
    let holders = waited_for.map(|route| (owner(shared, route), &route.component));
    holders.filter(|(owner, next)| owner != *next).map(|(owner, _)| owner.name().to_owned()).collect()
}

fn is_ready(shared: &Shared, component: &str) -> bool {
    shared.slots.load().get(component).is_some_and(|slot| slot.ready)
        || shared.directory.load().component(component).iter().any(|replica| replica.ready)
}

/// Here, if there is a ready slot; else at another host; else here after all, ready or not.
async fn answer(
    shared: &Arc<Shared>,
    owner: &Owner,
    remote: bool,
    request: Request<Incoming>,
    begun: Instant,
) -> Response<ResponseBody> {
    let component = owner.name();
    let mut patience = None;
    loop {
        let slots = shared.slots.load();
        let here = slots.get(component);
        let timeout =
            here.map_or_else(|| shared.request_timeout(component), |slot| slot.slot.request_timeout());
        let ready = here.is_some_and(|slot| slot.ready);
        let way = here.and_then(Way::into_slot);
        drop(slots);
        let deadline = begun + way.as_ref().map_or(timeout, Way::request_timeout);
        let (ready, doubtful) = if ready { (way, None) } else { (None, way) };
        if let Some(way) = ready {
            return local(shared, &way, owner, remote, request, deadline).await;
        }
        let Some(mut waits) = patience.take() else {
            patience = Some(Patience::begin(shared, deadline));
            continue;
        };
        let candidates = forward::candidates(shared, component, remote);
        match doubtful {
            Some(way) if !candidates.iter().any(|candidate| candidate.ready) => {
                return local(shared, &way, owner, remote, request, deadline).await;
            }
            None if candidates.is_empty() && waits.news().await => patience = Some(waits),
            _ => {
                let request = request.map(BodyExt::boxed_unsync);
                return forward::forward(shared, owner, (candidates, remote), request, deadline, waits).await;
            }
        }
    }
}

/// Runs the component here. What is on trial and busy gives way to what serves, and what is busy here may have room
/// elsewhere: a request without a body goes on there.
async fn local(
    shared: &Arc<Shared>,
    way: &Way,
    owner: &Owner,
    remote: bool,
    request: Request<Incoming>,
    deadline: Instant,
) -> Response<ResponseBody> {
    let mut again = request.body().is_end_stream().then(|| repeat(&request));
    let mut result = attempt(shared, way, owner, request, deadline).await;
    if matches!(result, Err(HandleError::Busy(_)))
        && let (Some(old), Some(request)) = (way.instead(), again.take())
    {
        again = Some(repeat(&request));
        result = attempt(shared, &old, owner, request, deadline).await;
    }
    match result {
        Err(HandleError::Busy(reason)) => {
            let candidates = forward::candidates(shared, owner.name(), remote);
            match again {
                Some(request) if candidates.iter().any(|candidate| candidate.ready) => {
                    let waits = Patience::begin(shared, deadline);
                    forward::forward(shared, owner, (candidates, remote), request, deadline, waits).await
                }
                _ => failure(&HandleError::Busy(reason)),
            }
        }
        Ok(response) => response,
        Err(error) => failure(&error),
    }
}

/// Runs a request in one instance of this host.
async fn attempt<B>(
    shared: &Arc<Shared>,
    way: &Way,
    owner: &Owner,
    request: Request<B>,
    deadline: Instant,
) -> Result<Response<ResponseBody>, HandleError>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut underway = note(shared, owner, None, &request).stays_here();
    let result = run(shared, way.workload(), request, deadline).await;
    way.handled(shared, owner.name(), &result);
    underway.ends(ending(&result));
    result
}

/// Notes what becomes of a request, for whoever watches; one that stays here is counted as a request alone.
fn note<'a, B>(
    shared: &'a Shared,
    owner: &Owner,
    meter: Option<&'a CallMeter>,
    request: &Request<B>,
) -> Underway<'a> {
    let names = Names {
        component: "",
        link: "",
        target: owner.name(),
        function: HANDLE,
        traceparent: traceparent(request),
    };
    shared.calls.begin(meter, names)
}

/// How a request that stayed here ended.
fn ending(result: &Result<Response<ResponseBody>, HandleError>) -> Ending {
    match result {
        Ok(_) => Ending::Answered,
        Err(HandleError::Busy(_) | HandleError::DeadlinePassed) => Ending::NotExecuted,
        Err(_) => Ending::Failed,
    }
}

fn traceparent<B>(request: &Request<B>) -> Option<&str> {
    request.headers().get(trace::PARENT).and_then(|value| value.to_str().ok())
}

/// The same request without its empty body.
fn repeat<B>(request: &Request<B>) -> Request<forward::RequestBody> {
    let mut again = Request::new(Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync());
    (*again.method_mut(), *again.uri_mut()) = (request.method().clone(), request.uri().clone());
    *again.headers_mut() = request.headers().clone();
    again
}

/// Gives a request to a workload of this host and marks the answer with the host's name.
pub(crate) async fn run<B>(
    shared: &Shared,
    workload: &Workload,
    request: Request<B>,
    deadline: Instant,
) -> Result<Response<ResponseBody>, HandleError>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let traceparent = traceparent(&request).map(str::to_owned);
    let context = RequestContext { deadline, traceparent, tracestate: trace::state(request.headers()) };
    let mut response = workload.handle(request, context).await?;
    response.headers_mut().insert(SERVED_BY, shared.served_by.clone());
    Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
}

/// This host's name as a header value.
pub(crate) fn served_by(id: &dunlin_manifest::HostId) -> HeaderValue {
    // Two DNS labels and a slash are a header value.
    HeaderValue::from_str(&id.to_string()).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}
