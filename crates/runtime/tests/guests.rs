//! The built guests, over WASI 0.2 and 0.3: hostile ones harm nobody, and capabilities work from within.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use common::{ask, built, engine, eventually, log, prepare, text, whole};
use dunlin_providers::keyvalue::MemoryStore;
use dunlin_providers::logging::LogSink;
use dunlin_runtime::{
    Bindings, BodyError, Egress, Engine, HandleError, KeyValueBinding, Limits, PrepareError, Workload,
};
use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::Instant;

fn limits() -> Limits {
    let body_idle = Duration::from_millis(400);
    Limits { memory: 32 << 20, body_idle, handles: 2_000, ..Limits::default() }
}

async fn hello(engine: &Engine) -> Workload {
    prepare(engine, built("hello"), Bindings::default(), limits()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_serve() {
    let engine = engine();
    for (name, version) in [("hello", "0.2"), ("hello-p3", "0.3")] {
        let workload = prepare(&engine, built(name), Bindings::default(), limits()).await;
        assert_eq!(workload.serves_http(), Some(version));
        for _ in 0..300 {
            assert_eq!(whole(&workload, "/").await.0, StatusCode::OK);
        }
        assert_eq!(workload.in_flight(), 0);
        let instances = if version == "0.3" { 10 } else { 300 };
        assert!(workload.counts().started <= instances, "{:?}", workload.counts());
    }
}

/// What each misdeed gives the client, for both versions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn misdeeds_harm_nobody() {
    let engine = engine();
    let neighbour = hello(&engine).await;
    let old = prepare(&engine, built("hostile"), Bindings::default(), limits()).await;
    let new = prepare(&engine, built("hostile-p3"), Bindings::default(), limits()).await;
    let cases: [(&Workload, &str, &[u16]); 16] = [
        (&old, "/loop", &[504]),
        (&old, "/memory", &[500]),
        (&old, "/recurse", &[500]),
        (&old, "/trap", &[500]),
        (&old, "/silent", &[504]),
        (&old, "/nothing", &[500]),
        (&old, "/headers", &[500]),
        (&old, "/half", &[200]),
        (&old, "/half-stall?length=0", &[200]),
        (&new, "/loop", &[504]),
        (&new, "/silent", &[504]),
        (&new, "/spawn", &[500]),
        (&new, "/spawn-after", &[200]),
        (&new, "/trap", &[500]),
        (&new, "/error", &[500]),
        (&new, "/half", &[200]),
    ];
    for (workload, path, statuses) in cases {
        let start = Instant::now();
        let answer = ask(workload, path, Duration::from_millis(800)).await;
        assert!(start.elapsed() < Duration::from_secs(3), "{path}: {:?}", start.elapsed());
        let status = match answer {
            Ok(response) => {
                let status = response.status();
                let body = text(response).await;
                // What is spawned after the answer may bring its instance down before the body is out.
                let breaks = path.contains("half") || (path == "/spawn-after" && body.is_err());
                assert_eq!(body.is_err(), breaks, "{path}: {body:?}");
                status
            }
            Err(error) => error.status(),
        };
        assert!(statuses.contains(&status.as_u16()), "{path}: {status}");
        // A 0.3 instance is shared, and so is its fate: until this one has died of what it spawned after its answer, a
        // request may still meet it.
        if path == "/spawn-after" {
            let mut met = 0;
            while ask(workload, "/ok", Duration::from_millis(800)).await.is_err() {
                met += 1;
                assert!(met < 20, "the dying instance is given request after request");
            }
        }
        // The next request, and the others, are unharmed.
        let again = Instant::now();
        assert_eq!(whole(workload, "/ok").await, (StatusCode::OK, "ok\n".to_owned()), "after {path}");
        assert_eq!(whole(&neighbour, "/").await.0, StatusCode::OK);
        assert!(again.elapsed() < Duration::from_secs(1), "{path}: {:?}", again.elapsed());
    }
    assert_eq!((old.in_flight(), new.in_flight()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reasons_are_told() {
    let engine = engine();
    let old = prepare(&engine, built("hostile"), Bindings::default(), limits()).await;
    let reason = async |path: &str| ask(&old, path, Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(reason("/memory").await, HandleError::Memory { limit: 32 << 20 });
    assert_eq!(reason("/nothing").await, HandleError::NoAnswer);
    assert!(matches!(reason("/recurse").await, HandleError::Trapped(text) if text.contains("call stack")));
    let new = prepare(&engine, built("hostile-p3"), Bindings::default(), limits()).await;
    let error = ask(&new, "/error", Duration::from_secs(5)).await.unwrap_err();
    assert!(matches!(&error, HandleError::Guest(text) if text.contains("as asked")), "{error}");
    let error = ask(&new, "/deadlock", Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(error.status(), 500, "{error}");
    let half = ask(&old, "/half?length=0", Duration::from_secs(5)).await.unwrap();
    assert!(matches!(text(half).await.unwrap_err(), BodyError::Trapped(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loops_of_one_component_leave_the_others_their_turns() {
    let engine = engine();
    let neighbour = hello(&engine).await;
    whole(&neighbour, "/").await;
    for name in ["hostile", "hostile-p3"] {
        let hostile = prepare(&engine, built(name), Bindings::default(), limits()).await;
        let loops: Vec<_> = (0..30)
            .map(|_| {
                let hostile = hostile.clone();
                tokio::spawn(async move { ask(&hostile, "/loop", Duration::from_secs(1)).await.map(drop) })
            })
            .collect();
        eventually("they loop", || hostile.counts().instances > 0).await;
        let mut waits = Vec::new();
        for _ in 0..20 {
            let asked = Instant::now();
            whole(&neighbour, "/").await;
            waits.push(asked.elapsed());
        }
        waits.sort_unstable();
        assert!(waits[10] < Duration::from_millis(250), "{name}: {waits:?}");
        for answer in loops {
            assert_eq!(answer.await.unwrap().unwrap_err(), HandleError::TimedOut);
        }
        eventually("they are gone", || hostile.counts().instances == 0).await;
        assert_eq!(whole(&hostile, "/ok").await.0, StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_the_log_is_held_back_and_counted() {
    let engine = engine();
    let log = log();
    let bindings = Bindings { log: Some(Arc::clone(&log) as Arc<dyn LogSink>), ..Bindings::default() };
    let limits = Limits { log_rate: 10, log_burst: 50, ..limits() };
    let hostile = prepare(&engine, built("hostile"), bindings, limits).await;
    assert_eq!(whole(&hostile, "/flood?lines=1000").await.1, "flooded\n");
    let kept = log.lines().len();
    assert!((50..200).contains(&kept), "{kept}");
    assert!(hostile.counts().log_dropped > 1_700, "{:?}", hostile.counts());
    tokio::time::sleep(Duration::from_millis(300)).await;
    ask(&hostile, "/trap", Duration::from_secs(5)).await.unwrap_err();
    eventually("the dropped lines are told", || log.lines().iter().any(|line| line.contains("were dropped")))
        .await;
    assert!(log.records().iter().any(|record| record.context == "stderr"));
    eventually("the trap is told", || log.lines().iter().any(|line| line.starts_with("trapped: "))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_stream_both_ways() {
    let engine = engine();
    let hostile = prepare(&engine, built("hostile"), Bindings::default(), limits()).await;
    let big = ask(&hostile, "/big?bytes=5000000", Duration::from_secs(5)).await.unwrap();
    let bytes = http_body_util::BodyExt::collect(big.into_body()).await.unwrap().to_bytes();
    assert_eq!(bytes.len(), 5_000_000);
    let (sender, body) = http_body_util::channel::Channel::<bytes::Bytes>::new(4);
    let sending = tokio::spawn(async move {
        let mut sender = sender;
        for _ in 0..100 {
            sender.send_data(bytes::Bytes::from(vec![7; 100_000])).await.unwrap();
        }
    });
    let request = http::Request::post("/echo").header("host", "a").body(body).unwrap();
    let response = hostile.handle(request, common::within(Duration::from_secs(5))).await.unwrap();
    let bytes = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    assert_eq!(bytes.len(), 10_000_000);
    sending.await.unwrap();
    // Longer than allowed, without saying so: the guest sees an error.
    let limits = Limits { request_body: 1_000, ..limits() };
    let hostile = prepare(&engine, built("hostile"), Bindings::default(), limits).await;
    let (mut sender, body) = http_body_util::channel::Channel::<bytes::Bytes>::new(4);
    sender.send_data(bytes::Bytes::from(vec![7; 1_001])).await.unwrap();
    drop(sender);
    let request = http::Request::post("/sink").header("host", "a").body(body).unwrap();
    let response = hostile.handle(request, common::within(Duration::from_secs(5))).await.unwrap();
    assert_eq!(response.status(), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_linked_is_refused_by_name() {
    let engine = engine();
    for (name, import) in [
        ("unlinked", "example:missing/thing"),
        ("keyvalue", "wasi:keyvalue/store@0.2.0-draft"),
        ("outbound", "wasi:http/outgoing-handler@0.2"),
        ("importer", "example:greeter/greet@0.1.0"),
    ] {
        let compiled = engine.compile(built(name).into()).await.unwrap();
        let error = engine.prepare(&compiled, Bindings::default(), limits()).unwrap_err();
        let PrepareError::Unlinked { imports } = &error else { panic!("{name}: {error}") };
        assert!(imports.iter().any(|found| found.starts_with(import)), "{name}: {imports:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_drafts_of_keyvalue_reach_one_store() {
    let engine = engine();
    let store = Arc::new(MemoryStore::default());
    let binding = KeyValueBinding { store, bucket: Some("todo".to_owned()), timeout: None };
    let bindings = || Bindings {
        keyvalue: BTreeMap::from([("wasi:keyvalue".to_owned(), binding.clone())]),
        ..Bindings::default()
    };
    let first = prepare(&engine, built("keyvalue"), bindings(), limits()).await;
    let second = prepare(&engine, built("keyvalue2"), bindings(), limits()).await;
    let says = async |workload: &Workload, path: &str, expected: &str| {
        let (status, body) = whole(workload, path).await;
        assert_eq!((status.as_u16(), body.trim()), (200, expected), "{path}");
    };
    for (one, other) in [(&first, &second), (&second, &first)] {
        says(one, "/set?key=a&value=1", r#"{"ok":true}"#).await;
        // Whatever identifier it opens, it is the link's bucket.
        says(other, "/get?key=a&bucket=elsewhere", r#"{"value":"1"}"#).await;
        says(other, "/exists?key=a", r#"{"exists":true}"#).await;
        says(other, "/delete?key=a", r#"{"ok":true}"#).await;
        says(one, "/get?key=a", r#"{"value":null}"#).await;
        says(one, "/increment?key=n&delta=5", r#"{"value":5}"#).await;
        says(other, "/increment?key=n", r#"{"value":6}"#).await;
        says(one, "/get?key=n", r#"{"value":"6"}"#).await;
        says(one, "/set-many?key=x&value=1&key=y&value=2", r#"{"ok":true}"#).await;
        assert!(whole(other, "/get-many?key=x&key=none&key=y").await.1.contains("\"2\""));
        assert!(whole(other, "/list").await.1.contains("\"x\""));
        says(other, "/delete-many?key=x&key=y&key=n", r#"{"ok":true}"#).await;
        assert!(whole(one, "/list").await.1.contains("\"keys\":[]"));
    }
    says(&second, "/increment?key=n&delta=-3", r#"{"value":-3}"#).await;
    assert_eq!(whole(&first, "/increment?key=n").await.0, 500);
    says(&second, "/cas?key=c&value=1", r#"{"swapped":true,"seen":null,"tries":1}"#).await;
    says(&second, "/cas?key=c&value=2", r#"{"swapped":false,"seen":"1","tries":0}"#).await;
    says(&second, "/cas?key=c&expected=1&value=2", r#"{"swapped":true,"seen":"1","tries":1}"#).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compare_and_swap_loses_nothing_in_a_crowd() {
    let engine = engine();
    let binding = KeyValueBinding { store: Arc::new(MemoryStore::default()), bucket: None, timeout: None };
    let keyvalue = BTreeMap::from([("wasi:keyvalue".to_owned(), binding)]);
    let workload =
        prepare(&engine, built("keyvalue2"), Bindings { keyvalue, ..Bindings::default() }, limits()).await;
    let appending: Vec<_> = (0..20)
        .map(|_| {
            let workload = workload.clone();
            tokio::spawn(async move { whole(&workload, "/cas?key=c&append=x&retries=100").await.1 })
        })
        .collect();
    for answer in appending {
        assert!(answer.await.unwrap().contains("\"swapped\":true"));
    }
    assert_eq!(whole(&workload, "/get?key=c").await.1.trim(), format!(r#"{{"value":"{}"}}"#, "x".repeat(20)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configuration_is_read() {
    let engine = engine();
    let config =
        BTreeMap::from([("LEVEL".to_owned(), "info".to_owned()), ("KEY".to_owned(), "x".to_owned())]);
    let workload =
        prepare(&engine, built("configured"), Bindings { config, ..Bindings::default() }, limits()).await;
    assert_eq!(whole(&workload, "/config?key=LEVEL").await.1.trim(), r#"{"value":"info"}"#);
    assert_eq!(whole(&workload, "/config?key=none").await.1.trim(), r#"{"value":null}"#);
    assert_eq!(whole(&workload, "/config").await.1.trim(), r#"[["KEY","x"],["LEVEL","info"]]"#);
}

/// Answers every connection with "yes" and tells how many there were.
async fn server() -> (u16, Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let read = stream.read(&mut buffer).await.unwrap_or(0);
                let head = String::from_utf8_lossy(&buffer[..read]).to_ascii_lowercase();
                if head.contains("get /silent") {
                    std::future::pending::<()>().await;
                }
                let traced = head.contains("traceparent: 00-") && head.contains("tracestate: vendor=1");
                let body = if traced { "traced" } else { "yes" };
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    (port, connections)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_listed_hosts_are_reached() {
    let engine = engine();
    let (port, connections) = server().await;
    let outbound = async |host: String| {
        let egress = Some(Egress::new([host], Duration::from_millis(300)).unwrap());
        prepare(&engine, built("outbound"), Bindings { egress, ..Bindings::default() }, limits()).await
    };
    let allowed = outbound(format!("127.0.0.1:{port}")).await;
    let (status, body) = whole(&allowed, &format!("/?url=http://127.0.0.1:{port}/")).await;
    assert_eq!((status.as_u16(), body.trim()), (200, r#"{"status":200,"body":"yes"}"#));
    // The trace goes along.
    let request = common::get(&format!("/?url=http://127.0.0.1:{port}/"));
    let mut context = common::within(Duration::from_secs(5));
    context.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    context.tracestate = Some("vendor=1".to_owned());
    assert!(text(allowed.handle(request, context).await.unwrap()).await.unwrap().contains("traced"));
    let start = Instant::now();
    assert_eq!(whole(&allowed, &format!("/?url=http://127.0.0.1:{port}/silent")).await.0, 502);
    assert!(start.elapsed() < Duration::from_secs(2));

    let before = connections.load(std::sync::atomic::Ordering::SeqCst);
    for (host, url) in [
        (format!("127.0.0.1:{}", port ^ 1), format!("http://127.0.0.1:{port}/")),
        ("*.example.com".to_owned(), format!("http://127.0.0.1:{port}/")),
        (format!("localhost:{port}"), format!("http://127.0.0.1:{port}/")),
    ] {
        let denied = outbound(host.clone()).await;
        let (status, body) = whole(&denied, &format!("/?url={url}")).await;
        assert_eq!(status, 502);
        assert!(body.contains("HttpRequestDenied"), "{host}: {body}");
        assert_eq!(denied.counts().egress_denied, 1);
    }
    assert_eq!(connections.load(std::sync::atomic::Ordering::SeqCst), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_component_calls_another() {
    let engine = engine();
    let greeter = prepare(&engine, built("greeter"), Bindings::default(), limits()).await;
    assert_eq!(greeter.serves_http(), None);
    assert_eq!(ask(&greeter, "/", Duration::from_secs(1)).await.unwrap_err(), HandleError::NotHttp);
    let components = BTreeMap::from([(
        "example:greeter/greet".to_owned(),
        Arc::new(greeter.clone()) as Arc<dyn dunlin_runtime::Invoke>,
    )]);
    let importer =
        prepare(&engine, built("importer"), Bindings { components, ..Bindings::default() }, limits()).await;
    let (status, body) = whole(&importer, "/greet?name=Ada").await;
    assert_eq!(status, 200);
    assert!(body.contains("Ada"), "{body}");
    assert_eq!(whole(&importer, "/mirror").await.1, "same\n");
    let (status, body) = whole(&importer, "/welcome?name=Ada&times=1&tag=a&tag=b&note=n&loud=3").await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("\"tags\":[\"a\",\"b\""), "{body}");
    assert_eq!(whole(&importer, "/welcome?name=").await.0, 403);
    let bytes = vec![0xab; 3 << 20];
    let request = http::Request::post("/echo").header("host", "a");
    let request = request.body(http_body_util::Full::new(bytes::Bytes::from(bytes.clone()))).unwrap();
    let response = importer.handle(request, common::within(Duration::from_secs(10))).await.unwrap();
    let echoed = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    assert!(echoed == bytes);

    // What befalls the callee traps the caller, says why, and harms nothing else.
    let error = ask(&importer, "/collapse", Duration::from_secs(5)).await.unwrap_err();
    assert!(matches!(&error, HandleError::Trapped(text) if text.contains("the callee trapped")), "{error}");
    let error = ask(&importer, "/rest?ms=60000", Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error, HandleError::TimedOut);
    eventually("the callee is gone", || greeter.counts().instances == 0).await;
    assert_eq!(whole(&importer, "/rest?ms=1").await.1, "rested\n");
    assert_eq!((importer.in_flight(), greeter.in_flight()), (0, 0));
}

/// The end of a chain of links: keeps what it was called with.
#[derive(Default)]
struct Last(std::sync::Mutex<Vec<dunlin_runtime::InvokeContext>>);

#[async_trait::async_trait]
impl dunlin_runtime::Invoke for Last {
    async fn invoke(
        &self,
        _: &str,
        _: &str,
        values: bytes::Bytes,
        context: &dunlin_runtime::InvokeContext,
    ) -> Result<bytes::Bytes, dunlin_runtime::InvokeError> {
        self.0.lock().unwrap().push(context.clone());
        Ok(values)
    }
}

#[tokio::test]
async fn a_component_that_is_called_calls_on_in_the_same_trace_and_time() {
    let between = r#"(component
        (import "example:next/step" (instance $next (export "go" (func))))
        (core module $m (import "next" "go" (func $go)) (func (export "go") (call $go)))
        (core func $go (canon lower (func $next "go")))
        (core instance $i (instantiate $m (with "next" (instance (export "go" (func $go))))))
        (func $f (canon lift (core func $i "go")))
        (component $c (import "f" (func $f)) (export "go" (func $f)))
        (instance $r (instantiate $c (with "f" (func $f))))
        (export "example:first/step" (instance $r)))"#;
    let last = Arc::new(Last::default());
    let link = Arc::clone(&last) as Arc<dyn dunlin_runtime::Invoke>;
    let components = BTreeMap::from([("example:next/step".to_owned(), link)]);
    let bindings = Bindings { components, ..Bindings::default() };
    let between = prepare(&engine(), wat::parse_str(between).unwrap(), bindings, limits()).await;
    let traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    let deadline = Instant::now() + Duration::from_secs(5);
    let context = dunlin_runtime::InvokeContext { deadline, traceparent };
    dunlin_runtime::Invoke::invoke(&between, "example:first/step", "go", bytes::Bytes::new(), &context)
        .await
        .unwrap();
    let seen = last.0.lock().unwrap().pop().unwrap();
    assert_eq!(seen.traceparent, context.traceparent);
    assert!(seen.deadline <= context.deadline);
}
