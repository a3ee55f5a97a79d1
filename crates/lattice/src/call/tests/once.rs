//! A call id is executed once; a caller that gives up frees the callee; bounds hold.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use tokio::sync::Notify;

use super::harness::{Buses, Host, answer, client, id, request, subjects, until};
use crate::call::CallSettings;
use crate::call::frames::{Call, Frame, Kind, RefusalKind};
use crate::memory::Network;
use crate::{Connection, Executed, Place, Refusal, Safety, Subscription, wire};

/// A caller that writes its own frames.
pub(super) struct Raw {
    pub(super) connection: Arc<dyn Connection>,
    pub(super) replies: Subscription,
    pub(super) subject: String,
}

impl Raw {
    pub(super) async fn new(network: &dyn Buses, from: &str, to: &Host) -> Self {
        let connection = network.bus(&id(from)).connect("raw").await.unwrap();
        let replies = connection.subscribe(&subjects().replies_to(&id(from), "raw")).await.unwrap();
        let subject = subjects().call(&to.id, &id(from), "todo", "f");
        Self { connection, replies, subject }
    }

    pub(super) async fn send(&self, reply: &str, payload: Bytes) {
        self.connection.publish(&self.subject, Some(reply), payload).await.unwrap();
    }

    pub(super) async fn kind(&self, call: u128, kind: Kind) {
        let reply = subjects().reply(&id("gcp-1"), "raw", &format!("{call:032x}"));
        self.send(&reply, wire::encode(&Frame::new(call, kind))).await;
    }

    /// The next frame, within a second.
    pub(super) async fn heard(&mut self) -> Option<Frame> {
        let next = tokio::time::timeout(Duration::from_secs(1), self.replies.next()).await;
        next.ok().flatten().map(|message| wire::decode(message.payload).unwrap())
    }
}

pub(super) fn call(deadline: Duration) -> Call {
    let deadline = u64::try_from(deadline.as_micros()).unwrap();
    Call { incarnation: 7, deadline, ..Call::default() }
}

pub(super) fn refused(frame: Option<Frame>) -> Option<RefusalKind> {
    match frame?.kind? {
        Kind::Refusal(refusal) => Some(refusal.kind()),
        _ => None,
    }
}

const LATER: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn the_same_id_twice_is_executed_once_and_answered_twice() {
    executed_once(&Network::new(1)).await;
}

pub(super) async fn executed_once(network: &dyn Buses) {
    let host = Host::start(network, "gcp-2", |_| async { Ok(answer("once")) }.boxed()).await;
    let mut raw = Raw::new(network, "gcp-1", &host).await;
    let mut answers = Vec::new();
    for _ in 0..2 {
        raw.kind(5, Kind::Call(call(LATER))).await;
        answers.push(raw.heard().await.unwrap());
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(host.served(), 1);
    // A refusal is remembered like an answer: who was told "not executed" may have gone elsewhere.
    let draining = Host::start(network, "gcp-3", |_| async { Err(Refusal::Draining) }.boxed()).await;
    let mut raw = Raw::new(network, "gcp-1", &draining).await;
    for _ in 0..2 {
        raw.kind(5, Kind::Call(call(LATER))).await;
        assert_eq!(refused(raw.heard().await), Some(RefusalKind::Draining));
    }
    assert_eq!(draining.served(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_repetition_of_a_running_call_waits_for_its_answer() {
    let network = Network::new(1);
    let go = Arc::new(Notify::new());
    let wait = Arc::clone(&go);
    let host = Host::start(&network, "gcp-2", move |_| {
        let wait = Arc::clone(&wait);
        async move {
            wait.notified().await;
            Ok(answer("once"))
        }
        .boxed()
    })
    .await;
    let mut raw = Raw::new(&network, "gcp-1", &host).await;
    raw.kind(5, Kind::Call(call(LATER))).await;
    let other = subjects().reply(&id("gcp-1"), "raw", "other");
    raw.send(&other, wire::encode(&Frame::new(5, Kind::Call(call(LATER))))).await;
    assert_eq!(raw.heard().await, None);
    go.notify_one();
    let answers = [raw.heard().await.unwrap(), raw.heard().await.unwrap()];
    assert_eq!(answers[0], answers[1]);
    assert_eq!(host.served(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_longer_kept_is_said_to_be_gone() {
    let network = Network::new(1);
    let settings = CallSettings { kept: 0, ..CallSettings::default() };
    let host = Host::with(&network, "gcp-2", settings, |_| async { Ok(answer("once")) }.boxed()).await;
    let mut raw = Raw::new(&network, "gcp-1", &host).await;
    raw.kind(5, Kind::Call(call(LATER))).await;
    assert!(matches!(raw.heard().await.unwrap().kind, Some(Kind::Answer(_))));
    raw.kind(5, Kind::Call(call(LATER))).await;
    assert_eq!(refused(raw.heard().await), Some(RefusalKind::AnswerGone));
    assert_eq!(host.served(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_frees_the_callee() {
    let network = Network::new(1);
    let host = Host::start(&network, "gcp-2", |_| std::future::pending().boxed()).await;
    let client = client(&network, "gcp-1").await;
    let candidates = [host.candidate(Place::OwnSite)];
    {
        let call = client.call(&candidates, request(Safety::Write));
        tokio::pin!(call);
        tokio::select! {
            _ = &mut call => panic!("it cannot answer"),
            () = until(|| host.server().in_flight() == 1) => {}
        }
    }
    until(|| host.server().in_flight() == 0 && client.in_flight() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_runs_on_ends_with_its_deadline() {
    let network = Network::new(1);
    let host = Host::start(&network, "gcp-2", |_| std::future::pending().boxed()).await;
    let client = client(&network, "gcp-1").await;
    let error = client.call(&[host.candidate(Place::OwnSite)], request(Safety::Write)).await.unwrap_err();
    assert!(error.to_string().contains("still running"), "{error}");
    assert_eq!((error.executed(), host.server().in_flight()), (Executed::Unknown, 0));
}

#[tokio::test(start_paused = true)]
async fn more_calls_than_the_bound_are_busy() {
    let network = Network::new(1);
    let settings = CallSettings { concurrent: 2, ..CallSettings::default() };
    let host = Host::with(&network, "gcp-2", settings, |_| std::future::pending().boxed()).await;
    let mut raw = Raw::new(&network, "gcp-1", &host).await;
    for call_id in 0..3 {
        raw.kind(call_id, Kind::Call(call(LATER))).await;
    }
    assert_eq!(refused(raw.heard().await), Some(RefusalKind::Busy));
    assert_eq!(host.served(), 2);
}

#[tokio::test(start_paused = true)]
async fn nested_calls_see_what_is_left_of_the_deadline() {
    let network = Network::new(1);
    let host = Host::start(&network, "gcp-2", |call| {
        async move {
            let left = call.deadline - tokio::time::Instant::now();
            Ok(crate::Answer { values: Bytes::from(left.as_millis().to_string()), ..Default::default() })
        }
        .boxed()
    })
    .await;
    let client = client(&network, "gcp-1").await;
    let reply = client.call(&[host.candidate(Place::OwnSite)], request(Safety::Write)).await.unwrap();
    let left: u64 = std::str::from_utf8(&reply.values).unwrap().parse().unwrap();
    assert!((4970..=5000).contains(&left), "{left}");
}

#[tokio::test(start_paused = true)]
async fn many_at_once_over_both_connections() {
    let network = Network::new(1);
    let host = Host::start(&network, "gcp-2", |call| {
        async move { Ok(crate::Answer { values: call.values, body: call.body }) }.boxed()
    })
    .await;
    let client = client(&network, "gcp-1").await;
    let candidates = [host.candidate(Place::OwnSite)];
    let calls = (0..2000u32).map(|number| {
        let values = Bytes::copy_from_slice(&number.to_be_bytes());
        let (client, candidates) = (&client, &candidates);
        async move {
            let request = crate::Request { values: values.clone(), ..request(Safety::Write) };
            assert_eq!(client.call(candidates, request).await.unwrap().values, values);
        }
    });
    futures::future::join_all(calls).await;
    assert_eq!((host.served(), client.in_flight()), (2000, 0));
}

/// Real threads, real time: calls of all sizes side by side.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_on_several_threads() {
    let network = Network::new(1);
    let host = Host::start(&network, "gcp-2", |call| {
        async move { Ok(crate::Answer { values: call.values, body: call.body }) }.boxed()
    })
    .await;
    let client = Arc::new(client(&network, "gcp-1").await);
    let candidate = host.candidate(Place::OwnSite);
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..500usize {
        let (client, candidate) = (Arc::clone(&client), candidate.clone());
        calls.spawn(async move {
            let sent = Bytes::from(vec![number as u8; (number % 5) * 60_000]);
            let body = crate::Body::Whole(sent.clone());
            let request = crate::Request { body, ..request(Safety::Write) };
            // More bodies at once than there may be: the others are told so, and nothing else.
            match client.call(&[candidate], request).await {
                Ok(reply) => assert_eq!(reply.body.collect(1 << 20).await.unwrap(), sent),
                Err(error) => assert_eq!(error.executed(), Executed::No, "{error}"),
            }
        });
    }
    while let Some(result) = calls.join_next().await {
        result.unwrap();
    }
    until(|| client.streams() + client.in_flight() + host.server().streams() == 0).await;
}
