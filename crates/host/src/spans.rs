//! The host's spans beside those of the lattice: requests, operations of providers, calls that stay in the process.
//!
//! All are at debug level, and what they say is put into words only where somebody listens: a host that logs at info
//! pays for one comparison. A trace that its caller does not sample leaves no spans.

use std::borrow::Cow;

use dunlin_lattice::TraceContext;
use dunlin_lattice::trace_context::continued;
use dunlin_providers::keyvalue::Context;
use dunlin_runtime::InvokeContext;
use http::Request;
use tracing::field::Empty;
use tracing::{Level, Span};

use crate::host::Shared;

/// Whether anybody listens for spans at all.
pub(crate) fn enabled() -> bool {
    tracing::span_enabled!(Level::DEBUG)
}

/// Of a request at the ingress, until its answer's head.
pub(crate) fn request<B>(
    shared: &Shared,
    component: &str,
    request: &Request<B>,
    parent: Option<TraceContext>,
    own: TraceContext,
) -> Span {
    if !own.sampled() {
        return Span::none();
    }
    tracing::debug_span!(
        "request",
        component,
        host = shared.id.host,
        site = shared.id.site,
        revision = shared.revision(),
        method = request.method().as_str(),
        path = request.uri().path(),
        status = Empty,
        milliseconds = Empty,
        trace = %own.trace_id(),
        span = %own.span_id(),
        parent = parent.map(|parent| tracing::field::display(parent.span_id())),
    )
}

/// Of an operation on a store that is open here, and the context that the store is given.
pub(crate) fn provider<'a>(
    provider: &str,
    function: &str,
    bucket: &str,
    context: &'a Context,
) -> (Cow<'a, Context>, Span) {
    let contexts = continued(context.traceparent.as_deref().filter(|_| enabled()));
    let (Some(parent), Some(own)) = contexts else { return (Cow::Borrowed(context), Span::none()) };
    if !own.sampled() {
        return (Cow::Borrowed(context), Span::none());
    }
    let span = tracing::debug_span!(
        "provider",
        provider,
        function,
        bucket,
        outcome = Empty,
        trace = %own.trace_id(),
        span = %own.span_id(),
        parent = %parent.span_id(),
    );
    (Cow::Owned(Context { deadline: context.deadline, traceparent: Some(own.to_string()) }), span)
}

/// Of a function of a component that is called in this process, and the context that it is given.
pub(crate) fn invoked(target: &str, function: &str, context: InvokeContext) -> (InvokeContext, Span) {
    let contexts = continued(context.traceparent.as_deref().filter(|_| enabled()));
    let (Some(parent), Some(own)) = contexts else { return (context, Span::none()) };
    if !own.sampled() {
        return (context, Span::none());
    }
    let span = tracing::debug_span!(
        "call",
        target,
        function,
        to = "here",
        outcome = Empty,
        trace = %own.trace_id(),
        span = %own.span_id(),
        parent = %parent.span_id(),
    );
    (InvokeContext { deadline: context.deadline, traceparent: Some(own.to_string()) }, span)
}
