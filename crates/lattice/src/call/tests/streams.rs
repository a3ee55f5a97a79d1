//! Bodies over credit: whole, bounded, at the reader's speed, and visibly broken when they break.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use tokio::sync::Mutex;

use super::harness::{Buses, Host, Outcome, answer, client, client_with, id, request, until, within};
use super::once::{Raw, call};
use crate::call::frames::{Data, Kind};
use crate::call::{CallSettings, Report};
use crate::memory::Network;
use crate::stream::StreamLimits;
use crate::{
    Answer, Body, BodyBroken, BodyStream, CallClient, CallError, Incoming, Piece, Place, Refusal, Request,
    Safety,
};

pub(super) const CHUNK: usize = 100_000;

/// A body of `count` chunks that counts how many were taken from it.
pub(super) fn counted(count: usize, taken: &Arc<AtomicUsize>) -> Body {
    let taken = Arc::clone(taken);
    let pieces = futures::stream::iter(0..count).map(move |number| {
        taken.fetch_add(1, Ordering::Relaxed);
        Ok(Piece::Data(Bytes::from(vec![number as u8; CHUNK])))
    });
    Body::Stream(BodyStream::new(pieces))
}

pub(super) async fn echo(call: Incoming) -> Outcome {
    Ok(Answer { values: call.values, body: call.body })
}

/// Reads to the end; the length, and how it ended.
pub(super) async fn drain(body: &mut BodyStream) -> (usize, Option<BodyBroken>) {
    let mut length = 0;
    while let Some(piece) = body.next().await {
        match piece {
            Ok(Piece::Data(bytes)) => length += bytes.len(),
            Ok(Piece::Trailers(_)) => {}
            Err(broken) => return (length, Some(broken)),
        }
    }
    (length, None)
}

pub(super) fn stream(body: Body) -> BodyStream {
    match body {
        Body::Stream(stream) => stream,
        other => panic!("a stream, not {other:?}"),
    }
}

pub(super) async fn freed(client: &CallClient, host: &Host) {
    until(|| client.streams() == 0 && host.server().streams() == 0 && client.in_flight() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn fifty_megabytes_there_and_back_within_the_windows() {
    let network = Network::new(1);
    there_and_back(&network, 500).await;
    assert_eq!(network.dropped(), 0);
}

pub(super) async fn there_and_back(network: &dyn Buses, count: usize) {
    let host = Host::start(network, "gcp-2", |call| echo(call).boxed()).await;
    let client = client(network, "gcp-1").await;
    let taken = Arc::new(AtomicUsize::new(0));
    let request = Request { body: counted(count, &taken), ..request(Safety::Write) };
    let reply = client.call(&[host.candidate(Place::OwnSite)], request).await.unwrap();
    let (mut read, mut body) = (0, stream(reply.body));
    let window = StreamLimits::default().window as usize;
    while let Some(piece) = body.next().await {
        let Piece::Data(bytes) = piece.unwrap() else { panic!("no trailers") };
        read += bytes.len();
        // What was taken and not yet read is somewhere in memory: one window each way, and what is in hand.
        let waiting = taken.load(Ordering::Relaxed) * CHUNK - read;
        assert!(waiting <= 2 * window + 4 * CHUNK, "{waiting} bytes wait");
    }
    assert_eq!(read, count * CHUNK);
    freed(&client, &host).await;
}

#[tokio::test(start_paused = true)]
async fn a_large_whole_body_and_trailers_arrive() {
    whole_with_trailers(&Network::new(1)).await;
}

pub(super) async fn whole_with_trailers(network: &dyn Buses) {
    let host = Host::start(network, "gcp-2", |call| {
        async move {
            let all = call.body.collect(10_000_000).await.unwrap();
            let pieces = [Piece::Data(all), Piece::Trailers(Bytes::from_static(b"end"))].map(Ok);
            let body = Body::Stream(BodyStream::new(futures::stream::iter(pieces)));
            Ok(Answer { values: Bytes::new(), body })
        }
        .boxed()
    })
    .await;
    let client = client(network, "gcp-1").await;
    let sent = Bytes::from((0..3_000_000u32).map(|number| number as u8).collect::<Vec<_>>());
    let request = Request { body: Body::Whole(sent.clone()), ..request(Safety::Write) };
    let reply = client.call(&[host.candidate(Place::OwnSite)], request).await.unwrap();
    let pieces: Vec<Piece> = stream(reply.body).map(Result::unwrap).collect().await;
    let got = pieces.iter().filter_map(|piece| match piece {
        Piece::Data(bytes) => Some(bytes.to_vec()),
        Piece::Trailers(_) => None,
    });
    assert_eq!(got.collect::<Vec<_>>().concat(), sent);
    assert_eq!(pieces.last(), Some(&Piece::Trailers(Bytes::from_static(b"end"))));
    freed(&client, &host).await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_stops_the_writer() {
    let network = Network::new(1);
    let host = Host::start(&network, "gcp-2", |call| echo(call).boxed()).await;
    let client = client(&network, "gcp-1").await;
    let taken = Arc::new(AtomicUsize::new(0));
    let request = Request { body: counted(1000, &taken), ..request(Safety::Write) };
    let reply = client.call(&[host.candidate(Place::OwnSite)], request).await.unwrap();
    let mut body = stream(reply.body);
    body.next().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let stopped = taken.load(Ordering::Relaxed);
    assert!(stopped < 30, "{stopped} chunks were taken although nobody reads");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(taken.load(Ordering::Relaxed), stopped);
    assert_eq!(drain(&mut body).await, (999 * CHUNK, None), "and goes on when it is read");
}

#[tokio::test(start_paused = true)]
async fn a_body_moves_only_to_a_host_that_wants_it() {
    moves_when_wanted(&Network::new(1)).await;
}

pub(super) async fn moves_when_wanted(network: &dyn Buses) {
    let taken = Arc::new(AtomicUsize::new(0));
    let first = Host::start(network, "gcp-2", |_| async { Err(Refusal::Draining) }.boxed()).await;
    let second = Host::start(network, "aws-1", |call| echo(call).boxed()).await;
    let client = client(network, "gcp-1").await;
    let candidates = [first.candidate(Place::OwnSite), second.candidate(Place::OtherSite)];
    let refused = Request { body: counted(20, &taken), ..request(Safety::Write) };
    let mut report = Report::default();
    let unanswered = client.call_reported(&candidates[..1], refused, &mut report).await.unwrap_err();
    assert!(matches!(unanswered.error, CallError::Unavailable { tried: 1, .. }), "{unanswered:?}");
    assert_eq!(taken.load(Ordering::Relaxed), 0);
    // Who refused has nothing of it: the same request may go to whoever is known a moment later.
    let moved = *unanswered.again.unwrap();
    let reply = client.call(&candidates[1..], moved).await.unwrap();
    assert_eq!(drain(&mut stream(reply.body)).await, (20 * CHUNK, None));
    let moved = Request { body: counted(20, &taken), ..request(Safety::Write) };
    let reply = client.call(&candidates, moved).await.unwrap();
    assert_eq!(drain(&mut stream(reply.body)).await, (20 * CHUNK, None));
    freed(&client, &second).await;
    // Once some of it was taken it cannot be sent again, and nobody tries.
    let greedy = Host::start(network, "gcp-3", |call| {
        async move {
            let _first = stream(call.body).next().await;
            Err(Refusal::Draining)
        }
        .boxed()
    })
    .await;
    let candidates = [greedy.candidate(Place::OwnSite), second.candidate(Place::OtherSite)];
    let begun = Request { body: counted(20, &taken), ..request(Safety::Write) };
    let mut report = Report::default();
    let unanswered = client.call_reported(&candidates, begun, &mut report).await.unwrap_err();
    assert!(matches!(unanswered.error, CallError::Unavailable { tried: 1, .. }), "{unanswered:?}");
    assert!(unanswered.again.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_answer_may_come_before_the_request_body_ends() {
    early_answer(&Network::new(1)).await;
}

pub(super) async fn early_answer(network: &dyn Buses) {
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let host = Host::start(network, "gcp-2", move |call| {
        let keep = Arc::clone(&keep);
        async move {
            *keep.lock().await = Some(stream(call.body));
            Ok(answer("early"))
        }
        .boxed()
    })
    .await;
    let client = client(network, "gcp-1").await;
    let (mut sender, body) = BodyStream::channel(1);
    let request = Request { body: Body::Stream(body), ..request(Safety::Write) };
    let reply = client.call(&[host.candidate(Place::OwnSite)], request).await.unwrap();
    assert_eq!(&reply.values[..], b"early");
    let mut body = kept.lock().await.take().unwrap();
    let write = async {
        for _ in 0..100 {
            sender.send(Bytes::from(vec![1; CHUNK])).await.unwrap();
        }
        sender.finish(None).await;
    };
    let (read, ()) = tokio::join!(drain(&mut body), write);
    assert_eq!(read, (100 * CHUNK, None));
    freed(&client, &host).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_breaks_both_ends() {
    for cut in ["gcp-1", "gcp-2"] {
        let network = Network::new(1);
        let host = Host::start(&network, "gcp-2", |call| echo(call).boxed()).await;
        let client = client(&network, "gcp-1").await;
        let taken = Arc::new(AtomicUsize::new(0));
        let request = Request { body: counted(1000, &taken), ..request(Safety::Write) };
        let reply = client.call(&[host.candidate(Place::OwnSite)], request).await.unwrap();
        let mut body = stream(reply.body);
        body.next().await.unwrap().unwrap();
        network.faults().disconnect(&id(cut));
        network.faults().reconnect(&id(cut));
        let (length, broken) = drain(&mut body).await;
        assert!(broken.is_some() && length < 1000 * CHUNK, "{cut}: {length} {broken:?}");
        freed(&client, &host).await;
    }
}

#[tokio::test(start_paused = true)]
async fn silence_breaks_a_stream_at_both_ends() {
    let network = Network::new(1);
    let host = Host::start(&network, "gcp-2", |call| echo(call).boxed()).await;
    let client = client(&network, "gcp-1").await;
    let taken = Arc::new(AtomicUsize::new(0));
    let request = Request { body: counted(1000, &taken), ..request(Safety::Write) };
    let reply = client.call(&[host.candidate(Place::OwnSite)], request).await.unwrap();
    let mut body = stream(reply.body);
    body.next().await.unwrap().unwrap();
    network.faults().partition(&id("gcp-1"), &id("gcp-2"));
    network.faults().partition(&id("gcp-2"), &id("gcp-1"));
    let (_, broken) = drain(&mut body).await;
    let idle = StreamLimits::default().idle;
    assert_eq!(broken, Some(BodyBroken::Idle(idle)));
    within(idle * 2, || client.streams() == 0 && host.server().streams() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_frame_breaks_the_body() {
    let network = Network::new(1);
    let host = Host::start(&network, "gcp-2", |call| {
        async move {
            match call.body.collect(1000).await {
                Ok(_) => Ok(answer("whole")),
                Err(broken) => Err(Refusal::Failed(broken.to_string())),
            }
        }
        .boxed()
    })
    .await;
    let mut raw = Raw::new(&network, "gcp-1", &host).await;
    let streamed = crate::call::frames::Call { streamed: true, ..call(Duration::from_secs(60)) };
    raw.kind(5, Kind::Call(streamed)).await;
    assert!(matches!(raw.heard().await.unwrap().kind, Some(Kind::Credit(_))));
    for sequence in [0, 2] {
        let data = Data { sequence, bytes: Bytes::from_static(b"x"), end: false, trailers: None };
        raw.kind(5, Kind::Data(data)).await;
    }
    let kinds = [raw.heard().await.unwrap().kind, raw.heard().await.unwrap().kind];
    assert!(kinds.iter().any(|kind| matches!(kind, Some(Kind::Reset(_)))), "{kinds:?}");
    until(|| host.server().streams() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn either_end_may_give_up() {
    given_up(&Network::new(1)).await;
}

pub(super) async fn given_up(network: &dyn Buses) {
    let host = Host::start(network, "gcp-2", |call| echo(call).boxed()).await;
    let client = client(network, "gcp-1").await;
    let candidates = [host.candidate(Place::OwnSite)];
    let taken = Arc::new(AtomicUsize::new(0));
    // The reader of the answer.
    let reading = Request { body: counted(1000, &taken), ..request(Safety::Write) };
    let reply = client.call(&candidates, reading).await.unwrap();
    drop(reply);
    freed(&client, &host).await;
    assert!(taken.load(Ordering::Relaxed) < 100);
    // The writer of the request.
    let (mut sender, body) = BodyStream::channel(1);
    let writing = Request { body: Body::Stream(body), ..request(Safety::Write) };
    let reply = client.call(&candidates, writing).await.unwrap();
    sender.send(Bytes::from(vec![1; CHUNK])).await.unwrap();
    drop(sender);
    let (_, broken) = drain(&mut stream(reply.body)).await;
    assert!(matches!(broken, Some(BodyBroken::Reset(_))), "{broken:?}");
    freed(&client, &host).await;
}

#[tokio::test(start_paused = true)]
async fn streams_are_bounded_in_number() {
    let network = Network::new(1);
    let limits = StreamLimits { streams: 4, ..StreamLimits::default() };
    let settings = CallSettings { streams: limits, ..CallSettings::default() };
    let host = Host::with(&network, "gcp-2", settings.clone(), |call| echo(call).boxed()).await;
    let client = client_with(&network, "gcp-1", CallSettings::default()).await;
    let candidates = [host.candidate(Place::OwnSite)];
    let taken = Arc::new(AtomicUsize::new(0));
    let mut open = Vec::new();
    for _ in 0..4 {
        let request = Request { body: counted(1000, &taken), ..request(Safety::Write) };
        open.push(client.call(&candidates, request).await.unwrap());
    }
    let fifth = || Request { body: counted(1000, &taken), ..request(Safety::Write) };
    let error = client.call(&candidates, fifth()).await.unwrap_err();
    assert!(matches!(error, CallError::Unavailable { .. }), "{error}");
    assert!(client.call(&candidates, request(Safety::Write)).await.is_ok(), "small calls go on");
    drop(open);
    freed(&client, &host).await;
    assert!(client.call(&candidates, fifth()).await.is_ok());
}
