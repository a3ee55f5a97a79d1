//! Over `ssh`, by a stand-in that runs on this machine what it is asked to run elsewhere.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{Host, image, image_is, last_good, repository, unreadable, wait};

/// A program that does `what`.
pub(crate) fn script(folder: &Path, what: &str) -> PathBuf {
    let path = folder.join("ssh.sh");
    fs::write(&path, format!("#!/bin/sh\n{what}\n")).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path
}

/// Writes down how it was called, and runs the last argument.
const RUN: &str = r#"echo "$@" > "$0.called"; for last; do :; done; exec sh -c "$last""#;

fn over(program: &str, path: &Path) -> Host {
    let mut host = Host::of(&format!("ssh://git@example.com:2222{}", path.display()));
    host.settings.configuration = vec![format!("core.sshCommand={program}")];
    host
}

#[tokio::test]
async fn over_ssh_a_commit_comes_into_force() {
    let repository = repository();
    let folder = tempfile::tempdir().unwrap();
    let script = script(folder.path(), RUN);
    let host = over(script.to_str().unwrap(), &repository.path());
    let mut receiver = host.start().await;
    image_is(&repository, "two");
    wait(&mut receiver, |state| image(state) == Some("two")).await;
    let called = fs::read_to_string(script.with_extension("sh.called")).unwrap();
    let end = format!("-p 2222 git@example.com git-upload-pack '{}'\n", repository.path().display());
    assert!(called.starts_with("-o BatchMode=yes ") && called.ends_with(&end), "{called}");
    // A command with words of its own is a piece of shell, as for Git.
    drop(receiver);
    let folder = tempfile::tempdir().unwrap();
    let script = self::script(folder.path(), RUN);
    let words = format!("{} -v -F 'my config'", script.display());
    assert_eq!(image(&over(&words, &repository.path()).start().await.borrow()), Some("two"));
    let called = fs::read_to_string(script.with_extension("sh.called")).unwrap();
    assert!(called.starts_with("-v -F my config -o BatchMode=yes "), "{called}");
}

#[tokio::test]
async fn what_ssh_complains_of_is_told() {
    let repository = repository();
    let past = last_good(&Host::of_path(&repository.path()).start().await.borrow());
    let folder = tempfile::tempdir().unwrap();
    for (complaint, remedy) in [
        (
            "No ED25519 host key is known for example.com and you have requested strict checking.\nHost key verification failed.",
            "Host key verification failed.; check the server's key and put it into known_hosts",
        ),
        ("git@example.com: Permission denied (publickey).", "give the user that the host runs as an SSH key"),
        (
            "ssh: Could not resolve hostname example.com: Name or service not known",
            "check the URL and the network",
        ),
    ] {
        let program = script(folder.path(), &format!("printf '%s\\n' '{complaint}' >&2; exit 255"));
        let host = over(program.to_str().unwrap(), &repository.path());
        let error = host.try_start(None).await.unwrap_err().to_string();
        assert!(error.contains(remedy), "{error}");
        let mut receiver = host.try_start(Some(past.clone())).await.unwrap();
        let state = wait(&mut receiver, |state| !state.conditions.is_empty()).await;
        assert!(image(&state) == Some("one") && unreadable(&state).contains(remedy));
        // Mended: it goes on by itself.
        script(folder.path(), RUN);
        let state = wait(&mut receiver, |state| state.read).await;
        assert_eq!(state.conditions, []);
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let repository = repository();
    let error = over("/nowhere/ssh", &repository.path()).try_start(None).await.unwrap_err().to_string();
    assert!(error.contains("ssh cannot be started"), "{error}");
}
