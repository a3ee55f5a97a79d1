//! Whatever happens to the repository: what is in force stays, a condition says what to do, and it mends itself.

use std::fs;
use std::time::{Duration, Instant};

use dunlin_source::{GitLimits, SourceError};
use dunlin_testkit::{GitRepository, GitServer, Mood};

use crate::common::{Host, component, image, image_is, last_good, repository, unreadable, wait};

#[tokio::test]
async fn a_deleted_branch_stops_nothing_and_comes_back() {
    let repository = repository();
    let mut host = Host::of_path(&repository.path());
    host.settings.branch = Some("main".into());
    let mut receiver = host.start().await;
    repository.git(&["checkout", "--quiet", "-b", "other"]);
    repository.git(&["branch", "-D", "main"]);
    let state = wait(&mut receiver, |state| !state.conditions.is_empty()).await;
    assert_eq!(image(&state), Some("one"));
    let expected = format!(
        "cannot fetch branch main of {}: there is no branch main; push it, or name another branch",
        repository.path().display()
    );
    assert_eq!(unreadable(&state), expected);
    image_is(&repository, "two");
    repository.git(&["branch", "main"]);
    let state = wait(&mut receiver, |state| image(state) == Some("two")).await;
    assert_eq!(state.conditions, []);
}

#[tokio::test]
async fn a_repository_that_vanishes_stops_nothing_and_returns() {
    let repository = repository();
    let host = Host::of_path(&repository.path());
    let mut receiver = host.start().await;
    let away = repository.parent().join("away");
    fs::rename(repository.path(), &away).unwrap();
    let state = wait(&mut receiver, |state| !state.conditions.is_empty()).await;
    assert_eq!((image(&state), state.read), (Some("one"), true));
    let said = unreadable(&state);
    assert!(said.contains("does not appear to be a git repository; check the URL"), "{said}");
    fs::rename(&away, repository.path()).unwrap();
    wait(&mut receiver, |state| state.conditions.is_empty()).await;
    image_is(&repository, "two");
    wait(&mut receiver, |state| image(state) == Some("two")).await;
}

#[tokio::test]
async fn a_directory_that_a_commit_does_not_have_stops_nothing() {
    let repository = repository();
    repository.write("deploy/todo.yaml", component("todo", "deployed"));
    repository.write("deploy/lattice.yaml", crate::common::LATTICE);
    repository.commit("Deploy");
    let mut host = Host::of_path(&repository.path());
    host.settings.path = "deploy".into();
    let mut receiver = host.start().await;
    repository.git(&["mv", "deploy", "elsewhere"]);
    repository.commit("Move it");
    let state = wait(&mut receiver, |state| !state.conditions.is_empty()).await;
    assert_eq!(image(&state), Some("deployed"));
    let said = unreadable(&state);
    assert!(
        said.ends_with(
            "it has no directory deploy; commit the manifests there, or name the directory that holds them"
        ),
        "{said}"
    );
    repository.git(&["mv", "elsewhere", "deploy"]);
    let head = repository.commit("Move it back");
    let state = wait(&mut receiver, |state| state.conditions.is_empty()).await;
    assert_eq!(state.revision, head);
}

#[tokio::test]
async fn a_start_without_a_past_needs_the_repository() {
    let empty = GitRepository::new();
    for (url, said) in [
        ("/nowhere/at/all", "does not appear to be a git repository; check the URL"),
        ("http://127.0.0.1:1/app.git", "check that the server runs and can be reached"),
        (empty.path().to_str().unwrap(), "the default branch has no commit; commit the manifests there"),
    ] {
        let error = Host::of(url).try_start(None).await.unwrap_err();
        assert!(matches!(error, SourceError::Repository { .. }));
        let error = error.to_string();
        assert!(error.starts_with("cannot fetch the default branch of ") && error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn a_restart_goes_on_from_the_last_good_state_while_git_is_gone() {
    let repository = repository();
    let host = Host::of_path(&repository.path());
    let before = host.start().await.borrow().clone();
    let away = repository.parent().join("away");
    fs::rename(repository.path(), &away).unwrap();
    let mut receiver = host.try_start(Some(last_good(&before))).await.unwrap();
    let state = receiver.borrow().clone();
    assert_eq!((image(&state), state.read, &state.commit), (Some("one"), false, &before.commit));
    assert!(unreadable(&state).contains("does not appear to be"), "{:?}", state.conditions);
    fs::rename(&away, repository.path()).unwrap();
    let state = wait(&mut receiver, |state| state.read).await;
    assert_eq!((&state.revision, &state.conditions[..]), (&before.revision, &[][..]));
    image_is(&repository, "two");
    wait(&mut receiver, |state| image(state) == Some("two")).await;
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_and_a_restart_does_not_wait_for_it() {
    let repository = repository();
    let server = GitServer::http(repository.parent());
    let mut host = Host::of(&server.url("app"));
    let mut receiver = host.start().await;
    host.settings.limits =
        GitLimits { time: Duration::from_secs(2), silence: Duration::from_secs(1), ..GitLimits::default() };
    let past = last_good(&receiver.borrow_and_update());
    server.be(Mood::Silent);
    let begun = Instant::now();
    let mut receiver = host.try_start(Some(past)).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(image(&receiver.borrow_and_update()), Some("one"));
    let state = wait(&mut receiver, |state| !state.conditions.is_empty()).await;
    assert_eq!((image(&state), state.read), (Some("one"), false));
    let said = unreadable(&state);
    assert!(said.contains("timed out") || said.contains("it took more than 2 s"), "{said}");
    server.be(Mood::Well);
    image_is(&repository, "two");
    wait(&mut receiver, |state| image(state) == Some("two")).await;
}

#[tokio::test]
async fn a_program_that_hangs_is_killed() {
    let repository = repository();
    let folder = tempfile::tempdir().unwrap();
    let script = crate::ssh::script(folder.path(), "echo $$ > \"$0.pid\"; exec sleep 1000");
    let mut host = Host::of("ssh://git@example.com/app");
    host.settings.configuration = vec![format!("core.sshCommand={}", script.display())];
    host.settings.limits.silence = Duration::from_secs(1);
    let past = last_good(&Host::of_path(&repository.path()).start().await.borrow());
    let mut receiver = host.try_start(Some(past)).await.unwrap();
    let state = wait(&mut receiver, |state| !state.conditions.is_empty()).await;
    let said = unreadable(&state);
    assert!(said.contains("nothing came for 1 s; check that the server answers"), "{said}");
    let process = fs::read_to_string(script.with_extension("sh.pid")).unwrap();
    dunlin_testkit::eventually("the program to be gone", Duration::from_secs(5), || {
        (!fs::exists(format!("/proc/{}", process.trim())).unwrap()).then_some(())
    });
}

#[tokio::test]
async fn a_huge_repository_is_not_fetched() {
    let repository = repository();
    let server = GitServer::http(repository.parent());
    for url in [server.url("app"), repository.path().display().to_string()] {
        let mut host = Host::of(&url);
        host.settings.limits.bytes = 200 << 10;
        let mut receiver = host.start().await;
        // Random, so that it does not get smaller on its way.
        let noise: Vec<u8> = std::iter::repeat_with(rand::random::<u8>).take(1 << 20).collect();
        repository.write("film.bin", noise);
        repository.commit("Add a film");
        let state = wait(&mut receiver, |state| !state.conditions.is_empty()).await;
        assert_eq!(image(&state), Some("one"));
        let said = unreadable(&state);
        assert!(
            said.contains("more than 204800 bytes came, which is the most that is fetched; keep manifests in a repository of their own"),
            "{said}"
        );
        // Nothing of it is left behind.
        let left = fs::read_dir(host.clone().join("objects/pack")).unwrap().flatten();
        assert!(left.map(|file| file.metadata().unwrap().len()).sum::<u64>() < 100 << 10);
        repository.git(&["reset", "--quiet", "--hard", "HEAD^"]);
        wait(&mut receiver, |state| state.conditions.is_empty()).await;
    }
}
