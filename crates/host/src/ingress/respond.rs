//! What clients are told when there is no answer of a component: a status, a reason in words, and when to come back.

use std::borrow::Cow;

use dunlin_runtime::HandleError;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};

use super::ResponseBody;

/// Marks a response that is Dunlin's own and counts as a failure; the label of the metric.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reason(pub(crate) &'static str);

/// The header that says, of a request whose outcome is not known, that it is not.
const OUTCOME: &str = "dunlin-outcome";

/// No component has a route for this.
pub(super) fn no_route(host: Option<&str>, path: &str) -> Response<ResponseBody> {
    // What the client sent is shown back as text, never as HTML.
    plain(StatusCode::NOT_FOUND, format!("no component has a route for {}{path}", host.unwrap_or_default()))
}

/// The component did not answer; what happened, as the runtime tells it.
pub(crate) fn failure(error: &HandleError) -> Response<ResponseBody> {
    let reason = match error {
        HandleError::Busy(_) => "busy",
        HandleError::DeadlinePassed | HandleError::TimedOut => "deadline",
        HandleError::BadRequest(_) | HandleError::BodyTooLarge { .. } => "request",
        HandleError::Memory { .. } => "memory",
        HandleError::Trapped(_) => "trap",
        _ => "component",
    };
    let mut response = plain(error.status(), error.to_string());
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    mark(response, reason)
}

/// Nothing was executed, and nobody could be asked.
pub(super) fn unavailable(text: impl Into<Cow<'static, str>>) -> Response<ResponseBody> {
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, text);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    mark(response, "unavailable")
}

/// The deadline passed; nothing was executed.
pub(super) fn too_late(text: impl Into<Cow<'static, str>>) -> Response<ResponseBody> {
    mark(plain(StatusCode::GATEWAY_TIMEOUT, text), "deadline")
}

/// It may or may not have been executed.
pub(super) fn unknown(text: impl Into<Cow<'static, str>>, late: bool) -> Response<ResponseBody> {
    let status = if late { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY };
    let mut response = plain(status, text);
    response.headers_mut().insert(OUTCOME, HeaderValue::from_static("unknown"));
    mark(response, "unknown")
}

/// The other side refuses, or answers what cannot be sent on.
pub(super) fn bad_gateway(text: impl Into<Cow<'static, str>>) -> Response<ResponseBody> {
    mark(plain(StatusCode::BAD_GATEWAY, text), "refused")
}

/// The client's request cannot be read.
pub(super) fn bad_request(text: impl Into<Cow<'static, str>>) -> Response<ResponseBody> {
    plain(StatusCode::BAD_REQUEST, text)
}

fn mark(mut response: Response<ResponseBody>, reason: &'static str) -> Response<ResponseBody> {
    // What a client got wrong is no failure of ours.
    if reason != "request" {
        response.extensions_mut().insert(Reason(reason));
    }
    response
}

fn plain(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Response<ResponseBody> {
    let text = format!("{}\n", text.into());
    let mut response = Response::new(Full::from(text).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
