//! What must work: announcements, calls, replies, promises, traces and the proof that nobody listens, across the hub.

use std::time::{Duration, Instant};

use async_nats::StatusCode;
use dunlin_lattice::subjects::Announcement;

use crate::client::SILENCE;
use crate::world::{World, id, subjects};

#[tokio::test(flavor = "multi_thread")]
async fn two_sites_and_a_hub_do_all_that_the_wire_needs() {
    let world = World::start().await;
    let subjects = subjects();
    let (aws, gcp) = (id("aws/aws-1"), id("gcp/gcp-1"));
    let (mut caller, mut callee) = (world.host("aws/aws-1").await, world.host("gcp/gcp-1").await);
    for (client, me) in [(&caller, &aws), (&callee, &gcp)] {
        client.listen(&subjects.announcements()).await;
        client.listen(&subjects.state_asks_to(me)).await;
        client.listen(&subjects.promises_to(me)).await;
        client.listen(&subjects.calls_to(me)).await;
        client.listen(&subjects.replies_to(me, "c1")).await;
        client.listen(&subjects.watches()).await;
    }
    let mut viewer = world.viewer("me", "aws").await;
    viewer.listen(&subjects.traces()).await;
    viewer.listen("todo.presence.>").await;
    // Interest travels in its own time.
    tokio::time::sleep(Duration::from_millis(300)).await;

    for kind in [Announcement::Beat, Announcement::State, Announcement::Goodbye] {
        let subject = subjects.announcement(kind, &aws);
        caller.publish(&subject, "hello").await;
        assert!(callee.next(&subject).await.is_some(), "{subject}: {}", world.hub.log());
        assert!(viewer.next(&subject).await.is_some(), "{subject}");
        assert!(caller.next(&subject).await.is_some(), "its own: {subject}");
        let subject = subjects.announcement(kind, &gcp);
        callee.publish(&subject, "hello").await;
        assert!(caller.next(&subject).await.is_some(), "{subject}");
        assert!(viewer.next(&subject).await.is_some(), "{subject}");
    }

    let (call, reply) =
        (subjects.call(&gcp, &aws, "todo", "wasi:http/handler.handle"), subjects.reply(&aws, "c1", "7"));
    caller.ask(&call, &reply, "question").await;
    let asked = callee.next(&call).await.unwrap();
    assert_eq!((asked.subject.as_str(), asked.reply.as_deref()), (call.as_str(), Some(reply.as_str())));
    callee.publish(&reply, "answer").await;
    let answered = caller.next(&reply).await.unwrap();
    assert_eq!((answered.subject.as_str(), &answered.payload[..]), (reply.as_str(), &b"answer"[..]));

    for subject in [subjects.promise(&gcp, &aws), subjects.state_ask(&gcp, &aws)] {
        caller.publish(&subject, "please").await;
        assert!(callee.next(&subject).await.is_some(), "{subject}");
    }
    viewer.publish(&subjects.watch("me"), "60 s").await;
    assert!(caller.next(&subjects.watch("me")).await.is_some());
    assert!(callee.next(&subjects.watch("me")).await.is_some());
    for (client, me) in [(&caller, &aws), (&callee, &gcp)] {
        let subject = subjects.trace(me, "todo");
        client.publish(&subject, "GET / 200").await;
        assert!(viewer.next(&subject).await.is_some(), "{subject}");
    }

    // A host that is not there: nobody listens, and the server says so at once, near and far.
    for absent in ["gcp/gcp-9", "aws/aws-9", "eu/eu-1"] {
        let begun = Instant::now();
        caller.ask(&subjects.call(&id(absent), &aws, "todo", "f"), &reply, "?").await;
        let answered = caller.next(&reply).await.unwrap();
        assert_eq!(answered.status, Some(StatusCode::NO_RESPONDERS), "{absent}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{absent}: {:?}", begun.elapsed());
    }
    // A host that was there and is gone.
    callee.nats.drain().await.unwrap();
    let gone = Instant::now();
    loop {
        caller.ask(&call, &reply, "?").await;
        // What was under way to it while it left is not answered.
        let answered = caller.within(SILENCE, &reply).await;
        if answered.is_some_and(|answered| answered.status == Some(StatusCode::NO_RESPONDERS)) {
            break;
        }
        assert!(gone.elapsed() < Duration::from_secs(5), "a call to a host that is gone is not refused");
    }
    for client in [&caller, &callee, &viewer] {
        assert_eq!(client.refusals(), Vec::<String>::new());
    }
}
