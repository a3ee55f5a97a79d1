//! Every row of the routing table, end to end: the first host does what the row says, the second answers well.

use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use tokio::time::Instant;

use super::harness::{Buses, Host, TIMEOUT, answer, client, id, presence, request, until};
use crate::call::{Answer, CallError, Refusal, Reply};
use crate::memory::Network;
use crate::{Body, BodyBroken, BodyStream, Executed, Piece, Place, Safety};

/// Calls once with the faulty host first; says how it ended, and how often each host executed something.
async fn row(
    network: &dyn Buses,
    safety: Safety,
    faulty: impl Fn() -> Result<Answer, Refusal> + Send + Sync + 'static,
) -> (Result<Reply, CallError>, usize) {
    let first = Host::start(network, "gcp-2", move |_| std::future::ready(faulty()).boxed()).await;
    let second = Host::start(network, "aws-1", |_| async { Ok(answer("second")) }.boxed()).await;
    let client = client(network, "gcp-1").await;
    let candidates = [second.candidate(Place::OtherSite), first.candidate(Place::OwnSite)];
    let result = client.call(&candidates, request(safety)).await;
    assert_eq!(client.in_flight(), 0);
    (result, second.served())
}

#[tokio::test(start_paused = true)]
async fn what_was_not_executed_goes_to_the_next_replica() {
    not_executed(&Network::new(1)).await;
}

pub(super) async fn not_executed(network: &dyn Buses) {
    for safety in [Safety::Read, Safety::Write] {
        let linked = Refusal::NotLinked("store".into());
        for refusal in [Refusal::NotHere, Refusal::Draining, Refusal::Busy, linked] {
            let (result, second) = row(network, safety, move || Err(refusal.clone())).await;
            let reply = result.unwrap();
            assert_eq!((&reply.values[..], &reply.served_by, second), (&b"second"[..], &id("aws-1"), 1));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_responders_goes_to_the_next_replica_at_once() {
    for safety in [Safety::Read, Safety::Write] {
        let network = Network::new(1);
        let first = Host::start(&network, "gcp-2", |_| async { Ok(answer("first")) }.boxed()).await;
        let second = Host::start(&network, "aws-1", |_| async { Ok(answer("second")) }.boxed()).await;
        let client = client(&network, "gcp-1").await;
        let candidates = [first.candidate(Place::OwnSite), second.candidate(Place::OtherSite)];
        network.faults().kill(&id("gcp-2"));
        let start = Instant::now();
        let reply = client.call(&candidates, request(safety)).await.unwrap();
        assert_eq!(&reply.values[..], b"second");
        assert!(start.elapsed() < Duration::from_millis(10));
        // And alone: it is reported as not executed.
        let error = client.call(&candidates[..1], request(safety)).await.unwrap_err();
        assert!(matches!(error, CallError::Unavailable { tried: 1, .. }), "{error}");
        assert_eq!(error.executed(), Executed::No);
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_are_reported() {
    reported(&Network::new(1)).await;
}

pub(super) async fn reported(network: &dyn Buses) {
    for safety in [Safety::Read, Safety::Write] {
        let cases = [
            (Refusal::DeadlinePassed, Executed::No),
            (Refusal::Refused("no".into()), Executed::No),
            (Refusal::Failed("trap".into()), Executed::Yes),
        ];
        for (refusal, executed) in cases {
            let (result, second) = row(network, safety, move || Err(refusal.clone())).await;
            assert_eq!((result.unwrap_err().executed(), second), (executed, 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_of_its_call_only() {
    panic(&Network::new(1)).await;
}

pub(super) async fn panic(network: &dyn Buses) {
    let host = Host::start(network, "gcp-2", |call| {
        async move { if call.values.is_empty() { panic!("hostile") } else { Ok(answer("fine")) } }.boxed()
    })
    .await;
    let client = client(network, "gcp-1").await;
    let candidates = [host.candidate(Place::OwnSite)];
    let bad = crate::Request { values: Bytes::new(), ..request(Safety::Write) };
    assert!(matches!(client.call(&candidates, bad).await, Err(CallError::Failed { .. })));
    assert!(client.call(&candidates, request(Safety::Write)).await.is_ok());
    until(|| host.server().in_flight() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn what_arrives_after_its_deadline_is_not_executed() {
    let network = Network::new(1);
    let host = Host::start(&network, "gcp-2", |_| async { Ok(answer("late")) }.boxed()).await;
    let client = client(&network, "gcp-1").await;
    // A clock of the same incarnation that began ten seconds later: what it calls the future is the past there.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let behind = presence(&network, "gcp-3", 7).await;
    let candidate = host.candidate_by(Place::OwnSite, behind.own_clock());
    let result = client.call(&[candidate], request(Safety::Write)).await;
    assert!(matches!(result, Err(CallError::DeadlinePassed)), "{result:?}");
    assert_eq!(host.served(), 0);
}

#[tokio::test(start_paused = true)]
async fn another_incarnation_is_not_here() {
    let network = Network::new(1);
    let host = Host::start(&network, "gcp-2", |_| async { Ok(answer("new")) }.boxed()).await;
    let client = client(&network, "gcp-1").await;
    let former = presence(&network, "gcp-3", 6).await;
    let candidate = host.candidate_by(Place::OwnSite, former.own_clock());
    let error = client.call(&[candidate], request(Safety::Write)).await.unwrap_err();
    assert!(error.to_string().contains("another incarnation"), "{error}");
    assert_eq!((error.executed(), host.served()), (Executed::No, 0));
}

#[tokio::test(start_paused = true)]
async fn a_frozen_host_does_not_execute_what_it_finds_on_waking() {
    let network = Network::new(1);
    let host = Host::start(&network, "gcp-2", |_| async { Ok(answer("stale")) }.boxed()).await;
    let client = client(&network, "gcp-1").await;
    network.faults().freeze(&id("gcp-2"));
    let result = client.call(&[host.candidate(Place::OwnSite)], request(Safety::Write)).await;
    assert_eq!(result.unwrap_err().executed(), Executed::Unknown);
    network.faults().thaw(&id("gcp-2"));
    tokio::time::sleep(TIMEOUT).await;
    assert_eq!(host.served(), 0);
}

#[tokio::test(start_paused = true)]
async fn silence_is_retried_for_reads_only() {
    for safety in [Safety::Read, Safety::Write] {
        let network = Network::new(1);
        let first = Host::start(&network, "gcp-2", |_| async { Ok(answer("first")) }.boxed()).await;
        let second = Host::start(&network, "aws-1", |_| async { Ok(answer("second")) }.boxed()).await;
        let client = client(&network, "gcp-1").await;
        network.faults().partition(&id("gcp-1"), &id("gcp-2"));
        let candidates = [first.candidate(Place::OwnSite), second.candidate(Place::OtherSite)];
        let start = Instant::now();
        let result = client.call(&candidates, request(safety)).await;
        match safety {
            Safety::Read => {
                assert_eq!(&result.unwrap().values[..], b"second");
                assert!(start.elapsed() < TIMEOUT / 2);
                assert_eq!(client.in_flight(), 0, "the silent attempt is taken back");
            }
            Safety::Write => {
                assert!(matches!(result, Err(CallError::Unknown { .. })));
                assert_eq!((start.elapsed(), second.served()), (TIMEOUT, 0));
            }
        }
        assert_eq!(first.served(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_read_is_not_lost_by_asking_another() {
    let network = Network::new(1);
    let slow = |_| {
        async {
            tokio::time::sleep(Duration::from_secs(4)).await;
            Ok(answer("slow"))
        }
        .boxed()
    };
    let first = Host::start(&network, "gcp-2", slow).await;
    let second = Host::start(&network, "aws-1", slow).await;
    let client = client(&network, "gcp-1").await;
    let candidates = [first.candidate(Place::OwnSite), second.candidate(Place::OtherSite)];
    let reply = client.call(&candidates, request(Safety::Read)).await.unwrap();
    assert_eq!(reply.served_by, id("gcp-2"));
    // The one that was asked as well is told to stop, and does.
    until(|| second.server().in_flight() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_retried_for_reads_only() {
    for safety in [Safety::Read, Safety::Write] {
        let network = Network::new(1);
        let first = Host::start(&network, "gcp-2", |_| std::future::pending().boxed()).await;
        let second = Host::start(&network, "aws-1", |_| async { Ok(answer("second")) }.boxed()).await;
        let client = client(&network, "gcp-1").await;
        let candidates = [first.candidate(Place::OwnSite), second.candidate(Place::OtherSite)];
        let start = Instant::now();
        let cut = async {
            until(|| first.served() == 1).await;
            network.faults().disconnect(&id("gcp-1"));
            network.faults().reconnect(&id("gcp-1"));
        };
        let (result, ()) = tokio::join!(client.call(&candidates, request(safety)), cut);
        assert!(start.elapsed() < Duration::from_secs(1), "not after the deadline: {:?}", start.elapsed());
        match safety {
            Safety::Read => assert_eq!(&result.unwrap().values[..], b"second"),
            Safety::Write => assert_eq!(result.unwrap_err().executed(), Executed::Unknown),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_before_the_first_byte_is_retried_for_reads_only() {
    for safety in [Safety::Read, Safety::Write] {
        let network = Network::new(1);
        let mut first = Host::start(&network, "gcp-2", |_| std::future::pending().boxed()).await;
        let second = Host::start(&network, "aws-1", |_| async { Ok(answer("second")) }.boxed()).await;
        let client = client(&network, "gcp-1").await;
        let candidates = [first.candidate(Place::OwnSite), second.candidate(Place::OtherSite)];
        let served = first.served.clone();
        let stop = async {
            until(|| served.load(std::sync::atomic::Ordering::Relaxed) == 1).await;
            first.server = None;
        };
        let (result, ()) = tokio::join!(client.call(&candidates, request(safety)), stop);
        match safety {
            Safety::Read => assert_eq!(&result.unwrap().values[..], b"second"),
            Safety::Write => assert_eq!(result.unwrap_err().executed(), Executed::Unknown),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_stays_unknown_when_the_next_replica_refuses() {
    let network = Network::new(1);
    let mut first = Host::start(&network, "gcp-2", |_| std::future::pending().boxed()).await;
    let second = Host::start(&network, "aws-1", |_| async { Err(Refusal::NotHere) }.boxed()).await;
    let client = client(&network, "gcp-1").await;
    let candidates = [first.candidate(Place::OwnSite), second.candidate(Place::OtherSite)];
    // It breaks off, and only then the other is asked; and once more, where it is silent until its deadline.
    let served = first.served.clone();
    let stop = async {
        until(|| served.load(std::sync::atomic::Ordering::Relaxed) == 1).await;
        first.server = None;
    };
    let (result, ()) = tokio::join!(client.call(&candidates, request(Safety::Read)), stop);
    assert_eq!((result.unwrap_err().executed(), second.served()), (Executed::Unknown, 1));

    let first = Host::start(&network, "gcp-3", |_| std::future::pending().boxed()).await;
    let candidates = [first.candidate(Place::OwnSite), second.candidate(Place::OtherSite)];
    let error = client.call(&candidates, request(Safety::Read)).await.unwrap_err();
    assert_eq!((error.executed(), second.served()), (Executed::Unknown, 2));
    until(|| first.server().in_flight() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_broken_answer_breaks_visibly_and_is_not_asked_for_elsewhere() {
    let broken = |_| {
        let (mut sender, body) = BodyStream::channel(4);
        tokio::spawn(async move {
            sender.send(Bytes::from_static(b"half")).await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        });
        async { Ok(Answer { values: Bytes::new(), body: Body::Stream(body) }) }.boxed()
    };
    for safety in [Safety::Read, Safety::Write] {
        let network = Network::new(1);
        let first = Host::start(&network, "gcp-2", broken).await;
        let second = Host::start(&network, "aws-1", |_| async { Ok(answer("second")) }.boxed()).await;
        let client = client(&network, "gcp-1").await;
        let candidates = [first.candidate(Place::OwnSite), second.candidate(Place::OtherSite)];
        let reply = client.call(&candidates, request(safety)).await.unwrap();
        let Body::Stream(mut body) = reply.body else { panic!("a stream") };
        assert_eq!(body.next().await, Some(Ok(Piece::Data(Bytes::from_static(b"half")))));
        let end = body.next().await;
        assert!(matches!(end, Some(Err(BodyBroken::Reset(_)))), "{end:?}");
        assert_eq!((body.next().await, second.served()), (None, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn retries_end_with_the_budget() {
    let network = Network::new(1);
    let first = Host::start(&network, "gcp-2", |_| async { Err(Refusal::Busy) }.boxed()).await;
    let second = Host::start(&network, "aws-1", |_| async { Ok(answer("second")) }.boxed()).await;
    let client = client(&network, "gcp-1").await;
    let candidates = [first.candidate(Place::OwnSite), second.candidate(Place::OtherSite)];
    let mut well = 0;
    for _ in 0..1000 {
        well += usize::from(client.call(&candidates, request(Safety::Write)).await.is_ok());
    }
    // A hundred from the floor, one in five from the share, and the little that the clock gave.
    assert!((300..=340).contains(&well), "{well}");
}

#[tokio::test(start_paused = true)]
async fn hosts_that_do_not_answer_are_tried_last() {
    let network = Network::new(1);
    let first = Host::start(&network, "gcp-2", |_| async { Ok(answer("first")) }.boxed()).await;
    let second = Host::start(&network, "aws-1", |_| async { Ok(answer("second")) }.boxed()).await;
    let client = client(&network, "gcp-1").await;
    let candidates = [first.candidate(Place::OwnSite), second.candidate(Place::OtherSite)];
    network.faults().partition(&id("gcp-1"), &id("gcp-2"));
    for _ in 0..3 {
        client.call(&candidates, request(Safety::Read)).await.unwrap();
    }
    let start = Instant::now();
    client.call(&candidates, request(Safety::Write)).await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(10), "not tried while it is ejected");
    network.faults().calm();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let reply = client.call(&candidates, request(Safety::Write)).await.unwrap();
    assert_eq!(&reply.values[..], b"first");
}
