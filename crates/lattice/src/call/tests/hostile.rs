//! What breaks the rules is refused, and the next call is served as if nothing had been.

use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::harness::{Host, answer, client, id, request, subjects, until, within};
use super::once::{Raw, call, refused};
use crate::call::frames::{
    Answer, Call, Credit, Data, Frame, Kind, Refusal as RefusalFrame, RefusalKind, Reset,
};
use crate::memory::Network;
use crate::{Body, CallError, Place, Safety, wire};

const LATER: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn only_the_callers_own_reply_subject_is_answered() {
    let network = Network::new(1);
    let host = Host::start(&network, "gcp-2", |_| async { Ok(answer("x")) }.boxed()).await;
    let raw = Raw::new(&network, "gcp-1", &host).await;
    let mut all = raw.connection.subscribe("todo.>").await.unwrap();
    let frame = wire::encode(&Frame::new(5, Kind::Call(call(LATER))));
    let bad = [
        subjects().reply(&id("gcp-9"), "raw", "1"),
        subjects().reply(&id("aws-1"), "raw", "1"),
        "todo.call.gcp.gcp-2.gcp.gcp-2.todo.f".to_owned(),
        "todo.reply.gcp.gcp-1".to_owned(),
        "other.reply.gcp.gcp-1.raw.1".to_owned(),
        "todo.presence.goodbye.gcp.gcp-1".to_owned(),
    ];
    for reply in &bad {
        raw.send(reply, frame.clone()).await;
    }
    raw.connection.publish(&raw.subject, None, frame).await.unwrap();
    until(|| host.server().refused() == bad.len() as u64 + 1).await;
    assert_eq!(host.served(), 0);
    // Nothing was published but what we sent ourselves (and beats).
    while let Some(Some(message)) =
        tokio::time::timeout(Duration::from_millis(10), all.next()).await.ok().filter(Option::is_some)
    {
        assert!(
            message.subject.starts_with("todo.call.gcp.gcp-2.gcp.gcp-1.")
                || message.subject.starts_with("todo.presence."),
            "{}",
            message.subject
        );
    }
}

#[tokio::test(start_paused = true)]
async fn frames_of_other_versions_and_malformed_ones_are_answered_as_such() {
    let network = Network::new(1);
    let host = Host::start(&network, "gcp-2", |_| async { Ok(answer("x")) }.boxed()).await;
    let mut raw = Raw::new(&network, "gcp-1", &host).await;
    let reply = subjects().reply(&id("gcp-1"), "raw", &format!("{:032x}", 5));
    raw.send(&reply, Bytes::from_static(&[9, 1, 2, 3])).await;
    assert_eq!(refused(raw.heard().await), Some(RefusalKind::NotHere));
    raw.send(&reply, Bytes::from_static(&[wire::VERSION, 0xff])).await;
    assert_eq!(refused(raw.heard().await), Some(RefusalKind::Refused));
    assert_eq!(host.served(), 0);
}

#[tokio::test(start_paused = true)]
async fn another_host_cannot_touch_a_call() {
    let network = Network::new(1);
    let host = Host::start(&network, "gcp-2", |call| {
        async move {
            let body = call.body.collect(1000).await;
            Ok(crate::Answer { values: body.unwrap_or_default(), body: Body::Empty })
        }
        .boxed()
    })
    .await;
    let mut raw = Raw::new(&network, "gcp-1", &host).await;
    raw.kind(5, Kind::Call(Call { streamed: true, ..call(LATER) })).await;
    assert!(matches!(raw.heard().await.unwrap().kind, Some(Kind::Credit(_))));
    // The same id, from another host: no data, no reset, no answer.
    let other = Raw::new(&network, "aws-1", &host).await;
    let reply = subjects().reply(&id("aws-1"), "raw", &format!("{:032x}", 5));
    for kind in [
        Kind::Data(Data { sequence: 0, bytes: Bytes::from_static(b"evil"), end: true, trailers: None }),
        Kind::Reset(Reset { request: true, answer: true, reason: "evil".into() }),
        Kind::Call(call(LATER)),
    ] {
        other.send(&reply, wire::encode(&Frame::new(5, kind))).await;
    }
    let good = Data { sequence: 0, bytes: Bytes::from_static(b"good"), end: true, trailers: None };
    raw.kind(5, Kind::Data(good)).await;
    let Some(Kind::Answer(answer)) = raw.heard().await.unwrap().kind else { panic!("an answer") };
    assert_eq!(&answer.values[..], b"good");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_sent_is_said_before_it_is() {
    let network = Network::new(1);
    let host = Host::start(&network, "gcp-2", |_| {
        async { Ok(crate::Answer { values: Bytes::from(vec![0; 2 << 20]), body: Body::Empty }) }.boxed()
    })
    .await;
    let client = client(&network, "gcp-1").await;
    let candidates = [host.candidate(Place::OwnSite)];
    let large = crate::Request { values: Bytes::from(vec![0; 2 << 20]), ..request(Safety::Write) };
    assert!(matches!(client.call(&candidates, large).await, Err(CallError::TooLarge { .. })));
    let named = crate::Request { target: "a.b".into(), ..request(Safety::Write) };
    assert!(matches!(client.call(&candidates, named).await, Err(CallError::BadTarget(_))));
    // An answer that is too large was executed all the same.
    let error = client.call(&candidates, request(Safety::Write)).await.unwrap_err();
    assert!(matches!(error, CallError::Failed { .. }), "{error}");
    let none = client.call(&[], request(Safety::Read)).await;
    assert!(matches!(none, Err(CallError::Unavailable { tried: 0, .. })));
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn kind() -> impl Strategy<Value = Kind> {
    let data = (0u64..4, bytes(), any::<bool>(), prop::option::of(bytes()));
    prop_oneof![
        (any::<bool>(), bytes(), 0u64..1 << 40, 6u64..8).prop_map(
            |(streamed, values, deadline, incarnation)| {
                Kind::Call(Call { incarnation, deadline, values, streamed, ..Call::default() })
            }
        ),
        (bytes(), any::<bool>()).prop_map(|(values, streamed)| Kind::Answer(Answer {
            values,
            body: None,
            streamed
        })),
        (any::<i32>(), ".{0,5}").prop_map(|(kind, reason)| Kind::Refusal(RefusalFrame { kind, reason })),
        data.prop_map(|(sequence, bytes, end, trailers)| {
            Kind::Data(Data { sequence, bytes, end, trailers })
        }),
        any::<u64>().prop_map(|up_to| Kind::Credit(Credit { up_to })),
        any::<(bool, bool)>().prop_map(|(request, answer)| Kind::Reset(Reset {
            request,
            answer,
            reason: String::new()
        })),
    ]
}

/// Random bytes, right frames in any order, and right frames with bytes changed or cut off.
fn payload() -> impl Strategy<Value = Bytes> {
    let frame = (0u128..3, kind()).prop_map(|(id, kind)| wire::encode(&Frame::new(id, kind)).to_vec());
    let mutated = (
        frame.prop_map(Vec::from),
        prop::collection::vec((any::<usize>(), any::<u8>()), 0..4),
        prop::option::of(any::<usize>()),
    )
        .prop_map(|(mut frame, changes, cut)| {
            for (at, byte) in changes {
                let at = at % frame.len();
                frame[at] = byte;
            }
            if let Some(cut) = cut {
                frame.truncate(cut % (frame.len() + 1));
            }
            frame
        });
    prop_oneof![prop::collection::vec(any::<u8>(), 0..200), mutated].prop_map(Bytes::from)
}

/// Thousands of bad messages at a server and at a client; afterwards both work, and nothing is left behind.
#[tokio::test(start_paused = true)]
async fn bad_frames_do_no_harm() {
    let network = Network::new(1);
    let host = Host::start(&network, "gcp-2", |call| {
        async move {
            let body = call.body.collect(1000).await;
            Ok(crate::Answer { values: call.values, body: Body::Whole(body.unwrap_or_default()) })
        }
        .boxed()
    })
    .await;
    let client = client(&network, "gcp-1").await;
    let raw = Raw::new(&network, "gcp-1", &host).await;
    let candidates = [host.candidate(Place::OwnSite)];
    // A tap on the replies, to learn the client's reply subject.
    let mut tap = raw.connection.subscribe("todo.reply.gcp.gcp-1.*.*").await.unwrap();
    let (mut runner, payload) = (TestRunner::deterministic(), payload());
    let mut replies = Vec::new();
    for round in 0..60 {
        client.call(&candidates, request(Safety::Write)).await.unwrap();
        while let Some(Some(message)) = tap.next().now_or_never() {
            if !message.subject.contains(".raw.") {
                replies = vec![message.subject.to_string()];
            }
        }
        let prefix = replies[0].rsplit_once('.').unwrap().0.to_owned();
        for number in 0..50u32 {
            let payload = payload.new_tree(&mut runner).unwrap().current();
            let reply = subjects().reply(&id("gcp-1"), "raw", &format!("{:032x}", number % 3));
            raw.send(&reply, payload.clone()).await;
            let to = format!("{prefix}.{:032x}", number % 3);
            raw.connection.publish(&to, None, payload).await.unwrap();
        }
        assert!(client.in_flight() == 0, "round {round}");
    }
    client.call(&candidates, request(Safety::Write)).await.unwrap();
    // Bodies that never came are given up when nothing moves.
    within(LATER * 2, || host.server().in_flight() == 0 && host.server().streams() == 0).await;
    assert_eq!(client.streams(), 0);
}
