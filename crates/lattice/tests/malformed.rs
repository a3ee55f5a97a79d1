//! Bytes that nobody meant: no decoder panics, and nothing they say is believed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dunlin_lattice::memory::Network;
use dunlin_lattice::presence::{self, Presence, PresenceConfig};
use dunlin_lattice::promises::{self, Ask, Promises, Promising};
use dunlin_lattice::subjects::{Announcement, Subjects};
use dunlin_lattice::wire;
use dunlin_manifest::HostId;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

fn subjects() -> Subjects {
    Subjects::new("todo").unwrap()
}

fn me() -> HostId {
    HostId::new("gcp", "gcp-1")
}

fn peer() -> HostId {
    HostId::new("aws", "aws-1")
}

/// Random bytes; and nearly right ones, which get further: a version byte, then fields with tags of ours.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let field =
        (0u8..10, 0u8..6, proptest::collection::vec(any::<u8>(), 0..12)).prop_map(|(tag, kind, body)| {
            let mut bytes = vec![tag << 3 | kind, u8::try_from(body.len()).unwrap()];
            bytes.extend(body);
            bytes
        });
    let fields = proptest::collection::vec(field, 0..8)
        .prop_map(|fields| [vec![wire::VERSION], fields.concat()].concat());
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), fields]
}

fn subject() -> impl Strategy<Value = String> {
    let (me, peer) = (me(), peer());
    prop_oneof![
        Just(subjects().announcement(Announcement::Beat, &peer)),
        Just(subjects().announcement(Announcement::State, &peer)),
        Just(subjects().announcement(Announcement::Goodbye, &peer)),
        Just(subjects().announcement(Announcement::State, &me)),
        Just(subjects().state_ask(&me, &peer)),
        Just(subjects().promise(&me, &peer)),
        "todo\\.(presence|promise)(\\.[a-z0-9-]{1,5}){3,5}",
    ]
}

proptest! {
    #[test]
    fn decoders_refuse_or_read(subject in subject(), payload in payload()) {
        let payload = Bytes::from(payload);
        if let Ok((from, _)) = presence::read(&subjects(), &subject, payload.clone()) {
            prop_assert_eq!(subjects().parse_announcement(&subject).map(|(_, host)| host), Some(from));
        }
        let _ = promises::read(&subjects(), &me(), &subject, payload);
    }
}

struct Count(AtomicU64);

impl Promising for Count {
    fn will_you_stay(&self, _: &Ask) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed);
        true
    }

    fn done(&self, _: &Ask) {}
}

/// A host that is pelted with bytes still sees its peer, and sees nobody else.
#[tokio::test(start_paused = true)]
async fn a_host_survives_them() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let network = Network::new(1);
    let connection = async |host: &HostId| network.bus(host).connect("presence").await.unwrap();
    let start = async |me: HostId, seed| {
        let config = PresenceConfig {
            subjects: subjects(),
            me: me.clone(),
            incarnation: None,
            seed: Some(seed),
            rank: 1,
        };
        Presence::start(connection(&me).await, config)
    };
    let (mine, theirs) = (start(me(), 1).await, start(peer(), 2).await);
    theirs.set_state("theirs".into()).unwrap();
    let asked = Arc::new(Count(AtomicU64::new(0)));
    let promises = Promises::start(connection(&me()).await, subjects(), me(), Arc::clone(&asked) as _);
    let answering = Promises::start(connection(&peer()).await, subjects(), peer(), Arc::clone(&asked) as _);
    tokio::time::sleep(Duration::from_secs(3)).await;

    let hostile = connection(&HostId::new("aws", "aws-9")).await;
    for round in 0..2_000 {
        let (subject, payload) = (subject(), payload());
        let subject = subject.new_tree(&mut runner).unwrap().current();
        let payload = payload.new_tree(&mut runner).unwrap().current();
        hostile.publish(&subject, None, payload.into()).await.unwrap();
        if round % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    tokio::time::sleep(Duration::from_secs(1)).await;

    let table = mine.table();
    assert_eq!(table.iter().map(|(host, _)| host.clone()).collect::<Vec<_>>(), [peer()]);
    let seen = table.get(&peer()).unwrap();
    assert_eq!(seen.incarnation, theirs.incarnation());
    assert_eq!(seen.state.as_ref().unwrap().body, "theirs");
    assert!(!mine.deaf() && !theirs.deaf() && !mine.contested() && !seen.goodbye);
    assert!(mine.refused() > 100 && promises.refused() > 100, "{} {}", mine.refused(), promises.refused());
    assert!(promises.ask(&peer(), "todo").await.yes);
    drop(answering);
}
