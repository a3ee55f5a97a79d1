//! One source notices a commit and tells the others.

use std::time::{Duration, Instant};

use dunlin_source::{GitSource, Nudges, Source as _, State};
use dunlin_testkit::GitServer;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::common::{Host, image, image_is, repository, unreadable, wait};

struct Nudged {
    host: Host,
    state: watch::Receiver<State>,
    tell: watch::Sender<Option<String>>,
    seen: watch::Receiver<Option<String>>,
}

/// A source over HTTP that looks by itself only every `interval`.
async fn nudged(server: &GitServer, interval: Duration) -> Nudged {
    let mut host = Host::of(&server.url("app"));
    host.settings.interval = interval;
    let (tell, heard) = watch::channel(None);
    let (seen_sender, seen) = watch::channel(None);
    let source = GitSource::new(host.settings.clone()).nudged(Nudges { heard, seen: seen_sender });
    let state = Box::new(source).start(None).await.unwrap();
    Nudged { host, state, tell, seen }
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn what_one_sees_the_others_fetch_at_once() {
    let repository = repository();
    let server = GitServer::http(repository.parent());
    let mut first = nudged(&server, Duration::from_millis(100)).await;
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(nudged(&server, HOUR).await);
    }
    first.seen.mark_unchanged();
    let head = image_is(&repository, "two");
    wait(&mut first.state, |state| image(state) == Some("two")).await;
    let begun = Instant::now();
    assert_eq!(*first.seen.borrow_and_update(), Some(head.clone()));
    for other in &others {
        other.tell.send_replace(Some(head.clone()));
    }
    for other in &mut others {
        wait(&mut other.state, |state| state.revision == head).await;
        // Whoever was told does not tell it again.
        assert_ne!(*other.seen.borrow(), Some(head.clone()));
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_commit_that_is_not_there_yet_is_looked_for_again() {
    let repository = repository();
    let server = GitServer::http(repository.parent());
    let mut source = nudged(&server, HOUR).await;
    let head = image_is(&repository, "two");
    // As if the server lagged behind.
    repository.git(&["reset", "--quiet", "--hard", "HEAD^"]);
    let before = server.requests();
    source.tell.send_replace(Some(head.clone()));
    while server.requests() == before {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    repository.git(&["reset", "--quiet", "--hard", &head]);
    wait(&mut source.state, |state| state.revision == head).await;
}

#[tokio::test]
async fn what_is_there_already_is_not_fetched_and_forged_nudges_cause_little() {
    let repository = repository();
    let server = GitServer::http(repository.parent());
    let before_that = repository.head();
    image_is(&repository, "two");
    let source = nudged(&server, HOUR).await;
    let before = server.requests();
    for known in [before_that, repository.head(), "not an id".into(), "A".repeat(40), String::new()] {
        source.tell.send_replace(Some(known));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(server.requests(), before);
    let begun = Instant::now();
    for number in 0..200_u32 {
        source.tell.send_replace(Some(format!("{number:040x}")));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // A look at a branch that stays where it is takes two requests.
    let looks = (server.requests() - before) / 2;
    let allowed = 3 + usize::try_from(begun.elapsed().as_secs()).unwrap() + 1;
    assert!(looks <= allowed, "{looks} looks, {allowed} allowed");
    assert!(source.host.clone().exists());
}

#[tokio::test]
async fn a_nudge_for_what_is_there_already_clears_no_trouble() {
    let repository = repository();
    let server = GitServer::http(repository.parent());
    let mut source = nudged(&server, Duration::from_millis(200)).await;
    let known = repository.head();
    image_is(&repository, "two");
    wait(&mut source.state, |state| image(state) == Some("two")).await;
    drop(server);
    wait(&mut source.state, |state| !unreadable(state).is_empty()).await;
    source.tell.send_replace(Some(known));
    let cleared =
        timeout(Duration::from_secs(1), source.state.wait_for(|state| unreadable(state).is_empty()));
    assert!(cleared.await.is_err(), "nothing was fetched");
}
