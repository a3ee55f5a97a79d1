//! No command is written twice once a byte of it was written, whatever the server does.

use std::sync::Arc;
use std::time::Duration;

use dunlin_providers::keyvalue::{Error, KeyValue};
use dunlin_testkit::eventually_async;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::common::{LONG, connect, context, settings, within};
use crate::fake::{Deed, Fake};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_is_written_at_most_once_and_its_end_is_told_right() {
    let fake = Fake::start(|number| match number % 120 {
        30 => Deed::Close,
        70 => Deed::CloseWithin,
        110 => Deed::Babble,
        _ => Deed::Answer,
    })
    .await;
    let store = connect(settings(fake.address)).await;
    let mut writers = JoinSet::new();
    for writer in 0..20 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let mut results = Vec::new();
            for round in 0..30 {
                let mark = format!("{writer}.{round}");
                // Some larger than a socket takes at once.
                let value = format!("<{mark}>") + &"x".repeat(if round % 10 == 3 { 300_000 } else { round });
                let result = store.set(&context(), "b", "k", value.into()).await;
                if result.is_err() {
                    tokio::time::timeout(LONG, store.ready()).await.unwrap();
                }
                results.push((mark, result));
            }
            results
        });
    }
    let results: Vec<_> = writers.join_all().await.into_iter().flatten().collect();
    drop(store);
    eventually_async("all connections to end", LONG, async || fake.ended()).await;
    let marks = fake.marks();
    let (mut fine, mut unknown, mut not) = (0, 0, 0);
    for (mark, result) in &results {
        let times = marks.get(mark).copied().unwrap_or(0);
        match result {
            Ok(()) => (fine, _) = (fine + 1, assert_eq!(times, 1, "{mark}")),
            Err(Error::Unknown(_)) => (unknown, _) = (unknown + 1, assert!(times <= 1, "{mark}: {times}")),
            Err(Error::NotExecuted(_)) => (not, _) = (not + 1, assert_eq!(times, 0, "{mark}")),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(fine > 300 && unknown > 10, "{fine} fine, {unknown} unknown, {not} not executed");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_unknown() {
    for deed in [Deed::Close, Deed::CloseWithin, Deed::Babble] {
        let fake = Fake::start(move |number| if number == 0 { deed } else { Deed::Answer }).await;
        let store = connect(settings(fake.address)).await;
        let error = store.set(&context(), "b", "k", "<mark>".into()).await.unwrap_err();
        assert!(matches!(&error, Error::Unknown(reason) if reason.contains("lost")), "{deed:?}: {error}");
        assert_eq!(store.set(&context(), "b", "k", "v".into()).await, Ok(()));
        drop(store);
        eventually_async("the connections to end", LONG, async || fake.ended()).await;
        assert_eq!(fake.marks().get("mark"), Some(&1));
    }
}

#[tokio::test]
async fn what_the_server_says_it_did_not_know_is_asked_once_more() {
    let fake = Fake::start(|number| if number < 2 { Deed::NoScript } else { Deed::Answer }).await;
    let store = connect(settings(fake.address)).await;
    // A server that forgets even what it was just told is not asked for ever.
    let error = store.set(&context(), "b", "k", "<first>".into()).await.unwrap_err();
    assert!(matches!(&error, Error::NotExecuted(_)), "{error}");
    assert_eq!(store.set(&context(), "b", "k", "<second>".into()).await, Ok(()));
    drop(store);
    eventually_async("the connection to end", LONG, async || fake.ended()).await;
    assert_eq!(fake.marks(), [("first".to_owned(), 2), ("second".to_owned(), 1)].into());
}

/// What a caller was told before anything was written.
fn is_not_executed(result: &Result<(), Error>) -> bool {
    matches!(result, Err(Error::NotExecuted(_)))
}

// One thread: an operation that was begun is in the queue before anybody else runs.
#[tokio::test]
async fn what_a_caller_gives_up_before_it_is_written_is_never_written() {
    let fake = Fake::start(|number| if number == 0 { Deed::Sleep } else { Deed::Answer }).await;
    let store = connect(settings(fake.address)).await;
    let mut first = JoinSet::new();
    // More than the sockets on the way take.
    for value in ["<first>".to_owned()].into_iter().chain((0..6).map(|_| "x".repeat(8 << 20))) {
        let store = Arc::clone(&store);
        first.spawn(
            async move { store.set(&within(Duration::from_millis(900)), "b", "k", value.into()).await },
        );
    }
    while first.len() == 7 && fake.commands() == 0 {
        tokio::task::yield_now().await;
    }
    let long = context();
    let dropped = store.set(&long, "b", "k", "<dropped>".into());
    let dropped = tokio::time::timeout(Duration::from_millis(50), dropped).await;
    assert!(dropped.is_err() || dropped.is_ok_and(|result| is_not_executed(&result)));
    assert!(is_not_executed(&store.set(&within(Duration::from_millis(50)), "b", "k", "<late>".into()).await));
    let results = first.join_all().await;
    assert!(results.iter().any(is_not_executed) && results.iter().any(|result| !is_not_executed(result)));

    fake.wake();
    tokio::time::timeout(LONG, store.ready()).await.unwrap();
    assert_eq!(store.set(&context(), "b", "k", "<after>".into()).await, Ok(()));
    drop(store);
    eventually_async("the connections to end", LONG, async || fake.ended()).await;
    assert_eq!(fake.marks(), [("after".to_owned(), 1), ("first".to_owned(), 1)].into());
}

#[tokio::test]
async fn a_server_whose_clock_is_set_is_believed_soon() {
    let fake = Fake::start(|_| Deed::Answer).await;
    let store = connect(settings(fake.address)).await;
    assert_eq!(store.set(&context(), "b", "k", "v".into()).await, Ok(()));
    fake.set_clock(3600);
    // It refuses what comes in time, until we have asked it for its time.
    let early = store.set(&context(), "b", "k", "v".into()).await;
    assert!(matches!(&early, Err(Error::NotExecuted(reason)) if reason.contains("deadline")), "{early:?}");
    let asked = Instant::now();
    let again = async || store.set(&context(), "b", "k", "v".into()).await.ok();
    eventually_async("the new time to be known", LONG, again).await;
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    fake.set_clock(-7200);
    assert_eq!(store.set(&context(), "b", "k", "v".into()).await, Ok(()));
}
