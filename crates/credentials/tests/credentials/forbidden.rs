//! Everything that a host or a viewer must not do, tried at its leaf and at the hub; and everybody who must not
//! come in.

use std::time::Duration;

use async_nats::ConnectOptions;
use dunlin_credentials::UserOptions;
use dunlin_lattice::subjects::Announcement;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::acts::{Act, publish, refused, subscribe};
use crate::client::{Client, SILENCE};
use crate::world::{World, id, init, leaf, subjects};

/// What the host `aws/aws-1` must not do, with words for it.
fn of_a_host() -> Vec<(&'static str, Act)> {
    let subjects = subjects();
    let (me, near, far) = (id("aws/aws-1"), id("aws/aws-2"), id("gcp/gcp-1"));
    vec![
        ("announce another host of its site", publish(subjects.announcement(Announcement::Beat, &near))),
        ("announce a host of another site", publish(subjects.announcement(Announcement::State, &far))),
        ("say goodbye for another host", publish(subjects.announcement(Announcement::Goodbye, &near))),
        ("call as another host of its site", publish(subjects.call(&far, &near, "todo", "f"))),
        ("call as a host of another site", publish(subjects.call(&near, &far, "todo", "f"))),
        ("call itself as another", publish(subjects.call(&me, &far, "todo", "f"))),
        ("promise as another host of its site", publish(subjects.promise(&far, &near))),
        ("promise as a host of another site", publish(subjects.promise(&near, &far))),
        ("ask for a state as another", publish(subjects.state_ask(&far, &near))),
        ("tell of another's calls", publish(subjects.trace(&near, "todo"))),
        ("nudge as another host of its site", publish(subjects.nudge(&near))),
        ("nudge as a host of another site", publish(subjects.nudge(&far))),
        ("ask to be told of calls as somebody else", publish(subjects.watch("me"))),
        ("speak in another lattice", publish("other.presence.beat.aws.aws-1")),
        ("speak to the system", publish("$SYS.REQ.SERVER.PING")),
        ("ask the system of other accounts", publish("$SYS.REQ.ACCOUNT.PING.CONNZ")),
        ("use storage", publish("$JS.API.INFO")),
        ("listen to another's calls", subscribe(subjects.calls_to(&near))),
        ("listen to calls to another site", subscribe(subjects.calls_to(&far))),
        ("listen to all calls", subscribe("todo.call.>")),
        ("listen to the calls that it sends", subscribe("todo.call.*.*.aws.aws-1.*.*")),
        ("listen to the whole lattice", subscribe("todo.>")),
        ("listen to everything", subscribe(">")),
        ("listen to any five words", subscribe("*.*.*.*.*")),
        ("listen to another's replies", subscribe(subjects.replies_to(&near, "*"))),
        ("listen to all replies", subscribe("todo.reply.>")),
        ("listen to another's promises", subscribe(subjects.promises_to(&far))),
        ("listen to requests for another's state", subscribe(subjects.state_asks_to(&near))),
        ("listen to other lattices", subscribe("*.presence.*.*.*")),
        ("listen to the system", subscribe("$SYS.>")),
        ("listen to inboxes", subscribe("_INBOX.>")),
    ]
}

/// What the viewer `me` must not do.
fn of_a_viewer() -> Vec<(&'static str, Act)> {
    let subjects = subjects();
    let (me, far) = (id("aws/aws-1"), id("gcp/gcp-1"));
    vec![
        ("call as a host", publish(subjects.call(&far, &me, "todo", "f"))),
        ("call as itself", publish("todo.call.gcp.gcp-1.viewer.me.todo.f")),
        ("announce a host", publish(subjects.announcement(Announcement::Beat, &me))),
        ("announce itself as a host", publish("todo.presence.beat.viewer.me")),
        ("promise", publish(subjects.promise(&far, &me))),
        ("answer a call", publish(subjects.reply(&me, "c", "1"))),
        ("tell of calls", publish(subjects.trace(&me, "todo"))),
        ("tell of a commit", publish(subjects.nudge(&me))),
        ("ask as another viewer", publish(subjects.watch("you"))),
        ("listen to calls", subscribe(subjects.calls_to(&me))),
        ("listen to all calls", subscribe("todo.call.>")),
        ("listen to replies", subscribe("todo.reply.>")),
        ("listen to promises", subscribe("todo.promise.>")),
        ("listen to nudges", subscribe(subjects.nudges())),
        ("listen to the whole lattice", subscribe("todo.>")),
        ("listen to everything", subscribe(">")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_forbidden_act_is_refused() {
    let world = World::start().await;
    // Those who would notice: each hears all that it may.
    let subjects = subjects();
    let mut witnesses = Vec::new();
    for name in ["aws/aws-2", "gcp/gcp-1"] {
        let witness = world.host(name).await;
        for pattern in [
            subjects.announcements(),
            subjects.calls_to(&id(name)),
            subjects.promises_to(&id(name)),
            subjects.state_asks_to(&id(name)),
            subjects.replies_to(&id(name), "c"),
            subjects.watches(),
            subjects.nudges(),
        ] {
            witness.listen(&pattern).await;
        }
        witnesses.push(witness);
    }
    let authority = world.credentials.authority();
    let viewer = world.credentials.viewer("me", UserOptions::default()).unwrap().path;
    for (creds, acts) in [(world.creds_of("aws/aws-1"), of_a_host()), (viewer, of_a_viewer())] {
        // At the site's leaf, and at the hub, where clients may come too.
        for server in [&world.aws, &world.hub] {
            let client = Client::connect(server, &creds, &authority).await.unwrap();
            for (words, act) in &acts {
                act.attempt(&client).await;
                assert!(act.is_refused(&client).await, "{}: {words}: {act:?}", creds.display());
            }
            assert_eq!(client.refusals().len(), acts.len(), "{:?}", client.refusals());
        }
    }
    for witness in &mut witnesses {
        assert_eq!(witness.within(SILENCE, "").await.map(|message| message.subject), None);
        assert_eq!(witness.passed_over(), Vec::<String>::new(), "something forged was heard");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_known_is_not_let_in() {
    let world = World::start().await;
    let authority = world.credentials.authority();

    // Of the same names, but another operator.
    let elsewhere = tempfile::tempdir().unwrap();
    let (other, _, _) = init(elsewhere.path());
    drop(leaf(&other, "aws"));
    let stranger = other.host(&id("aws/aws-1"), UserOptions::default()).unwrap().path;
    // Of our account's name for itself: token and seed are valid, but nobody vouches for them.
    for server in [&world.aws, &world.hub] {
        assert!(refused(server, &stranger, &authority).await.contains("authorization violation"));
        // A server of another authority is not talked to.
        let refusal = refused(server, &world.creds_of("aws/aws-1"), &other.authority()).await;
        assert!(refusal.contains("certificate") || refusal.contains("tls"), "{refusal}");
    }

    // Nobody in particular, with TLS.
    for server in [&world.aws, &world.hub] {
        for options in [
            ConnectOptions::new(),
            ConnectOptions::with_user_and_password("aws-1".to_owned(), "secret".to_owned()),
            ConnectOptions::with_token("secret".to_owned()),
        ] {
            let options = options.require_tls(true).add_root_certificates(authority.clone());
            let refusal = Client::with(options, server).await.err().expect("somebody was let in");
            assert!(refusal.contains("authorization violation"), "{refusal}");
        }
    }

    // A user whose token was changed: another name, the old signature.
    let creds = std::fs::read_to_string(world.creds_of("aws/aws-1")).unwrap();
    let others = std::fs::read_to_string(world.creds_of("aws/aws-2")).unwrap();
    let forged = elsewhere.path().join("forged.creds");
    let token = |text: &str| text.lines().nth(1).unwrap().to_owned();
    let part = |text: &str, index: usize| token(text).split('.').nth(index).unwrap().to_owned();
    let mixed = format!("{}.{}.{}", part(&creds, 0), part(&others, 1), part(&creds, 2));
    std::fs::write(&forged, creds.replace(&token(&creds), &mixed)).unwrap();
    assert!(refused(&world.aws, &forged, &authority).await.contains("authorization violation"));
    // Another's token with one's own seed.
    std::fs::write(&forged, creds.replace(&token(&creds), &token(&others))).unwrap();
    assert!(refused(&world.aws, &forged, &authority).await.contains("authorization violation"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_ended_is_put_out_and_not_let_in_again() {
    let world = World::start().await;
    let options = UserOptions { expires: Some("2s".parse().unwrap()), replace: false };
    let creds = world.credentials.host(&id("aws/brief"), options).unwrap().path;
    let authority = world.credentials.authority();
    let client = Client::connect(&world.aws, &creds, &authority).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), async {
        while client.nats.connection_state() == async_nats::connection::State::Connected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("a user whose time is over was not put out");
    assert!(client.refusals().iter().any(|refusal| refusal.contains("expired")), "{:?}", client.refusals());
    // Servers count whole seconds.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for server in [&world.aws, &world.hub] {
        assert!(refused(server, &creds, &authority).await.contains("authorization violation"));
    }
    let error = world.credentials.host(&id("aws/brief"), UserOptions::default()).unwrap_err();
    assert!(error.to_string().contains("add --replace to make it anew"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_without_tls() {
    let world = World::start().await;
    let creds = std::fs::read_to_string(world.creds_of("aws/aws-1")).unwrap();
    for port in [world.aws.address().port(), world.hub.address().port(), world.leaf_port] {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut stream = BufReader::new(stream);
        let (mut info, mut said) = (String::new(), String::new());
        stream.read_line(&mut info).await.unwrap();
        assert!(info.starts_with("INFO") && info.contains("\"tls_required\":true"), "{info}");
        let token = creds.lines().nth(1).unwrap();
        let connect = format!("CONNECT {{\"verbose\":true,\"jwt\":\"{token}\"}}\r\nPING\r\n");
        stream.write_all(connect.as_bytes()).await.unwrap();
        let read = stream.read_to_string(&mut said);
        let _ = tokio::time::timeout(Duration::from_secs(10), read).await.expect("it stays open");
        assert!(!said.contains("PONG") && !said.contains("+OK"), "{said}");
    }
}
