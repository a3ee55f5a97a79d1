//! Promises between hosts of one process, on a paused clock, with the network's faults.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use dunlin_lattice::memory::{Link, Network, Place};
use dunlin_lattice::promises::{Ask, PATIENCE, Promises, Promising};
use dunlin_lattice::subjects::Subjects;
use dunlin_lattice::wire;
use dunlin_manifest::HostId;
use tokio::time::{Instant, sleep};

fn host(name: &str) -> HostId {
    HostId::new(name.split('-').next().unwrap(), name)
}

fn subjects() -> Subjects {
    Subjects::new("todo").unwrap()
}

/// Says what it is told to, and remembers what it was asked.
#[derive(Default)]
struct Told {
    stays: AtomicBool,
    asked: Mutex<Vec<Ask>>,
    done: Mutex<Vec<Ask>>,
}

impl Promising for Told {
    fn will_you_stay(&self, ask: &Ask) -> bool {
        self.asked.lock().unwrap().push(ask.clone());
        self.stays.load(Ordering::Relaxed)
    }

    fn done(&self, ask: &Ask) {
        self.done.lock().unwrap().push(ask.clone());
    }
}

async fn start(network: &Network, name: &str, stays: bool) -> (Promises, Arc<Told>) {
    let told = Arc::new(Told { stays: AtomicBool::new(stays), ..Told::default() });
    let connection = network.bus(&host(name)).connect("promises").await.unwrap();
    (Promises::start(connection, subjects(), host(name), Arc::clone(&told) as _), told)
}

#[tokio::test(start_paused = true)]
async fn yes_no_and_done() {
    let network = Network::new(1);
    let link = Link { delay: Duration::from_millis(40), ..Link::default() };
    network.faults().link(Place::Anywhere, Place::Anywhere, link);
    let (asker, _) = start(&network, "gcp-1", false).await;
    let (_answerer, told) = start(&network, "aws-1", true).await;
    sleep(Duration::from_millis(1)).await;
    let began = Instant::now();
    let yes = asker.ask(&host("aws-1"), "todo").await;
    assert!(yes.yes && yes.asked_at == began);
    assert!((80..90).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    // It ages from when it was asked for.
    assert!(yes.stands(began + Duration::from_millis(999)) && !yes.stands(began + PATIENCE));
    told.stays.store(false, Ordering::Relaxed);
    let no = asker.ask(&host("aws-1"), "todo").await;
    assert!(!no.yes && !no.stands(Instant::now()) && no.id != yes.id);
    asker.done(&host("aws-1"), "todo", yes.id).await;
    sleep(Duration::from_millis(50)).await;
    let ask = |id| Ask { from: host("gcp-1"), component: "todo".into(), id };
    assert_eq!(*told.asked.lock().unwrap(), [ask(yes.id), ask(no.id)]);
    assert_eq!(*told.done.lock().unwrap(), [ask(yes.id)]);
}

#[tokio::test(start_paused = true)]
async fn absence_is_no_at_once_and_silence_is_no_in_a_second() {
    let network = Network::new(1);
    let (asker, _) = start(&network, "gcp-1", false).await;
    let (_silent, told) = start(&network, "aws-1", true).await;
    sleep(Duration::from_millis(1)).await;
    let began = Instant::now();
    assert!(!asker.ask(&host("aws-2"), "todo").await.yes);
    assert!(began.elapsed() < Duration::from_millis(5), "the bus says that nobody is there");
    for (from, to) in [("gcp", "aws"), ("aws", "gcp")] {
        network.faults().partition(from, to);
        let began = Instant::now();
        assert!(!asker.ask(&host("aws-1"), "todo").await.yes);
        assert_eq!(began.elapsed(), PATIENCE);
        network.faults().heal(from, to);
    }
    assert_eq!(told.asked.lock().unwrap().len(), 1, "only the answer was lost the second time");
    network.faults().disconnect(&host("gcp-1"));
    let began = Instant::now();
    assert!(!asker.ask(&host("aws-1"), "todo").await.yes);
    assert!(began.elapsed() < Duration::from_millis(5));
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_none() {
    let network = Network::new(1);
    let (asker, _) = start(&network, "gcp-1", false).await;
    let (_answerer, _) = start(&network, "aws-1", true).await;
    sleep(Duration::from_millis(1)).await;
    network.faults().freeze(&host("aws-1"));
    assert!(!asker.ask(&host("aws-1"), "todo").await.yes);
    network.faults().thaw(&host("aws-1"));
    sleep(Duration::from_millis(100)).await;
    assert_eq!(asker.refused(), 1, "it came, and nobody awaited it");
    assert!(asker.ask(&host("aws-1"), "todo").await.yes);
}

#[tokio::test(start_paused = true)]
async fn only_the_host_that_was_asked_can_answer() {
    let network = Network::new(1);
    let (asker, _) = start(&network, "gcp-1", false).await;
    let hostile = network.bus(&host("aws-9")).connect("test").await.unwrap();
    // It sees the question (a bus would forbid even that), and answers it under its own name.
    let mut questions = hostile.subscribe("todo.promise.aws.aws-1.*.*").await.unwrap();
    let forge = async {
        let question = questions.next().await.unwrap();
        let id = u64::from_le_bytes(question.payload[2..10].try_into().unwrap());
        let mut yes = vec![wire::VERSION, 1 << 3 | 1];
        yes.extend(id.to_le_bytes());
        yes.extend([3 << 3, 1]);
        let reply = question.reply.unwrap();
        let own = subjects().promise(&host("gcp-1"), &host("aws-9"));
        for subject in [own.as_str(), &*reply] {
            hostile.publish(subject, None, Bytes::from(yes.clone())).await.unwrap();
        }
        // The very same bytes under the name of the host that was asked are its answer.
        yes
    };
    let aws = host("aws-1");
    let (answer, yes) = tokio::join!(asker.ask(&aws, "todo"), forge);
    assert!(!answer.yes);
    assert_eq!(asker.refused(), 2);
    assert_eq!(yes.len(), 12);
}

#[tokio::test(start_paused = true)]
async fn many_at_once_and_none_is_left_over() {
    let network = Network::new(1);
    let link = Link { jitter: Duration::from_millis(300), drop: 0.05, ..Link::default() };
    let (asker, _) = start(&network, "gcp-1", false).await;
    let mut others = Vec::new();
    for number in 0..50 {
        others.push(start(&network, &format!("aws-{number}"), number % 2 == 0).await);
    }
    network.faults().link(Place::Anywhere, Place::Anywhere, link);
    let asker = Arc::new(asker);
    let mut asks = tokio::task::JoinSet::new();
    for round in 0..10 {
        for number in 0..50 {
            let asker = Arc::clone(&asker);
            asks.spawn(async move {
                (number, asker.ask(&host(&format!("aws-{number}")), &format!("todo-{round}")).await)
            });
        }
    }
    let (mut yes, mut wrong) = (0, 0);
    while let Some(answer) = asks.join_next().await {
        let (number, answer) = answer.unwrap();
        yes += u32::from(answer.yes);
        wrong += u32::from(answer.yes && number % 2 == 1);
    }
    assert!((200..=250).contains(&yes), "{yes} of 250");
    assert_eq!(wrong, 0);
    assert!(format!("{asker:?}").contains("pending: 0"), "{asker:?}");
}

#[tokio::test(start_paused = true)]
async fn asks_of_the_first_moment_and_after_a_reconnect_are_answered() {
    let network = Network::new(1);
    let (answerer, _) = start(&network, "aws-1", true).await;
    sleep(Duration::from_millis(1)).await;
    let (asker, _) = start(&network, "gcp-1", false).await;
    assert!(asker.ask(&host("aws-1"), "todo").await.yes, "it waits for its own subscription");
    for name in ["aws-1", "gcp-1"] {
        network.faults().disconnect(&host(name));
        assert!(!asker.ask(&host("aws-1"), "todo").await.yes);
        network.faults().reconnect(&host(name));
        assert!(asker.ask(&host("aws-1"), "todo").await.yes);
    }
    drop(answerer);
    sleep(Duration::from_millis(1)).await;
    assert!(!asker.ask(&host("aws-1"), "todo").await.yes);
}
