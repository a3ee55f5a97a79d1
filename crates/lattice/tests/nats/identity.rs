//! Who we are and who the server is: credentials files and certificates.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use dunlin_lattice::Bus;
use dunlin_lattice::nats::NatsSettings;
use dunlin_testkit::NatsServer;
use nkeys::KeyPair;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair as CertificateKey};

use super::servers::{bus_with, connected, next, trouble};

/// A JSON web token as NATS wants it: claims about `subject`, signed by `issuer`.
fn token(issuer: &KeyPair, subject: &KeyPair, name: &str, claims: &str) -> String {
    let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let head = encode(r#"{"typ":"JWT","alg":"ed25519-nkey"}"#);
    let body = encode(&format!(
        r#"{{"jti":"{name}","iat":1700000000,"iss":"{}","sub":"{}","name":"{name}","nats":{claims}}}"#,
        issuer.public_key(),
        subject.public_key()
    ));
    let signed = format!("{head}.{body}");
    let signature = BASE64_URL_SAFE_NO_PAD.encode(issuer.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

fn credentials(folder: &Path, name: &str, token: &str, user: &KeyPair) -> PathBuf {
    let path = folder.join(name);
    let text = format!(
        "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        user.seed().unwrap()
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// A server that trusts an operator, and credentials that it accepts and that it does not.
#[tokio::test]
async fn credentials_files_are_used_and_read_again() {
    let (operator, account) = (KeyPair::new_operator(), KeyPair::new_account());
    let (user, stranger) = (KeyPair::new_user(), KeyPair::new_account());
    let limits = r#""limits":{"subs":-1,"data":-1,"payload":-1,"imports":-1,"exports":-1,"wildcards":true,"conn":-1,"leaf":-1}"#;
    let of_operator = token(&operator, &operator, "op", r#"{"type":"operator","version":2}"#);
    let of_account =
        token(&operator, &account, "todo", &format!(r#"{{{limits},"type":"account","version":2}}"#));
    let claims = r#"{"pub":{},"sub":{},"subs":-1,"data":-1,"payload":-1,"type":"user","version":2}"#;
    let server = NatsServer::start(&format!(
        "operator: {of_operator}\nresolver: MEMORY\nresolver_preload: {{ {}: {of_account} }}",
        account.public_key()
    ));
    let folder = tempfile::tempdir().unwrap();
    let path = credentials(folder.path(), "host.creds", &token(&stranger, &user, "host", claims), &user);
    let settings = NatsSettings {
        servers: vec![format!("nats://{}", server.address())],
        credentials: Some(path),
        ..NatsSettings::default()
    };
    let bus = bus_with(settings);
    let connection = bus.connect("test").await.unwrap();
    trouble(&bus, "authorization violation").await;
    // Replaced while we run.
    credentials(folder.path(), "host.creds", &token(&account, &user, "host", claims), &user);
    connected(&connection, true).await;
    let mut heard = connection.subscribe("word").await.unwrap();
    connection.publish("word", None, "here".into()).await.unwrap();
    assert_eq!(next(&mut heard).await.payload, "here");
}

/// An authority, and a server's certificate and key signed by it, as files.
fn certificates(folder: &Path) -> (PathBuf, PathBuf, PathBuf) {
    let authority_key = CertificateKey::generate().unwrap();
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = parameters.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(parameters, authority_key);
    let key = CertificateKey::generate().unwrap();
    let names = vec!["localhost".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    (
        write("authority.pem", authority.pem()),
        write("server.pem", certificate.pem()),
        write("server.key", key.serialize_pem()),
    )
}

#[tokio::test]
async fn certificates_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, certificate, key) = certificates(folder.path());
    let server = NatsServer::start(&format!(
        "tls {{ cert_file: {:?}, key_file: {:?} }}",
        certificate.display().to_string(),
        key.display().to_string()
    ));
    let port = server.address().port();
    let settings = |url: String, authority: Option<PathBuf>| NatsSettings {
        servers: vec![url],
        authority,
        ..NatsSettings::default()
    };
    for scheme in ["tls", "nats"] {
        let bus = bus_with(settings(format!("{scheme}://localhost:{port}"), Some(authority.clone())));
        let connection = bus.connect("trusted").await.unwrap();
        connected(&connection, true).await;
        let mut heard = connection.subscribe("word").await.unwrap();
        connection.publish("word", None, vec![7; 300_000].into()).await.unwrap();
        assert_eq!(next(&mut heard).await.payload.len(), 300_000);
    }
    let other = tempfile::tempdir().unwrap();
    let (stranger, ..) = certificates(other.path());
    let bus = bus_with(settings(format!("tls://localhost:{port}"), Some(stranger)));
    let _untrusted = bus.connect("untrusted").await.unwrap();
    trouble(&bus, "its certificate is not trusted: ").await;
    // The right authority, and another name than the certificate's.
    let bus = bus_with(settings(format!("tls://127.0.0.1:{port}"), Some(authority)));
    let _misnamed = bus.connect("misnamed").await.unwrap();
    trouble(&bus, "its certificate is not trusted: ").await;
    // And a server without any.
    let plain = NatsServer::open();
    let bus = bus_with(settings(format!("tls://{}", plain.address()), None));
    let _plain = bus.connect("plain").await.unwrap();
    trouble(&bus, &plain.address().port().to_string()).await;
}
