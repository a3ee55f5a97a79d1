//! Users, passwords and certificates: what lets in, what does not and how it says so, and that nothing shows them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dunlin_providers::keyvalue::redis::{RedisSettings, RedisState, SettingsError};
use dunlin_providers::keyvalue::{Error, KeyValue, RedisStore, conformance};
use dunlin_testkit::{RedisServer, eventually_async, free_port};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::common::{LONG, connect, context, settings, within};

/// An authority, in PEM, and what a server needs for a certificate of it.
struct Certificates {
    authority: String,
    server: (String, String),
}

fn certificates(name: &str) -> Certificates {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    Certificates { authority, server: (certificate.pem(), key.serialize_pem()) }
}

/// A server with TLS at the port that is returned.
fn start(folder: &Path, certificates: &Certificates, more: &[&str]) -> (RedisServer, u16) {
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name).to_str().unwrap().to_owned()
    };
    let (certificate, key) = &certificates.server;
    let (certificate, key) = (write("server.crt", certificate), write("server.key", key));
    let port = free_port();
    let tls = ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-auth-clients", "no"];
    let server = RedisServer::start(&[&tls[..], &["--tls-port", &port.to_string()], more].concat());
    (server, port)
}

/// A store that does not get in, and why.
async fn refused(settings: RedisSettings) -> String {
    let store = RedisStore::new(settings).unwrap();
    let trouble = eventually_async("a trouble", LONG, async || store.trouble()).await;
    assert_eq!(store.state(), RedisState::Connecting);
    let result = store.get(&within(Duration::from_secs(5)), "b", "k").await;
    assert_eq!(result, Err(Error::NotExecuted(trouble.clone())));
    trouble
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_of_a_private_authority_as_a_user() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = certificates("127.0.0.1");
    let user = "--user dunlin on >hunter2 ~* -@all +@read +@write +@scripting +@connection +time +config|get";
    let user: Vec<&str> = user.split(' ').collect();
    let (_server, port) = start(folder.path(), &certificates, &user);
    let url = format!("rediss://127.0.0.1:{port}");
    let (username, password) = (Some("dunlin".into()), Some("hunter2".into()));
    let settings = RedisSettings { url, username, password, authority: Some(certificates.authority) };
    let store = connect(settings.clone()).await;
    conformance::run(async || Arc::clone(&store) as Arc<dyn KeyValue>).await.unwrap();
    store.close().await;

    let public = refused(RedisSettings { authority: None, ..settings.clone() }).await;
    assert!(public.contains("TLS") && public.contains("UnknownIssuer"), "{public}");
    let other = Some(self::certificates("127.0.0.1").authority);
    let other = refused(RedisSettings { authority: other, ..settings.clone() }).await;
    assert!(other.contains("invalid peer certificate"), "{other}");
    let name = refused(RedisSettings { url: format!("rediss://localhost:{port}"), ..settings.clone() }).await;
    assert!(name.contains("not valid for name"), "{name}");
    let clear = refused(RedisSettings { url: format!("redis://127.0.0.1:{port}"), ..settings }).await;
    assert!(clear.contains("closed") || clear.contains("lost") || clear.contains("protocol"), "{clear}");
}

#[tokio::test]
async fn a_server_without_tls_is_not_trusted_with_a_password() {
    let server = RedisServer::start(&[]);
    let url = format!("rediss://{}", server.address());
    let trouble = refused(RedisSettings { url, ..RedisSettings::default() }).await;
    assert!(trouble.contains("TLS"), "{trouble}");
}

#[tokio::test]
async fn a_wrong_password_is_said_in_words_and_never_shown() {
    let server = RedisServer::start(&["--requirepass", "hunter2"]);
    let with = |username: Option<&str>, password: Option<&str>| RedisSettings {
        username: username.map(str::to_owned),
        password: password.map(str::to_owned),
        ..settings(server.address())
    };
    let missing = refused(with(None, None)).await;
    assert!(missing.contains("asks for a password") && missing.contains("NOAUTH"), "{missing}");
    for settings in [with(None, Some("swordfish")), with(Some("swordfish"), Some("swordfish"))] {
        let wrong = refused(settings.clone()).await;
        assert!(wrong.contains("refuses the user or the password") && wrong.contains("WRONGPASS"), "{wrong}");
        let store = RedisStore::new(settings.clone()).unwrap();
        let shown = format!("{wrong} {settings:?} {store:?}");
        assert!(!shown.contains("swordfish"), "{shown}");
    }
    let alone = RedisStore::new(with(Some("me"), None)).err();
    assert_eq!(alone, Some(SettingsError::NoPassword));
}

#[tokio::test]
async fn a_password_that_is_put_right_lets_in() {
    let server = RedisServer::start(&["--requirepass", "hunter2"]);
    let settings = RedisSettings { password: Some("swordfish".into()), ..settings(server.address()) };
    let store = RedisStore::new(settings).unwrap();
    eventually_async("a trouble", LONG, async || store.trouble()).await;
    let admin =
        RedisSettings { password: Some("hunter2".into()), ..crate::common::settings(server.address()) };
    drop(connect(admin).await);
    crate::common::say(&server, &["-a", "hunter2", "CONFIG", "SET", "requirepass", "swordfish"]);
    tokio::time::timeout(LONG, store.ready()).await.unwrap();
    assert_eq!(store.get(&context(), "b", "k").await, Ok(None));
}

#[tokio::test]
async fn a_user_who_may_only_read_is_told_so() {
    let user = "--user reader on >hunter2 ~* -@all +@read +@connection +script|load +evalsha +eval +time";
    let server = RedisServer::start(&user.split(' ').collect::<Vec<_>>());
    let (username, password) = (Some("reader".into()), Some("hunter2".into()));
    let store = connect(RedisSettings { username, password, ..settings(server.address()) }).await;
    assert_eq!(store.get(&context(), "b", "k").await, Ok(None));
    let error = store.set(&context(), "b", "k", "v".into()).await.unwrap_err();
    assert!(
        matches!(&error, Error::AccessDenied(reason) if reason.contains("can't run this command")),
        "{error}"
    );
    assert_eq!(store.exists(&context(), "b", "k").await, Ok(false));
}
