//! Hosts that follow a repository: what one sees, all have at once; and one that starts again with it gone.

use std::time::Duration;

use dunlin_host::{Host, SourceChoice};
use dunlin_source::{GitSettings, GitUrl, LastGood};
use dunlin_testkit::{GitRepository, GitServer, Mood};
use tokio::time::Instant;

use crate::site::{World, get, ready, sees};

const LATTICE: &str = "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: { name: test }\nspec: { sites: { a: {}, b: {} } }\n";

fn hello(repository: &GitRepository, more: &str) -> String {
    let text = format!(
        "{LATTICE}---\napiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: {{ name: hello }}\n\
         spec: {{ image: \"example.com/hello:1\", sites: {{ a: {{}} }}, http: {{}}{more} }}\n"
    );
    repository.write("all.yaml", text);
    repository.commit("Say hello")
}

fn source(world: &World, name: &str, server: &GitServer, interval: Duration) -> SourceChoice {
    let clone = world.folder.path().join(name).join("git");
    let url = GitUrl::parse(&server.url("app")).unwrap();
    SourceChoice::Git(Box::new(GitSettings { interval, ..GitSettings::new(url, clone) }))
}

async fn follows(host: &Host, revision: &str) {
    sees(host, "the revision", |status| status.revision == revision).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_host_sees_all_have_within_a_second() {
    let (repository, world) = (GitRepository::new(), World::new("", &[("hello", "hello")]));
    let first = hello(&repository, "");
    let server = GitServer::http(repository.parent());
    let mut hosts = Vec::new();
    for (site, name, seconds) in [("a", "h1", 1), ("a", "h2", 3600), ("b", "h3", 3600), ("b", "h4", 3600)] {
        let source = source(&world, name, &server, Duration::from_secs(seconds));
        hosts.push(world.host_of(site, name, source).await);
    }
    for host in &hosts {
        follows(host, &first).await;
    }
    sees(&hosts[3], "hello", |status| ready(status, "hello", "a") == 2).await;
    let second = hello(&repository, ", maxConcurrency: 7");
    follows(&hosts[0], &second).await;
    let begun = Instant::now();
    for host in &hosts[1..] {
        follows(host, &second).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(get(hosts[3].http(), "/").await.unwrap().body(), "hello\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_repository_gone_a_host_starts_from_its_last_good_state() {
    let (repository, world) = (GitRepository::new(), World::new("", &[("hello", "hello")]));
    let revision = hello(&repository, "");
    let server = GitServer::http(repository.parent());
    let follow = || source(&world, "h1", &server, Duration::from_secs(1));
    let host = world.host_of("a", "h1", follow()).await;
    sees(&host, "hello", |status| ready(status, "hello", "a") == 1).await;
    let kept = world.folder.path().join("h1");
    let past = dunlin_testkit::eventually_async("the last good state", Duration::from_secs(10), async || {
        LastGood::load(&kept).ok().flatten().filter(|past| past.ran.contains("hello"))
    });
    let past = past.await;
    assert_eq!((&past.revision, past.commit.unwrap().subject.as_str()), (&revision, "Say hello"));
    drop(host);
    for mood in [Mood::Away, Mood::Silent] {
        server.be(mood);
        let again = world.host_of("a", "h1", follow()).await;
        sees(&again, "hello from the last good state", |status| ready(status, "hello", "a") == 1).await;
        assert_eq!(get(again.http(), "/").await.unwrap().body(), "hello\n");
        server.be(Mood::Well);
        follows(&again, &revision).await;
    }
}
