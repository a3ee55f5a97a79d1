//! What the admin port tells of changes: events as they happen, revisions, and why something is where it is.

use std::time::Duration;

use bytes::Bytes;
use dunlin_host::events::{Event, What};
use dunlin_host::history::{Outcome, Revisions};
use dunlin_host::status::{Kstatus, Truth};
use dunlin_host::why::Why;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::site::{World, get, ready, sees};

const HELLO: &str = "---\nkind: WasmComponent\nmetadata: { name: hello }\n\
    spec: { image: \"example.com/hello:1\", sites: { a: {} }, http: {} }\n";

async fn json<T: serde::de::DeserializeOwned>(host: &dunlin_host::Host, path: &str) -> T {
    serde_json::from_slice(get(host.admin(), path).await.unwrap().body()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_told_as_they_happen_and_revisions_outlive_the_host() {
    let world = World::new(HELLO, &[("hello", "hello")]);
    let host = world.host("a", "h1").await;
    let stream = TcpStream::connect(host.admin()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("/v1/events?follow=true&component=hello").header("host", "admin.example");
    let mut body =
        sender.send_request(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap().into_body();
    let told = tokio::time::timeout(Duration::from_secs(30), async {
        let mut told: Vec<What> = Vec::new();
        while !told.iter().any(|what| matches!(what, What::Ready { .. })) {
            let lines = body.frame().await.unwrap().unwrap().into_data().unwrap();
            let events = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            told.extend(events.map(|line| serde_json::from_slice::<Event>(line).unwrap().what));
        }
        told
    });
    let told = told.await.unwrap();
    // Before it has heard the others a host may think itself too few.
    let steps: Vec<_> = told
        .iter()
        .filter(|what| !matches!(what, What::Condition { .. } | What::ConditionOver { .. }))
        .collect();
    assert!(matches!(steps[..], [What::Starting, What::Compiled { .. }, What::Ready { .. }]), "{told:?}");

    sees(&host, "hello as asked", |status| {
        ready(status, "hello", "a") == 1 && status.components["hello"].result == Kstatus::Current
    })
    .await;
    let settled = async {
        loop {
            let history: Revisions = json(&host, "/v1/history").await;
            if history.revisions.first().is_some_and(|newest| newest.outcome == Outcome::Settled) {
                return history;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let history = tokio::time::timeout(Duration::from_secs(30), settled).await.unwrap();
    assert_eq!((history.host.as_str(), history.revisions.len()), ("a/h1", 1));
    assert_eq!(history.revisions[0].changes[0].to_string(), "hello: new (a all)");

    let why: Why = json(&host, "/v1/why?component=hello").await;
    assert_eq!(why.sites["a"].ranked[0].why, "wanted: number 1 in rank");
    let ready = why.conditions.iter().find(|condition| condition.kind == "Ready").unwrap();
    assert_eq!((ready.status, ready.message.as_str()), (Truth::True, "1 of 1 in a"));
    assert_eq!(why.slot.unwrap().status.identity, ready.identity);
    assert_eq!(get(host.admin(), "/v1/why?component=nothing").await.unwrap().status(), 404);
    assert_eq!(get(host.admin(), "/v1/why").await.unwrap().status(), 400);

    // What is kept is written when it changes; a moment later it is on disk.
    let file = world.folder.path().join("h1/history.json");
    let kept = async {
        while !std::fs::read_to_string(&file).is_ok_and(|text| text.contains("settled")) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), kept).await.unwrap();
    drop(host);
    let again = world.host("a", "h1").await;
    assert_eq!(json::<Revisions>(&again, "/v1/history").await, history);
}
