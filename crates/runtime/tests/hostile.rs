//! Guests that mean harm: the client gets a sensible status, and the next request and the others are unharmed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::time::Duration;

use common::{ask, engine, eventually, guest, text, whole, workload};
use dunlin_runtime::{BodyError, Engine, HandleError, Limits, Workload};
use http::StatusCode;
use tokio::time::Instant;

const SHORT: Duration = Duration::from_millis(300);

fn limits() -> Limits {
    Limits { memory: 16 << 20, body_idle: SHORT, start: Duration::from_secs(2), ..Limits::default() }
}

/// An honest neighbour answers at once, throughout and after.
async fn unharmed(engine: &Engine) {
    let neighbour = workload(engine, &guest("(call $ok (local.get $out))"), limits()).await;
    assert_eq!(whole(&neighbour, "/").await, (StatusCode::OK, "ok".to_owned()));
}

async fn bad(engine: &Engine, code: &str) -> Workload {
    workload(engine, &guest(code), limits()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_guest_answers() {
    unharmed(&engine()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_loop_is_stopped_at_the_deadline_and_holds_no_thread() {
    let engine = engine();
    let looping = bad(&engine, "(loop $l (br $l))").await;
    let neighbour = workload(&engine, &guest("(call $ok (local.get $out))"), limits()).await;
    whole(&neighbour, "/").await;
    let start = Instant::now();
    // Ten times as many loops as there are threads.
    let loops: Vec<_> = (0..20)
        .map(|_| {
            let looping = looping.clone();
            tokio::spawn(async move { ask(&looping, "/", Duration::from_secs(1)).await.unwrap_err() })
        })
        .collect();
    eventually("all loops run", || looping.counts().instances == 20).await;
    let mut waits = Vec::new();
    for _ in 0..20 {
        let asked = Instant::now();
        whole(&neighbour, "/").await;
        waits.push(asked.elapsed());
    }
    // The median: the machine has other work too.
    waits.sort_unstable();
    assert!(waits[10] < Duration::from_millis(250), "{waits:?}");
    for answer in loops {
        assert_eq!(answer.await.unwrap(), HandleError::TimedOut);
    }
    assert!(start.elapsed() < Duration::from_secs(5));
    eventually("all loops are gone", || looping.counts().instances == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_memory_bomb_hits_its_own_limit() {
    let engine = engine();
    let bomb =
        bad(&engine, "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable")
            .await;
    let error = ask(&bomb, "/", Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(error, HandleError::Memory { limit: 16 << 20 });
    assert_eq!(error.status(), 500);
    assert_eq!(bomb.counts().out_of_memory, 1);
    unharmed(&engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deep_recursion_and_traps_are_told() {
    let engine = engine();
    for (code, reason) in [
        ("(drop (call $deeper (i32.const 0)))", "call stack exhausted"),
        ("unreachable", "unreachable"),
        ("(drop (i32.load (i32.const 0x7fffffff)))", "out of bounds"),
        ("(drop (i32.div_u (i32.const 1) (local.get $i)))", "divide by zero"),
    ] {
        let bad = bad(&engine, code).await;
        for _ in 0..3 {
            let error = ask(&bad, "/", Duration::from_secs(5)).await.unwrap_err();
            let HandleError::Trapped(told) = &error else { panic!("{error}") };
            assert!(told.contains(reason), "{told}");
            assert_eq!(error.status(), 500);
        }
        assert_eq!(bad.in_flight(), 0);
    }
    unharmed(&engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_ends_at_the_deadline() {
    let engine = engine();
    let silent = bad(&engine, "(call $wait (i64.const 60000000000))").await;
    let start = Instant::now();
    let error = ask(&silent, "/", SHORT).await.unwrap_err();
    assert_eq!((error.clone(), error.status().as_u16()), (HandleError::TimedOut, 504));
    assert!(error.may_have_executed());
    assert!(start.elapsed() < SHORT * 3);
    eventually("it is gone", || silent.counts().instances == 0).await;
    unharmed(&engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn returning_without_an_answer_is_told() {
    let engine = engine();
    let mute = bad(&engine, "").await;
    assert_eq!(ask(&mute, "/", Duration::from_secs(5)).await.unwrap_err(), HandleError::NoAnswer);
    unharmed(&engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_body_breaks_visibly() {
    let engine = engine();
    let begin = "(local.set $body (call $answer (local.get $out)))
        (call $write (local.get $body) (i32.const 0) (i32.const 2))";
    for (end, expected) in [
        ("unreachable", BodyError::Trapped("wasm trap: wasm `unreachable` instruction executed".to_owned())),
        ("(call $wait (i64.const 60000000000))", BodyError::Stalled),
        ("(loop $l (br $l))", BodyError::Stalled),
    ] {
        let half = bad(&engine, &format!("{begin} {end}")).await;
        let start = Instant::now();
        let response = ask(&half, "/", Duration::from_secs(60)).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(half.in_flight(), 1);
        assert_eq!(text(response).await.unwrap_err(), expected, "{end}");
        assert!(start.elapsed() < Duration::from_secs(2));
        assert_eq!((half.in_flight(), half.counts().broken_bodies), (0, 1));
    }
    unharmed(&engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_cannot_keep_an_instance() {
    let engine = engine();
    // The head, and then more than any buffer takes.
    let long = bad(
        &engine,
        "(local.set $body (call $answer (local.get $out)))
         (loop $l (call $write (local.get $body) (i32.const 0) (i32.const 4096)) (br $l))",
    )
    .await;
    let response = ask(&long, "/", Duration::from_secs(60)).await.unwrap();
    eventually("it is stopped", || long.counts().instances == 0).await;
    assert_eq!(text(response).await.unwrap_err(), BodyError::Stalled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_body_that_moves_is_let_be() {
    let engine = engine();
    let slow = bad(
        &engine,
        "(local.set $body (call $answer (local.get $out)))
         (loop $l
           (call $wait (i64.const 100000000))
           (call $write (local.get $body) (i32.const 0) (i32.const 2))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $l (i32.lt_u (local.get $i) (i32.const 10))))
         (call $finish (local.get $body))",
    )
    .await;
    // Longer than the deadline of its head and than it may stand still.
    let response = ask(&slow, "/", Duration::from_millis(500)).await.unwrap();
    assert_eq!(text(response).await.unwrap(), "ok".repeat(10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn huge_headers_are_refused() {
    let engine = engine();
    let modest = bad(&engine, "(call $headers (local.get $out) (i32.const 20))").await;
    assert_eq!(ask(&modest, "/", Duration::from_secs(5)).await.unwrap().headers().len(), 20);
    let huge = bad(&engine, "(call $headers (local.get $out) (i32.const 2000))").await;
    assert!(matches!(ask(&huge, "/", Duration::from_secs(5)).await.unwrap_err(), HandleError::Trapped(_)));
    unharmed(&engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn computing_on_after_the_answer_ends_too() {
    let engine = engine();
    let after = bad(&engine, "(call $ok (local.get $out)) (loop $l (br $l))").await;
    assert_eq!(whole(&after, "/").await.1, "ok");
    eventually("it is stopped", || after.counts().instances == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_may_be_are_turned_away_at_once() {
    let engine = engine();
    let limits = Limits { max_concurrency: 2, ..limits() };
    let slow =
        workload(&engine, &guest("(call $wait (i64.const 300000000)) (call $ok (local.get $out))"), limits)
            .await;
    let start = Instant::now();
    let asked: Vec<_> = (0..6)
        .map(|_| {
            let slow = slow.clone();
            tokio::spawn(async move {
                ask(&slow, "/", Duration::from_secs(5)).await.map(|answer| answer.status())
            })
        })
        .collect();
    let mut served = 0;
    for answer in asked {
        match answer.await.unwrap() {
            Ok(status) => served += usize::from(status == 200),
            Err(error) => {
                assert!(matches!(error, HandleError::Busy(_)), "{error}");
                assert_eq!((error.status().as_u16(), error.retry_after()), (503, Some(1)));
                assert!(!error.may_have_executed());
            }
        }
    }
    assert_eq!(served, 2);
    assert!(start.elapsed() < Duration::from_secs(3));
    assert_eq!(slow.counts().busy, 4);
    for _ in 0..4 {
        assert_eq!(whole(&slow, "/").await.1, "ok");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_does_not_end_is_given_up() {
    let engine = engine();
    let code = guest("(call $ok (local.get $out))");
    let code = code.replace(
        "(func (export \"handle\")",
        "(func $start (loop $l (br $l))) (start $start) (func (export \"handle\")",
    );
    let limits = Limits { start: SHORT, ..limits() };
    let stuck = workload(&engine, &code, limits).await;
    let error = ask(&stuck, "/", Duration::from_secs(5)).await.unwrap_err();
    assert!(matches!(error, HandleError::Start(_)), "{error}");
    assert!(!error.may_have_executed());
    unharmed(&engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_cannot_be_are_refused() {
    let engine = engine();
    let limits = Limits { request_body: 10, ..limits() };
    let workload = workload(&engine, &guest("(call $ok (local.get $out))"), limits).await;
    let request = |body: &'static str| {
        http::Request::post("/")
            .header("host", "a")
            .body(http_body_util::Full::new(bytes::Bytes::from(body)))
            .unwrap()
    };
    let context = || common::within(Duration::from_secs(5));
    assert!(workload.handle(request("0123456789"), context()).await.is_ok());
    let error = workload.handle(request("0123456789a"), context()).await.unwrap_err();
    assert_eq!((error.clone(), error.status().as_u16()), (HandleError::BodyTooLarge { limit: 10 }, 413));
    let bare = http::Request::get("/").body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
    assert_eq!(workload.handle(bare, context()).await.unwrap_err().status(), 400);
    let late = common::within(Duration::ZERO);
    assert_eq!(workload.handle(common::get("/"), late).await.unwrap_err(), HandleError::DeadlinePassed);
    assert_eq!(workload.probe("/", context().deadline).await.unwrap(), 200);
    assert_eq!(workload.probe("no path", context().deadline).await.unwrap_err().status(), 400);
}
