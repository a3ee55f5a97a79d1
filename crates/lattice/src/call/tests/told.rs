//! What is told and counted of calls: attempts, reasons, traces, streams.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::FutureExt;

use super::harness::{Host, answer, client_with, id, request, until};
use crate::call::{Answer, CallSettings, Ending, Refusal, Report};
use crate::memory::Network;
use crate::router::Outcome;
use crate::{Body, BodyBroken, BodyStream, Piece, Place, Safety, TraceContext};

#[tokio::test(start_paused = true)]
async fn a_report_says_who_was_asked_and_why() {
    let network = Network::new(1);
    let busy = Host::start(&network, "gcp-2", |_| async { Err(Refusal::Busy) }.boxed()).await;
    let well = Host::start(&network, "aws-1", |_| async { Ok(answer("well")) }.boxed()).await;
    let client = client_with(&network, "gcp-1", CallSettings::default()).await;
    let candidates = [busy.candidate(Place::OwnSite), well.candidate(Place::OtherSite)];
    let mut report = Report::default();
    let result = client.call_reported(&candidates, request(Safety::Write), &mut report).await;
    assert_eq!(Ending::of(result.as_ref().map_err(|unanswered| &unanswered.error)), Ending::Answered);
    assert_eq!((report.attempts, report.retried.as_slice()), (2, &[Outcome::Busy][..]));
    assert_eq!(report.to, Some((Arc::new(id("aws-1")), Place::OtherSite)));

    let mut report = Report::default();
    let result = client.call_reported(&candidates[..1], request(Safety::Write), &mut report).await;
    assert_eq!(Ending::of(result.as_ref().map_err(|unanswered| &unanswered.error)), Ending::NotExecuted);
    assert_eq!((report.attempts, report.retried.len()), (1, 0));
    let mut report = Report::default();
    assert!(client.call_reported(&[], request(Safety::Write), &mut report).await.is_err());
    assert_eq!((report.attempts, report.to), (0, None));
}

#[tokio::test(start_paused = true)]
async fn the_trace_goes_on_with_a_span_for_every_end() {
    let network = Network::new(1);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&seen);
    let host = Host::start(&network, "gcp-2", move |call| {
        keep.lock().unwrap().push(call.traceparent);
        async { Ok(answer("")) }.boxed()
    })
    .await;
    let client = client_with(&network, "gcp-1", CallSettings::default()).await;
    for (given, sampled) in [(Some(true), true), (Some(false), false), (None, false)] {
        let context = given.map(TraceContext::new);
        let traceparent = context.map(|context| context.to_string());
        let request = crate::Request { traceparent: traceparent.clone(), ..request(Safety::Read) };
        client.call(&[host.candidate(Place::OwnSite)], request).await.unwrap();
        let arrived = seen.lock().unwrap().pop().unwrap();
        assert_ne!(arrived, traceparent.or(Some("something".into())), "spans of their own");
        let arrived = arrived.map(|text| TraceContext::parse(&text).unwrap());
        assert_eq!(
            arrived.map(|arrived| (arrived.trace_id().to_string(), arrived.sampled())),
            context.map(|context| (context.trace_id().to_string(), sampled))
        );
    }
    // What cannot be read is not passed on.
    let request = crate::Request { traceparent: Some("nonsense".into()), ..request(Safety::Read) };
    client.call(&[host.candidate(Place::OwnSite)], request).await.unwrap();
    assert_eq!(seen.lock().unwrap().pop().unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn streams_are_counted_at_both_ends() {
    let network = Network::new(1);
    let (near, far) = (CallSettings::default(), CallSettings::default());
    let (here, there) = (Arc::clone(&near.counters.streams), Arc::clone(&far.counters.streams));
    let host = Host::with(&network, "gcp-2", far, |call| {
        async move {
            let body = match call.body {
                Body::Stream(_) => {
                    let pieces = [
                        Ok(Piece::Data(Bytes::from_static(b"half"))),
                        Err(BodyBroken::Source("enough".into())),
                    ];
                    Body::Stream(BodyStream::new(futures::stream::iter(pieces)))
                }
                _ => Body::Whole(Bytes::from(vec![7; 200_000])),
            };
            Ok(Answer { values: call.values, body })
        }
        .boxed()
    })
    .await;
    let client = client_with(&network, "gcp-1", near).await;
    let candidates = [host.candidate(Place::OwnSite)];
    let reply = client.call(&candidates, request(Safety::Read)).await.unwrap();
    assert_eq!((here.open(), there.open()), (1, 1));
    assert_eq!(reply.body.collect(1 << 20).await.unwrap().len(), 200_000);
    until(|| here.open() == 0 && there.open() == 0).await;
    assert_eq!((here.received(), there.sent(), here.sent(), there.received()), (200_000, 200_000, 0, 0));
    assert!(here.broken().chain(there.broken()).all(|(_, count)| count == 0));

    let pieces = futures::stream::iter([Ok(Piece::Data(Bytes::from_static(b"never read")))]);
    let body = Body::Stream(BodyStream::new(pieces));
    let reply = client.call(&candidates, crate::Request { body, ..request(Safety::Read) }).await.unwrap();
    reply.body.collect(1 << 20).await.unwrap_err();
    let count = |counters: &crate::StreamCounters, reason| {
        counters.broken().find(|(word, _)| *word == reason).map(|(_, count)| count)
    };
    until(|| here.open() == 0 && there.open() == 0).await;
    assert_eq!((count(&there, "source"), count(&here, "reset")), (Some(1), Some(2)), "{here:?} {there:?}");
    assert_eq!(count(&there, "unread"), Some(1), "the request's body");
}
