//! Over `ssh`: by a stand-in that runs on this machine what it is asked to run elsewhere, and to a real server.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use dunlin_testkit::{Process, eventually, free_port};

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
            "Host key verification failed; check the server's key and put it into known_hosts",
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

/// A server of OpenSSH with a key of its own, which lets in whoever runs the test, by the key `user` in its folder.
struct SshServer {
    port: u16,
    folder: tempfile::TempDir,
    _process: Process,
}

impl SshServer {
    fn start() -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        for name in ["host", "user"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(folder.path().join(name));
            assert!(keygen.status().unwrap().success());
        }
        let at = |name: &str| folder.path().join(name).display().to_string();
        let configuration = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
             PasswordAuthentication no\nStrictModes no\nPermitRootLogin prohibit-password\n",
            at("host"),
            at("user.pub")
        );
        fs::write(at("sshd_config"), configuration).unwrap();
        let mut command = Command::new("/usr/sbin/sshd");
        command.args(["-D", "-e", "-f", &at("sshd_config")]);
        let process = Process::start(command, &folder.path().join("log"));
        eventually("sshd", Duration::from_secs(10), || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { port, folder, _process: process }
    }

    /// A host that follows `path` over it, as a user with this key and these known hosts.
    fn host(&self, path: &Path, key: &str) -> Host {
        let mut whoami = Command::new("id");
        let user = String::from_utf8(whoami.arg("-un").output().unwrap().stdout).unwrap();
        let mut host = Host::of(&format!("ssh://{}@127.0.0.1:{}{}", user.trim(), self.port, path.display()));
        let folder = self.folder.path().display();
        host.settings.configuration = vec![format!(
            "core.sshCommand=ssh -F none -i {folder}/{key} -o IdentitiesOnly=yes -o UserKnownHostsFile={folder}/known"
        )];
        host
    }

    /// Writes its key down as known.
    fn make_known(&self) {
        let key = fs::read_to_string(self.folder.path().join("host.pub")).unwrap();
        fs::write(self.folder.path().join("known"), format!("[127.0.0.1]:{} {key}", self.port)).unwrap();
    }
}

#[tokio::test]
#[ignore = "needs /usr/sbin/sshd (Debian: openssh-server), which would start for everybody where it is installed"]
async fn a_real_server_is_followed_once_it_is_known_and_the_key_fits() {
    let (repository, server) = (repository(), SshServer::start());
    let host = server.host(&repository.path(), "user");
    let error = host.try_start(None).await.unwrap_err().to_string();
    assert!(error.contains("Host key verification failed; check the server's key"), "{error}");
    server.make_known();
    let error = server.host(&repository.path(), "host").try_start(None).await.unwrap_err().to_string();
    assert!(error.contains("give the user that the host runs as an SSH key"), "{error}");
    let mut receiver = host.start().await;
    image_is(&repository, "two");
    wait(&mut receiver, |state| image(state) == Some("two")).await;
}
