//! The spans of calls, at both ends. Fields are put into words only where somebody listens.
//!
//! `trace`, `span` and `parent` are those of W3C Trace Context, so that spans of several hosts fit together. A trace
//! that its caller does not sample leaves none.

use dunlin_manifest::HostId;
use tracing::Span;
use tracing::field::Empty;

use super::Incoming;
use super::attempt::Prepared;
use crate::trace_context::TraceContext;

/// What a call is made in: the context of whoever asks, and the call's own.
pub(super) type Contexts = (Option<TraceContext>, Option<TraceContext>);

/// Of a call that this host makes, all attempts together.
pub(super) fn made(me: &HostId, request: &Prepared, (parent, own): Contexts) -> Span {
    if own.is_some_and(|own| !own.sampled()) {
        return Span::none();
    }
    tracing::debug_span!(
        "call",
        host = me.host,
        site = me.site,
        component = request.from_component,
        link = request.link,
        target = request.target,
        function = request.function,
        to = Empty,
        attempts = Empty,
        outcome = Empty,
        trace = own.map(|own| tracing::field::display(own.trace_id())),
        span = own.map(|own| tracing::field::display(own.span_id())),
        parent = parent.map(|parent| tracing::field::display(parent.span_id())),
    )
}

/// Of a call that this host executes, until its answer's body is out.
pub(super) fn served(me: &HostId, call: &Incoming, (parent, own): Contexts) -> Span {
    if own.is_some_and(|own| !own.sampled()) {
        return Span::none();
    }
    tracing::debug_span!(
        "served",
        host = me.host,
        site = me.site,
        from = %call.from,
        component = call.from_component,
        link = call.link,
        target = call.target,
        function = call.function,
        outcome = Empty,
        trace = own.map(|own| tracing::field::display(own.trace_id())),
        span = own.map(|own| tracing::field::display(own.span_id())),
        parent = parent.map(|parent| tracing::field::display(parent.span_id())),
    )
}
