//! Presence and promises between two hosts, on whichever bus: run by each implementation's own test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dunlin_lattice::presence::{Presence, PresenceConfig};
use dunlin_lattice::promises::{Ask, Promises, Promising};
use dunlin_lattice::subjects::Subjects;
use dunlin_lattice::{Bus, Connection};
use dunlin_manifest::HostId;
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(10);

fn host(name: &str) -> HostId {
    HostId::new(name.split('-').next().unwrap(), name)
}

fn subjects() -> Subjects {
    Subjects::new("todo").unwrap()
}

/// Waits for a condition, with a bound.
pub(crate) async fn until(what: &str, is: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !is().await {
        assert!(begun.elapsed() < PATIENCE, "it never came to be: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn presence(connection: Arc<dyn Connection>, name: &str) -> Presence {
    let (subjects, me) = (subjects(), host(name));
    Presence::start(connection, PresenceConfig { subjects, me, incarnation: None, seed: None, rank: 1 })
}

/// Hosts see each other, hold each other's states and hear each other's goodbyes.
pub(crate) async fn hosts_see_each_other(one: Arc<dyn Bus>, two: Arc<dyn Bus>) {
    let gcp = presence(one.connect("presence").await.unwrap(), "gcp-1");
    let aws = presence(two.connect("presence").await.unwrap(), "aws-1");
    gcp.set_state("first".into()).unwrap();
    let holds = |state: &'static str| {
        let aws = &aws;
        async move || {
            let table = aws.table();
            table.get(&host("gcp-1")).and_then(|seen| seen.state.as_ref()).is_some_and(|of| of.body == state)
        }
    };
    until("the state is seen", holds("first")).await;
    gcp.set_state("second".into()).unwrap();
    until("the next state is seen", holds("second")).await;
    until("each sees the other", async || gcp.table().get(&host("aws-1")).is_some()).await;
    until("nobody is deaf", async || !gcp.deaf() && !aws.deaf()).await;
    gcp.goodbye().await;
    until("the goodbye is heard", async || aws.table().get(&host("gcp-1")).unwrap().goodbye).await;
    assert_eq!((gcp.refused(), aws.refused()), (0, 0));
}

#[derive(Default)]
struct Told {
    stays: AtomicBool,
    done: AtomicBool,
}

impl Promising for Told {
    fn will_you_stay(&self, _: &Ask) -> bool {
        self.stays.load(Ordering::Relaxed)
    }

    fn done(&self, _: &Ask) {
        self.done.store(true, Ordering::Relaxed);
    }
}

/// A promise is asked for and given, refused, taken back; and a host that is not there has promised nothing.
pub(crate) async fn promises_are_given(one: Arc<dyn Bus>, two: Arc<dyn Bus>) {
    let told = Arc::new(Told::default());
    let asker = one.connect("promises").await.unwrap();
    let asker = Promises::start(asker, subjects(), host("gcp-1"), Arc::new(Told::default()));
    let answerer = two.connect("promises").await.unwrap();
    let answerer = Promises::start(answerer, subjects(), host("aws-1"), Arc::clone(&told) as _);
    told.stays.store(true, Ordering::Relaxed);
    until("a promise is given", async || asker.ask(&host("aws-1"), "todo").await.yes).await;
    let yes = asker.ask(&host("aws-1"), "todo").await;
    assert!(yes.yes && yes.stands(Instant::now()));
    asker.done(&host("aws-1"), "todo", yes.id).await;
    until("it is taken back", async || told.done.load(Ordering::Relaxed)).await;
    told.stays.store(false, Ordering::Relaxed);
    assert!(!asker.ask(&host("aws-1"), "todo").await.yes);
    let began = Instant::now();
    assert!(!asker.ask(&host("aws-2"), "todo").await.yes);
    assert!(began.elapsed() < Duration::from_millis(900), "the bus says that nobody is there");
    assert_eq!((asker.refused(), answerer.refused()), (0, 0));
}
