//! Over HTTP and HTTPS, with and without credentials.

use std::time::Duration;

use dunlin_testkit::{GitServer, Mood};

use crate::common::{Host, image, image_is, last_good, repository, unreadable, wait};

/// A host that trusts the server, and asks nobody but `helpers` for credentials.
fn trusting(server: &GitServer, url: &str, helpers: &[&str]) -> Host {
    let mut host = Host::of(url);
    host.settings.configuration =
        vec![format!("http.sslCAInfo={}", server.certificate().display()), "credential.helper=".into()];
    host.settings.configuration.extend(helpers.iter().map(|helper| format!("credential.helper={helper}")));
    host
}

#[tokio::test]
async fn over_http_a_commit_comes_into_force() {
    let repository = repository();
    let server = GitServer::http(repository.parent());
    let mut receiver = Host::of(&server.url("app")).start().await;
    image_is(&repository, "two");
    let state = wait(&mut receiver, |state| image(state) == Some("two")).await;
    assert_eq!(state.revision, repository.head());
    server.be(Mood::Away);
    let state = wait(&mut receiver, |state| !state.conditions.is_empty()).await;
    let said = unreadable(&state);
    assert!(image(&state) == Some("two") && said.contains("check that the server runs"), "{said}");
    server.be(Mood::Well);
    wait(&mut receiver, |state| state.conditions.is_empty()).await;
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_not_believed() {
    let repository = repository();
    let server = GitServer::https(repository.parent());
    let error = Host::of(&server.url("app")).try_start(None).await.unwrap_err().to_string();
    assert!(error.contains("certificate") && error.contains("trust its authority"), "{error}");
    assert_eq!(image(&trusting(&server, &server.url("app"), &[]).start().await.borrow()), Some("one"));
}

#[tokio::test]
async fn credentials_come_from_the_url_or_from_a_helper() {
    let repository = repository();
    let server = GitServer::https(repository.parent());
    server.require("ada:s3cret");
    let host = trusting(&server, &server.url_with_login("app", "ada:s3cret"), &[]);
    let mut receiver = host.start().await;
    image_is(&repository, "two");
    wait(&mut receiver, |state| image(state) == Some("two")).await;
    // What the helper is told to keep, it keeps: only good credentials, and without their being asked for twice.
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let helper =
        format!("!f() {{ echo $1 >> {}; echo username=ada; echo password=s3cret; }}; f", told.display());
    let host = trusting(&server, &server.url("app"), &[&helper]);
    assert_eq!(image(&host.start().await.borrow()), Some("two"));
    assert_eq!(std::fs::read_to_string(&told).unwrap(), "get\nstore\n");
}

#[tokio::test]
async fn wrong_credentials_stop_nothing_and_are_shown_to_nobody() {
    let repository = repository();
    let server = GitServer::https(repository.parent());
    server.require("ada:s3cret");
    let past = last_good(&Host::of_path(&repository.path()).start().await.borrow());
    let wrong = "!f() { echo username=ada; echo password=wr0ng; }; f";
    for (login, helpers, expected) in [
        ("", vec![], "let one of Git's credential helpers know the repository"),
        ("", vec![wrong], "give credentials that may read it"),
        ("ada:wr0ng@", vec![], "let one of Git's credential helpers know the repository"),
        ("ada:wr0ng@", vec![wrong], "give credentials that may read it"),
        ("wr0ng-token@", vec![], "let one of Git's credential helpers know the repository"),
    ] {
        let url = server.url("app").replacen("://", &format!("://{login}"), 1);
        let host = trusting(&server, &url, &helpers);
        let error = host.try_start(None).await.unwrap_err();
        let mut receiver = host.try_start(Some(past.clone())).await.unwrap();
        let state = wait(&mut receiver, |state| !state.conditions.is_empty()).await;
        assert_eq!(image(&state), Some("one"));
        for said in
            [error.to_string(), unreadable(&state), format!("{error:?}{state:?}{:?}", host.settings.url)]
        {
            assert!(!said.contains("wr0ng"), "{said}");
        }
        assert!(error.to_string().contains(expected), "{login}: {error}");
    }
}

#[tokio::test]
async fn credentials_do_not_go_over_http() {
    let repository = repository();
    let server = GitServer::http(repository.parent());
    server.require("ada:s3cret");
    let host = Host::of(&server.url_with_login("app", "ada:s3cret"));
    let error = host.try_start(None).await.unwrap_err().to_string();
    assert!(error.contains("use https") && !error.contains("s3cret"), "{error}");
}

#[tokio::test]
async fn credentials_that_are_mended_are_used() {
    let repository = repository();
    let server = GitServer::https(repository.parent());
    let host = trusting(&server, &server.url_with_login("app", "ada:s3cret"), &[]);
    let mut receiver = host.start().await;
    server.require("ada:other");
    wait(&mut receiver, |state| !state.conditions.is_empty()).await;
    server.require("ada:s3cret");
    wait(&mut receiver, |state| state.conditions.is_empty()).await;
}

#[tokio::test]
async fn a_page_that_is_no_repository_is_told_from_one() {
    let repository = repository();
    let server = GitServer::http(repository.parent());
    let error = Host::of(&server.url("nothing")).try_start(None).await.unwrap_err().to_string();
    assert!(error.contains("404") && error.contains("check the URL"), "{error}");
}

#[tokio::test]
async fn failures_are_answered_with_patience() {
    let repository = repository();
    let server = GitServer::http(repository.parent());
    let mut host = Host::of(&server.url("app"));
    host.settings.interval = Duration::from_millis(50);
    let mut receiver = host.start().await;
    server.require("nobody:knows");
    wait(&mut receiver, |state| !state.conditions.is_empty()).await;
    let before = server.requests();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let asked = server.requests() - before;
    assert!(asked < 12, "{asked} requests in 2 s although it fails");
}
