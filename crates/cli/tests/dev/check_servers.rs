//! `dunlin check` against servers that are named: certificates that are over, credentials that are, the wrong authority,
//! a server that lets everybody in.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use dunlin_credentials::{
    Credentials, HubOptions, InitOptions, Lifetime, ServerOptions, UserFacts, UserOptions,
};
use dunlin_testkit::{NatsServer, eventually, free_port};
use rcgen::{CertificateParams, Issuer, KeyPair, date_time_ymd};

use crate::check::Checked;

/// A lattice's credentials, and a hub's server with them.
struct Hub {
    credentials: Credentials,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Hub {
    fn new() -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let leaves = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let url = format!("tls://localhost:{}", leaves.port()).parse().unwrap();
        let hub = HubOptions { server: ServerOptions { listen, ..ServerOptions::default() }, leaves };
        let options = InitOptions { hub, ..InitOptions::new("todo", url) };
        let credentials = Credentials::init(&folder.path().join("lattice"), &options).unwrap().credentials;
        Self { credentials, port, _folder: folder }
    }

    fn start(&self) -> NatsServer {
        NatsServer::with_file(&self.credentials.directory().join("hub/hub.conf"), self.port)
    }

    fn url(&self) -> String {
        format!("hub=tls://localhost:{}", self.port)
    }

    fn viewer(&self, name: &str, expires: Option<Lifetime>) -> String {
        let written =
            self.credentials.viewer(name, UserOptions { expires, ..UserOptions::default() }).unwrap();
        written.path.to_str().unwrap().to_owned()
    }

    fn authority(&self) -> String {
        self.credentials.authority().to_str().unwrap().to_owned()
    }

    /// Puts a certificate in the place of the server's, valid between two years.
    fn certify(&self, names: &[&str], begins: i32, ends: i32) {
        let directory = self.credentials.directory();
        let key = std::fs::read_to_string(directory.join("keys/authority.key")).unwrap();
        let authority = std::fs::read_to_string(directory.join("authority.pem")).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&authority, KeyPair::from_pem(&key).unwrap()).unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = CertificateParams::new(names).unwrap();
        (parameters.not_before, parameters.not_after) =
            (date_time_ymd(begins, 1, 1), date_time_ymd(ends, 1, 1));
        let pair = KeyPair::generate().unwrap();
        let made = parameters.signed_by(&pair, &issuer).unwrap();
        std::fs::write(directory.join("hub/certificate.pem"), made.pem()).unwrap();
        std::fs::write(directory.join("hub/key.pem"), pair.serialize_pem()).unwrap();
    }
}

fn dunlin(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
    command.arg("check").args(arguments).env("XDG_RUNTIME_DIR", folder.path()).output().unwrap()
}

fn check(url: &str, credentials: &str, authority: &str) -> Checked {
    let named = ["--nats", url, "--credentials", credentials, "--authority", authority, "--output", "json"];
    Checked::of(&dunlin(&named))
}

#[test]
fn credentials_and_authorities() {
    let (hub, other) = (Hub::new(), Hub::new());
    let short = hub.viewer("brief", Some("1s".parse().unwrap()));
    let (viewer, authority) = (hub.viewer("me", None), hub.authority());
    let _server = hub.start();
    let well = check(&hub.url(), &viewer, &authority);
    well.must_say("good", "hub", &["nats-server 2.", "TLS trusted, credentials accepted"]);
    well.must_say("good", "permissions hub", &[]);
    well.must_say("note", "hosts", &["--admin"]);
    assert_eq!(well.code, Some(0));

    eventually("the credentials to end", Duration::from_secs(10), || {
        let ends = UserFacts::read(Path::new(&short)).unwrap().span.ends.unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        (i64::try_from(now.as_secs()).unwrap() > ends).then_some(())
    });
    let ended = check(&hub.url(), &short, &authority);
    ended.must_say("bad", "hub", &["ended", "dunlin credentials viewer brief --replace"]);
    ended.must_say("bad", "credentials viewer brief", &["ended"]);
    assert_eq!(ended.code, Some(1));

    let stranger = check(&hub.url(), &other.viewer("me", None), &authority);
    stranger.must_say("bad", "hub", &["does not accept the credentials", "another operator"]);
    let untrusted = check(&hub.url(), &viewer, &other.authority());
    untrusted.must_say("bad", "hub", &["its certificate is not trusted", "--authority"]);
    let bare = Checked::of(&dunlin(&[
        "--nats",
        &hub.url(),
        "--authority",
        &authority,
        "--lattice",
        "todo",
        "--output",
        "json",
    ]));
    bare.must_say("bad", "hub", &["lets nobody in without credentials", "dunlin credentials viewer"]);
    let host = hub.credentials.directory().join("hosts/aws/aws-1.creds");
    hub.credentials.leaf("aws", &dunlin_credentials::LeafOptions::default()).unwrap();
    hub.credentials.host(&dunlin_manifest::HostId::new("aws", "aws-1"), UserOptions::default()).unwrap();
    let named = ["--nats", &hub.url(), "--credentials", host.to_str().unwrap(), "--authority", &authority];
    let as_host = Checked::of(&dunlin(&[&named[..], &["--lattice", "todo", "--output", "json"]].concat()));
    as_host.must_say("warning", "credentials host aws/aws-1", &["no viewer's"]);
    as_host.must_say("bad", "permissions hub", &["todo.presence.>"]);
}

#[test]
fn certificates() {
    for (names, begins, ends, words) in [
        (
            &["localhost"],
            2020,
            2021,
            ["its certificate is not trusted: ended 2021-01-01", "dunlin credentials hub --replace"],
        ),
        (&["localhost"], 2090, 2091, ["not valid before 2090-01-01", "clock"]),
        (&["elsewhere"], 2020, 2090, ["it is for elsewhere", "--address"]),
    ] {
        let hub = Hub::new();
        hub.certify(names, begins, ends);
        let _server = hub.start();
        let checked = check(&hub.url(), &hub.viewer("me", None), &hub.authority());
        checked.must_say("bad", "hub", &words);
        assert_eq!(checked.code, Some(1));
    }
}

#[test]
fn a_server_that_lets_everybody_in() {
    let server = NatsServer::open();
    let url = format!("gcp=nats://{}", server.address());
    let checked = Checked::of(&dunlin(&["--nats", &url, "--lattice", "todo", "--output", "json"]));
    checked.must_say("bad", "permissions gcp", &["does not enforce users"]);
    checked.must_say("warning", "leaf gcp", &["without TLS"]);
    let secure = format!("gcp=tls://{}", server.address());
    let checked = Checked::of(&dunlin(&["--nats", &secure, "--lattice", "todo", "--output", "json"]));
    checked.must_say("bad", "leaf gcp", &["offers no TLS"]);
    // It demands a user, and then lets that user do everything.
    let careless = NatsServer::start("authorization: { user: me, password: you }\n");
    let url = format!("gcp=nats://me:you@{}", careless.address());
    let checked = Checked::of(&dunlin(&["--nats", &url, "--lattice", "todo", "--output", "json"]));
    checked.must_say("bad", "permissions gcp", &["may do what a viewer must not", "publish to todo.call."]);
}

#[test]
fn what_is_no_server_and_what_is_no_input() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (silent, nobody) = (silent.local_addr().unwrap(), format!("127.0.0.1:{}", free_port()));
    let checked = Checked::of(&dunlin(&[
        "--nats",
        &format!("hub=nats://{nobody}"),
        "--nats",
        "gcp=nats://nowhere.invalid",
        "--lattice",
        "todo",
        "--admin",
        &nobody,
        "--ingress",
        &format!("gcp={silent}"),
        "--output",
        "json",
    ]));
    checked.must_say("bad", "hub", &["refuses connections"]);
    checked.must_say("bad", "leaf gcp", &["its name leads nowhere"]);
    checked.must_say("bad", &format!("host {nobody}"), &["refuses connections"]);
    for (arguments, words) in [
        (&["--nats", "gcp"][..], "SITE=URL"),
        (&["--nats", "gcp=http://leaf:4222"], "nats://HOST:PORT"),
        (&["--nats", "gcp=nats://leaf:4222"], "--lattice"),
        (&["--nats", "gcp=nats://leaf", "--credentials", "/no/such/file"], "/no/such/file"),
        (&["--admin", "http://"], "HOST:PORT"),
        (&["--credentials", "me.creds"], "--nats"),
        (&["--nats", "gcp=nats://leaf", "--lattice", "No"], "no name of a lattice"),
    ] {
        let output = dunlin(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && text.contains(words), "{arguments:?}: {text}");
    }
    let output = dunlin(&[]);
    assert_eq!(output.status.code(), Some(1), "nothing runs");
}
