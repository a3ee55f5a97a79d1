//! The admin port: health, metrics, status, manifests, logs, calls. It only reads; nothing here changes what runs.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use dunlin_providers::logging::{Entry, Followed};
use futures::{Stream, StreamExt};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};

use crate::history::Revisions;
use crate::host::Shared;
use crate::ingress::ResponseBody;
use crate::status;
use crate::watch;

/// Records that `/v1/logs` begins with.
const TAIL: usize = 1000;

/// Answers one request to the admin port.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    _: SocketAddr,
) -> Response<ResponseBody> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "the admin port only reads\n".into());
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/healthz" => text(StatusCode::OK, "ok\n".into()),
        "/readyz" if shared.is_ready() => text(StatusCode::OK, "ready\n".into()),
        "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, "not ready: starting or draining\n".into()),
        "/metrics" => match shared.metrics_text() {
            Ok(metrics) => typed(StatusCode::OK, "text/plain; version=0.0.4", metrics.into()),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        },
        "/v1/status" => json(&shared.status()),
        "/v1/history" => json(&Revisions {
            host: shared.id.to_string(),
            revisions: shared.observed.revisions(),
        }),
        "/v1/events" => events(&shared, &parameters(&request)),
        "/v1/why" => why(&shared, &parameters(&request)),
        "/v1/manifests" => json(&shared.manifests()),
        "/v1/logs" => logs(&shared, &parameters(&request)),
        "/v1/calls" => calls(&shared, &parameters(&request)).await,
        _ => text(
            StatusCode::NOT_FOUND,
            "there is /healthz, /readyz, /metrics, /v1/status, /v1/manifests, /v1/history, /v1/why (?component=NAME), /v1/logs, \
             /v1/calls and /v1/events (?component=NAME, ?follow=true)\n"
                .into(),
        ),
    }
}

type Parameters<'a> = HashMap<&'a str, &'a str>;

fn parameters(request: &Request<Incoming>) -> Parameters<'_> {
    let query = request.uri().query().unwrap_or_default();
    query.split('&').filter_map(|pair| pair.split_once('=')).collect()
}

/// Calls of all hosts as they pass, one JSON object a line.
async fn calls(shared: &Shared, query: &Parameters<'_>) -> Response<ResponseBody> {
    let component = query.get("component").map(|name| (*name).to_owned());
    let lines = watch::lines(shared, query.get("follow") == Some(&"true"), component).await;
    match lines {
        Ok(lines) => stream(lines),
        Err(reason) => text(StatusCode::SERVICE_UNAVAILABLE, format!("calls cannot be watched: {reason}\n")),
    }
}

/// What components logged, one JSON object a line.
fn logs(shared: &Shared, query: &Parameters<'_>) -> Response<ResponseBody> {
    let component = query.get("component").map(|name| (*name).to_owned());
    let wanted = move |origin: &dunlin_providers::logging::Origin| {
        component.as_deref().is_none_or(|component| component == &*origin.component)
    };
    let log = shared.log();
    if query.get("follow") != Some(&"true") {
        let lines: Vec<u8> = log.tail(TAIL, wanted).iter().flat_map(|entry| line(entry)).collect();
        return typed(StatusCode::OK, "application/x-ndjson", lines.into());
    }
    let (tail, coming) = log.follow(TAIL, wanted);
    let tail = futures::stream::iter(tail.into_iter().map(|entry| Bytes::from(line(&entry))));
    let coming = futures::stream::unfold(coming, |mut coming| async move {
        loop {
            match coming.next().await? {
                Followed::Entry(entry) => return Some((Bytes::from(line(&entry)), coming)),
                Followed::Missed(count) => tracing::debug!(count, "a reader of the log is too slow"),
            }
        }
    });
    stream(tail.chain(coming))
}

/// What happened, one JSON object a line: all that is kept, or from `?from=NUMBER` on.
fn events(shared: &Shared, query: &Parameters<'_>) -> Response<ResponseBody> {
    let component = query.get("component").map(|name| (*name).to_owned());
    let from = query.get("from").and_then(|number| number.parse().ok()).unwrap_or(0);
    let log = Arc::clone(&shared.observed.events);
    let lines = move |from: u64| -> (Bytes, u64) {
        let events = log.since(from, component.as_deref());
        let next = events.last().map_or(from, |event| event.number + 1);
        (events.iter().flat_map(|event| json_line(&**event)).collect::<Vec<u8>>().into(), next)
    };
    if query.get("follow") != Some(&"true") {
        return typed(StatusCode::OK, "application/x-ndjson", lines(from).0);
    }
    let changes = shared.observed.events.changes();
    stream(futures::stream::unfold((changes, from), move |(mut changes, from)| {
        let lines = lines.clone();
        async move {
            loop {
                changes.borrow_and_update();
                let (bytes, next) = lines(from);
                if !bytes.is_empty() {
                    return Some((bytes, (changes, next)));
                }
                changes.changed().await.ok()?;
            }
        }
    }))
}

/// Why a component is where it is.
fn why(shared: &Shared, query: &Parameters<'_>) -> Response<ResponseBody> {
    let Some(component) = query.get("component") else {
        return text(StatusCode::BAD_REQUEST, "name a component: /v1/why?component=NAME\n".into());
    };
    match status::why(shared, component) {
        Some(why) => json(&why),
        None => text(StatusCode::NOT_FOUND, format!("this host knows no component {component:?}\n")),
    }
}

fn stream(lines: impl Stream<Item = Bytes> + Send + 'static) -> Response<ResponseBody> {
    let frames = lines.map(|line| Ok::<_, std::convert::Infallible>(Frame::data(line)));
    let body = StreamBody::new(frames).map_err(|never| match never {}).boxed_unsync();
    with_type(Response::new(body), "application/x-ndjson")
}

fn line(entry: &Entry) -> Vec<u8> {
    json_line(entry)
}

fn json_line(value: &impl serde::Serialize) -> Vec<u8> {
    // Strings and numbers: this cannot fail, and a line that is missing would be no harm.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

fn json(value: &impl serde::Serialize) -> Response<ResponseBody> {
    match serde_json::to_vec(value) {
        Ok(json) => typed(StatusCode::OK, "application/json", json.into()),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

fn text(status: StatusCode, text: String) -> Response<ResponseBody> {
    typed(status, "text/plain; charset=utf-8", text.into())
}

fn typed(status: StatusCode, kind: &'static str, bytes: Bytes) -> Response<ResponseBody> {
    let mut response = Response::new(Full::new(bytes).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    with_type(response, kind)
}

fn with_type(mut response: Response<ResponseBody>, kind: &'static str) -> Response<ResponseBody> {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
