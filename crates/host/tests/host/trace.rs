//! One trace from the client through hosts and components to the store, in the spans of every host on the way.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Mutex, Once};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::site::{World, ready, sees, send};

const OBJECTS: &str = "---\nkind: WasmProvider\nmetadata: { name: cupboard }\n\
    spec: { keyvalue: { memory: {} }, sites: { a: {} } }\n\
    ---\nkind: WasmComponent\nmetadata: { name: todo }\n\
    spec:\n  image: example.com/todo:1\n  sites: { b: {} }\n  http: {}\n  \
    links: { store: { import: \"wasi:keyvalue\", provider: { name: cupboard } } }\n";

/// The fields of a span, and its name under `name`.
type Fields = BTreeMap<String, String>;

/// The spans that have ended, of all tests in this process.
static ENDED: Mutex<Vec<Fields>> = Mutex::new(Vec::new());

/// Keeps the fields of Dunlin's spans.
struct Collector;

struct Reading<'a>(&'a mut Fields);

impl Visit for Reading<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Collector {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with("dunlin") && *metadata.level() <= Level::DEBUG
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let mut fields = Fields::from([("name".to_owned(), span.name().to_owned())]);
        attributes.record(&mut Reading(&mut fields));
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(&mut Reading(fields));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        if let Some(fields) = context.span(&id).unwrap().extensions_mut().remove::<Fields>() {
            ENDED.lock().unwrap().push(fields);
        }
    }
}

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(Collector);
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

/// The spans of this trace that have ended.
fn spans(trace: &str) -> Vec<Fields> {
    ENDED
        .lock()
        .unwrap()
        .iter()
        .filter(|span| span.get("trace").is_some_and(|id| id == trace))
        .cloned()
        .collect()
}

/// Waits for a span with these fields; a host may end one a little after the client has its answer.
async fn find(trace: &str, wanted: &[(&str, &str)]) -> Fields {
    for _ in 0..1000 {
        let matches = |span: &Fields| {
            wanted.iter().all(|(name, value)| span.get(*name).is_some_and(|found| found == value))
        };
        if let Some(found) = spans(trace).into_iter().find(matches) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no span {wanted:?} among {:#?}", spans(trace));
}

async fn ask(address: std::net::SocketAddr, traceparent: &str) -> Response<Bytes> {
    let request =
        Request::get("/api?secret=1").header("host", "test.example").header("traceparent", traceparent);
    let answer = send(address, request.body(Full::default()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200, "{answer:?}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_goes_from_the_client_to_the_store() {
    listen();
    let world = World::new(OBJECTS, &[("todo", "todo")]);
    let (far, near) = (world.host("a", "h1").await, world.host("b", "h2").await);
    for host in [&near, &far] {
        sees(host, "todo in b and its store in a", |status| {
            let open = status.providers.get("cupboard").is_some_and(|provider| !provider.open_at.is_empty());
            open && ready(status, "todo", "b") == 1
        })
        .await;
    }

    // Whoever does not record the trace does not want it recorded.
    let unsampled = "11111111111111111111111111111111";
    ask(near.http(), &format!("00-{unsampled}-b7ad6b7169203331-00")).await;

    let trace = "0af7651916cd43dd8448eb211c80319c";
    ask(near.http(), &format!("00-{trace}-b7ad6b7169203331-01")).await;
    let begun = [("name", "request"), ("host", "h2"), ("site", "b"), ("component", "todo")];
    let request = find(trace, &begun).await;
    for (field, expected) in
        [("parent", "b7ad6b7169203331"), ("method", "GET"), ("path", "/api"), ("status", "200")]
    {
        assert_eq!(request[field], expected, "{request:#?}");
    }
    assert!(request["revision"].starts_with("dir-") && request.contains_key("milliseconds"), "{request:#?}");
    let made = [
        ("name", "call"),
        ("host", "h2"),
        ("target", "cupboard"),
        ("to", "a/h1"),
        ("parent", &request["span"]),
    ];
    let call = find(trace, &made).await;
    assert_eq!((call["attempts"].as_str(), call["outcome"].as_str()), ("1", "answered"), "{call:#?}");
    assert!(call["function"].starts_with("keyvalue-"), "{call:#?}");
    let taken = [("name", "served"), ("host", "h1"), ("site", "a"), ("parent", &call["span"])];
    let served = find(trace, &taken).await;
    assert_eq!((served["from"].as_str(), served["outcome"].as_str()), ("b/h2", "answered"), "{served:#?}");
    let done = [("name", "provider"), ("provider", "cupboard"), ("parent", &served["span"])];
    assert_eq!(find(trace, &done).await["outcome"], "done");

    assert_eq!(spans(unsampled), [] as [Fields; 0]);

    // By way of a host that does not run the component there are two more ends.
    let trace = "22222222222222222222222222222222";
    ask(far.http(), &format!("00-{trace}-b7ad6b7169203331-01")).await;
    let request = find(trace, &[("name", "request"), ("host", "h1"), ("parent", "b7ad6b7169203331")]).await;
    let forwarded = [("name", "call"), ("host", "h1"), ("function", "http"), ("parent", &request["span"])];
    let call = find(trace, &forwarded).await;
    assert_eq!(call["to"], "b/h2");
    let served = find(trace, &[("name", "served"), ("host", "h2"), ("parent", &call["span"])]).await;
    let call = find(trace, &[("name", "call"), ("host", "h2"), ("parent", &served["span"])]).await;
    find(trace, &[("name", "served"), ("host", "h1"), ("parent", &call["span"])]).await;
}
