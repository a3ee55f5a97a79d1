//! What the admin port tells of calls: each as it passes, and all of them in numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use dunlin_host::watch::{Call, Line};
use expect_test::expect_file;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::site::{World, get, ready, sees};

const OBJECTS: &str = "---\nkind: WasmProvider\nmetadata: { name: cupboard }\n\
    spec: { keyvalue: { memory: {} }, sites: { a: {} } }\n\
    ---\nkind: WasmComponent\nmetadata: { name: todo }\n\
    spec:\n  image: example.com/todo:1\n  sites: { b: {} }\n  http: {}\n  \
    links: { store: { import: \"wasi:keyvalue\", provider: { name: cupboard } } }\n";

/// Begins to read calls.
async fn follow(admin: SocketAddr, query: &str) -> Incoming {
    let stream = TcpStream::connect(admin).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(format!("/v1/calls?{query}")).header("host", "admin.example");
    let response = sender.send_request(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body()
}

/// The calls that come next; every line is a chunk of its own.
async fn calls(body: &mut Incoming) -> Option<Call> {
    let line = body.frame().await?.unwrap().into_data().unwrap();
    assert_eq!(line.last(), Some(&b'\n'));
    match serde_json::from_slice(&line).unwrap() {
        Line::Call(call) => Some(*call),
        Line::Missed { missed } => panic!("{missed} calls were missed"),
    }
}

async fn world() -> (World, dunlin_host::Host, dunlin_host::Host) {
    let world = World::new(OBJECTS, &[("todo", "todo")]);
    let (far, near) = (world.host("a", "h1").await, world.host("b", "h2").await);
    for host in [&near, &far] {
        sees(host, "todo in b and its store in a", |status| {
            let open = status.providers.get("cupboard").is_some_and(|provider| !provider.open_at.is_empty());
            open && ready(status, "todo", "b") == 1
        })
        .await;
    }
    (world, far, near)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_answer_of_another_host_is_one_message() {
    let (_world, far, near) = world().await;
    for _ in 0..3 {
        let answer = get(far.http(), "/api").await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (200, &b"[]"[..]));
    }
    let text = String::from_utf8(get(near.admin(), "/metrics").await.unwrap().body().to_vec()).unwrap();
    assert!(text.contains("dunlin_stream_bytes_total{direction=\"sent\"} 0"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_all_hosts_are_told_wherever_one_asks() {
    let (_world, far, near) = world().await;
    let mut all = follow(far.admin(), "follow=true").await;
    let mut other = follow(near.admin(), "follow=true&component=nobody").await;
    let (near_address, far_address) = (near.http(), far.http());
    let asking = tokio::spawn(async move {
        loop {
            for address in [near_address, far_address] {
                assert_eq!(get(address, "/api").await.unwrap().status(), 200);
            }
        }
    });
    let told = tokio::time::timeout(Duration::from_secs(20), async {
        let mut told = BTreeMap::new();
        // A request that runs here, a request that is forwarded, and an operation on the store.
        while told.len() < 3 {
            let call = calls(&mut all).await.unwrap();
            told.insert((call.function == "http", call.place.clone()), call);
        }
        told
    });
    let told = told.await.unwrap();
    asking.abort();
    let place = |word: &str| Some(word.to_owned());
    let here = &told[&(true, place("here"))];
    assert_eq!((here.from.as_str(), here.target.as_str(), here.link.as_str()), ("b/h2", "todo", ""));
    let forwarded = &told[&(true, place("other-site"))];
    assert_eq!((forwarded.from.as_str(), forwarded.to.as_deref()), ("a/h1", Some("b/h2")));
    let stored = &told[&(false, place("other-site"))];
    assert_eq!((stored.component.as_str(), stored.link.as_str()), ("todo", "store"));
    assert_eq!((stored.target.as_str(), stored.to.as_deref()), ("cupboard", Some("a/h1")));
    assert_eq!((stored.outcome.as_str(), stored.attempts), ("answered", 1));
    assert!(stored.microseconds > 0 && stored.bytes_asked > 0 && stored.trace.is_some(), "{stored:?}");
    let quiet = tokio::time::timeout(Duration::from_millis(50), calls(&mut other)).await;
    assert!(quiet.is_err(), "nobody is called so: {quiet:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_follow_is_told_for_a_while() {
    let world = World::new("", &[]);
    let host = world.host("a", "h1").await;
    let mut body = follow(host.admin(), "").await;
    let end = tokio::time::timeout(Duration::from_secs(20), calls(&mut body)).await;
    assert_eq!(end.unwrap(), None, "the answer ends by itself");
}

/// Names, kinds and labels of the metrics in the page.
fn documented(page: &str) -> BTreeMap<&str, (&str, BTreeSet<&str>)> {
    page.lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let labels = cells[2].split(", ").map(|label| label.trim_matches('`'));
            (cells[0].trim_matches('`'), (cells[1], labels.filter(|label| !label.is_empty()).collect()))
        })
        .collect()
}

/// Fails when the page is stale; `UPDATE_EXPECT=1 cargo test --workspace --test host metrics` writes it anew.
#[tokio::test(flavor = "multi_thread")]
async fn all_metrics_are_in_the_page_and_count() {
    let page = dunlin_host::Metrics::reference().unwrap();
    expect_file!["../../../../docs/reference/metrics.md"].assert_eq(&page);
    let documented = documented(&page);

    let (_world, far, near) = world().await;
    for address in [near.http(), far.http()] {
        assert_eq!(get(address, "/api").await.unwrap().status(), 200);
    }
    let text = async |host: &dunlin_host::Host| {
        let answer = get(host.admin(), "/metrics").await.unwrap();
        String::from_utf8(answer.body().to_vec()).unwrap()
    };
    let (mut near_text, far_text) = (text(&near).await, text(&far).await);
    let mut shown = BTreeSet::new();
    for text in [&near_text, &far_text] {
        let (mut name, mut labels) = ("", &BTreeSet::new());
        for line in text.lines() {
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (found, kind) = kind.split_once(' ').unwrap();
                let (expected, expected_labels) = &documented[found];
                assert_eq!(kind, *expected, "{found}");
                (name, labels) = (found, expected_labels);
                shown.insert(name);
            } else if let Some((_, given)) = line.split_once('{') {
                let given = given.split_once('}').unwrap().0.split(',');
                let given: BTreeSet<_> = given.map(|label| label.split_once('=').unwrap().0).collect();
                let given: BTreeSet<_> = given.into_iter().filter(|label| *label != "le").collect();
                assert_eq!(given, *labels, "{name}");
            }
        }
    }
    // Nothing was retried, tried, ejected or broken; all else has something to say.
    let silent = [
        "dunlin_call_retries_total",
        "dunlin_canary_calls_total",
        "dunlin_ejected_hosts",
        "dunlin_ejections_total",
        "dunlin_http_failures_total",
        "dunlin_streams_broken_total",
    ];
    let missing: Vec<_> = documented.keys().filter(|name| !shown.contains(**name)).copied().collect();
    assert!(missing.iter().all(|name| silent.contains(name)), "{missing:?} are not in /metrics");

    // A call that was given its answer may be counted a little later.
    let counted = "dunlin_calls_made_total{outcome=\"answered\",target=\"cupboard\"} 0";
    for _ in 0..500 {
        if !near_text.contains(counted) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        near_text = text(&near).await;
    }
    let far_text = text(&far).await;
    for (text, line) in [
        (&near_text, "dunlin_call_seconds_count{place=\"other-site\",target=\"cupboard\"}"),
        (&near_text, "dunlin_bus_connected{purpose=\"calls-1\"} 1"),
        (&near_text, "dunlin_bus_connected{purpose=\"presence\"} 1"),
        (&near_text, "dunlin_presence_deaf 0"),
        (&near_text, "dunlin_calls_in_flight{side=\"served\"} 0"),
        (&far_text, "dunlin_calls_served_total{function=\"keyvalue\"}"),
        (&far_text, "dunlin_call_seconds_count{place=\"other-site\",target=\"todo\"} 1"),
        (&far_text, "dunlin_http_forwarded_total{component=\"todo\",site=\"b\"} 1"),
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let beats = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("dunlin_presence_beats_heard_total ")).unwrap();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    assert!(beats(&near_text) > 0, "{near_text}");
}
