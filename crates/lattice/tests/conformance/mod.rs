//! What every bus must do, whatever carries it: run by each implementation's own test with two of its hosts.
//!
//! Nothing here waits for a fixed time. A subscription is known to be in force once a later one of the same
//! connection has heard something; that nothing came is known once something sent later has come.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dunlin_lattice::{Bus, BusError, Connection, Message, Subscription};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(10);

/// Runs everything with two hosts' ends of one bus.
pub(crate) async fn suite(one: Arc<dyn Bus>, two: Arc<dyn Bus>) {
    let pair = Pair { a: one.connect("a").await.unwrap(), b: two.connect("b").await.unwrap(), one, two };
    pair.carries_what_was_sent().await;
    pair.matches_patterns().await;
    pair.keeps_order_within_a_connection().await;
    pair.gives_every_subscription_its_copy().await;
    pair.hears_itself().await;
    pair.says_when_nobody_listens().await;
    pair.says_so_to_the_publishing_connection_only().await;
    pair.a_dropped_subscription_is_gone().await;
    pair.a_dropped_connection_ends_its_subscriptions().await;
    pair.bounds_payloads().await;
    pair.refuses_what_is_no_subject().await;
    pair.drops_what_a_slow_consumer_does_not_read().await;
}

struct Pair {
    one: Arc<dyn Bus>,
    two: Arc<dyn Bus>,
    a: Arc<dyn Connection>,
    b: Arc<dyn Connection>,
}

/// A word that no other test uses, so that suites may share a server.
fn word() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("conformance{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

async fn next(subscription: &mut Subscription) -> Message {
    timeout(PATIENCE, subscription.next()).await.expect("no message came").expect("the connection closed")
}

async fn publish(connection: &Arc<dyn Connection>, subject: &str, payload: impl Into<Bytes>) {
    connection.publish(subject, None, payload.into()).await.unwrap();
}

/// Subscribes, and returns once messages of `from` reach the subscription.
async fn listen(to: &Arc<dyn Connection>, pattern: &str, from: &Arc<dyn Connection>) -> Subscription {
    let subscription = to.subscribe(pattern).await.unwrap();
    settle(to, from).await;
    subscription
}

/// Returns once what `to` subscribed to so far is in force for `from`.
async fn settle(to: &Arc<dyn Connection>, from: &Arc<dyn Connection>) {
    let probe = word();
    let mut heard = to.subscribe(&probe).await.unwrap();
    let hearing = async {
        loop {
            publish(from, &probe, "").await;
            if timeout(Duration::from_millis(20), heard.next()).await.is_ok() {
                return;
            }
        }
    };
    timeout(PATIENCE, hearing).await.expect("a subscription never came into force");
}

impl Pair {
    async fn carries_what_was_sent(&self) {
        let subject = format!("{}.one", word());
        let mut heard = listen(&self.b, &subject, &self.a).await;
        self.a.publish(&subject, Some("answer.here"), Bytes::from_static(b"\0todo\xff")).await.unwrap();
        let message = next(&mut heard).await;
        assert_eq!((&*message.subject, message.reply.as_deref()), (subject.as_str(), Some("answer.here")));
        assert_eq!(message.payload, &b"\0todo\xff"[..]);
        assert!(!message.no_responders);
        publish(&self.a, &subject, "").await;
        let empty = next(&mut heard).await;
        assert!(empty.payload.is_empty() && empty.reply.is_none() && !empty.no_responders);
        assert!(self.a.state().borrow().connected && self.a.state().borrow().generation >= 1);
    }

    async fn matches_patterns(&self) {
        for (pattern, subject, matches) in [
            ("a", "a", true),
            ("a", "a.b", false),
            ("a.b", "a", false),
            ("*", "a", true),
            ("*", "a.b", false),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("*.b", "a.b", true),
            ("*.b", "a.c", false),
            ("a.*.c", "a.b.c", true),
            ("a.*.c", "a.b.d", false),
            (">", "a", true),
            ("a.>", "a", false),
            ("a.>", "a.b", true),
            ("a.>", "a.b.c.d", true),
            ("b.>", "a.b", false),
            ("*.>", "a.b", true),
            ("a.*.>", "a.b", false),
            ("a.*.>", "a.b.c", true),
            ("a.b:/@%2E", "a.b:/@%2E", true),
        ] {
            let word = word();
            let mut heard = listen(&self.b, &format!("{word}.{pattern}"), &self.a).await;
            let end = listen(&self.b, &format!("{word}-end"), &self.a).await;
            publish(&self.a, &format!("{word}.{subject}"), "here").await;
            publish(&self.a, &format!("{word}-end"), "").await;
            let mut end = end;
            next(&mut end).await;
            let came = timeout(Duration::from_millis(if matches { 10_000 } else { 1 }), heard.next()).await;
            assert_eq!(came.is_ok(), matches, "{pattern} and {subject}");
        }
    }

    async fn keeps_order_within_a_connection(&self) {
        let word = word();
        let mut heard = listen(&self.b, &format!("{word}.*"), &self.a).await;
        for number in 0..2_000u32 {
            publish(&self.a, &format!("{word}.{}", number % 7), number.to_be_bytes().to_vec()).await;
        }
        for number in 0..2_000u32 {
            assert_eq!(next(&mut heard).await.payload, number.to_be_bytes()[..]);
        }
    }

    async fn gives_every_subscription_its_copy(&self) {
        let word = word();
        let patterns = [format!("{word}.x"), format!("{word}.x"), format!("{word}.*"), format!("{word}.>")];
        let mut subscriptions = Vec::new();
        for connection in [&self.a, &self.b] {
            for pattern in &patterns {
                subscriptions.push(listen(connection, pattern, &self.a).await);
            }
        }
        publish(&self.a, &format!("{word}.x"), "first").await;
        publish(&self.a, &format!("{word}.x"), "second").await;
        for subscription in &mut subscriptions {
            assert_eq!(next(subscription).await.payload, "first");
            assert_eq!(next(subscription).await.payload, "second");
        }
    }

    async fn hears_itself(&self) {
        let word = word();
        let mut heard = listen(&self.a, &word, &self.a).await;
        publish(&self.a, &word, "me").await;
        assert_eq!(next(&mut heard).await.payload, "me");
    }

    async fn says_when_nobody_listens(&self) {
        let word = word();
        let (asked, reply) = (format!("{word}.asked"), format!("{word}.reply.1"));
        let mut replies = listen(&self.a, &format!("{word}.reply.*"), &self.a).await;
        self.a.publish(&asked, Some(&reply), "anybody?".into()).await.unwrap();
        let answer = next(&mut replies).await;
        assert!(answer.no_responders && answer.payload.is_empty());
        assert_eq!(&*answer.subject, reply.as_str());
        // Without a reply subject there is no word of it, and a listener silences it.
        publish(&self.a, &asked, "anybody?").await;
        // It has to be over before somebody listens.
        settle(&self.a, &self.a).await;
        let mut heard = listen(&self.b, &asked, &self.a).await;
        self.a.publish(&asked, Some(&reply), "you?".into()).await.unwrap();
        let question = next(&mut heard).await;
        publish(&self.b, question.reply.as_deref().unwrap(), "me").await;
        let answer = next(&mut replies).await;
        assert!(!answer.no_responders);
        assert_eq!(answer.payload, "me");
    }

    async fn says_so_to_the_publishing_connection_only(&self) {
        let word = word();
        let other = self.one.connect("other").await.unwrap();
        let pattern = format!("{word}.reply.>");
        let mut mine = listen(&self.a, &pattern, &self.b).await;
        let mut others = listen(&other, &pattern, &self.b).await;
        let mut far = listen(&self.b, &pattern, &self.b).await;
        self.a
            .publish(&format!("{word}.asked"), Some(&format!("{word}.reply.1")), Bytes::new())
            .await
            .unwrap();
        assert!(next(&mut mine).await.no_responders);
        publish(&self.b, &format!("{word}.reply.2"), "marker").await;
        for subscription in [&mut mine, &mut others, &mut far] {
            let message = next(subscription).await;
            assert!(!message.no_responders);
            assert_eq!(message.payload, "marker");
        }
    }

    async fn a_dropped_subscription_is_gone(&self) {
        let word = word();
        let (asked, reply) = (format!("{word}.asked"), format!("{word}.reply"));
        let mut replies = listen(&self.a, &reply, &self.a).await;
        let heard = listen(&self.b, &asked, &self.a).await;
        drop(heard);
        let gone = async {
            loop {
                self.a.publish(&asked, Some(&reply), Bytes::new()).await.unwrap();
                if timeout(Duration::from_millis(20), replies.next()).await.is_ok() {
                    return;
                }
            }
        };
        timeout(PATIENCE, gone).await.expect("a dropped subscription still counts as a listener");
    }

    async fn a_dropped_connection_ends_its_subscriptions(&self) {
        let word = word();
        let connection = self.two.connect("dropped").await.unwrap();
        let mut heard = listen(&connection, &word, &self.a).await;
        let mut state = connection.state();
        drop(connection);
        let ended = timeout(PATIENCE, heard.next()).await.expect("the subscription did not end");
        assert!(ended.is_none());
        while state.borrow_and_update().connected {
            timeout(PATIENCE, state.changed()).await.expect("the state never changed").unwrap();
        }
    }

    async fn bounds_payloads(&self) {
        let word = word();
        let limit = self.a.max_payload();
        let mut heard = listen(&self.b, &word, &self.a).await;
        let over = self.a.publish(&word, None, vec![7; limit + 1].into()).await;
        assert_eq!(over, Err(BusError::TooLarge { size: limit + 1, limit }));
        publish(&self.a, &word, vec![7; limit]).await;
        assert_eq!(next(&mut heard).await.payload.len(), limit);
    }

    async fn refuses_what_is_no_subject(&self) {
        for subject in ["", ".", "a..b", "a.", ".a", "a b", "a.*", "a.>", "*", "a\r\nPUB b 0", "a\tb"] {
            let refused = self.a.publish(subject, None, Bytes::new()).await;
            assert!(
                matches!(refused, Err(BusError::Refused { .. })),
                "published to {subject:?}: {refused:?}"
            );
            let refused = self.a.publish("fine", Some(subject), Bytes::new()).await;
            assert!(matches!(refused, Err(BusError::Refused { .. })), "awaits at {subject:?}: {refused:?}");
        }
        for pattern in ["", "a..b", "a.", ".a", "a b", ">.a", "a.>.b"] {
            let refused = self.a.subscribe(pattern).await.err();
            assert!(
                matches!(refused, Some(BusError::Refused { .. })),
                "listened to {pattern:?}: {refused:?}"
            );
        }
        // And no harm came of it.
        settle(&self.b, &self.a).await;
    }

    async fn drops_what_a_slow_consumer_does_not_read(&self) {
        let word = word();
        let slow = self.two.connect("slow").await.unwrap();
        let mut sleeper = listen(&slow, &word, &self.a).await;
        let mut reader = listen(&self.b, &word, &self.a).await;
        let count = u32::try_from(Subscription::QUEUE).unwrap() + 500;
        // The reader keeps up while the sleeper does not read at all.
        for number in 0..count {
            publish(&self.a, &word, number.to_be_bytes().to_vec()).await;
            assert_eq!(next(&mut reader).await.payload, number.to_be_bytes()[..]);
        }
        settle(&slow, &self.a).await;
        let mut came = Vec::new();
        while let Ok(Some(message)) = timeout(Duration::from_millis(100), sleeper.next()).await {
            came.push(message.payload);
        }
        assert!(came.len() >= Subscription::QUEUE / 2 && came.len() <= Subscription::QUEUE, "{}", came.len());
        assert!(came.is_sorted(), "what is left is in order");
        assert!(slow.dropped() > 0 && self.b.dropped() == 0, "{} {}", slow.dropped(), self.b.dropped());
    }
}
