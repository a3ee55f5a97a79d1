//! What a site's leaf must not do at the hub, whatever software it runs.

use dunlin_credentials::{LeafOptions, UserOptions};
use dunlin_lattice::subjects::Announcement;
use dunlin_testkit::{NatsServer, free_port};

use crate::acts::{publish, refused, subscribe};
use crate::client::{Client, SILENCE};
use crate::raw_leaf::RawLeaf;
use crate::world::{World, id, init, listening, subjects};

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_leaf_that_lies_is_cut_off() {
    let world = World::start().await;
    let (creds, authority) =
        (world.credentials.directory().join("leaf-aws/hub.creds"), world.credentials.authority());
    let subjects = subjects();
    let (near, far) = (id("aws/aws-1"), id("gcp/gcp-1"));
    let mut witness = world.host("gcp/gcp-1").await;
    for pattern in [
        subjects.announcements(),
        subjects.calls_to(&far),
        subjects.promises_to(&far),
        subjects.state_asks_to(&far),
        subjects.watches(),
    ] {
        witness.listen(&pattern).await;
    }
    tokio::time::sleep(SILENCE).await;

    // What it may do works, or what follows would prove nothing.
    let mut leaf = RawLeaf::connect(world.leaf_port, &creds, &authority, false).await;
    assert!(leaf.hears("PONG").await, "{}", world.hub.log());
    let own = subjects.announcement(Announcement::Beat, &near);
    leaf.publish(&own).await;
    assert!(witness.next(&own).await.is_some(), "{}\n{}", leaf.said, world.hub.log());
    leaf.subscribe("todo.presence.*.*.*").await;
    tokio::time::sleep(SILENCE).await;
    let beat = subjects.announcement(Announcement::Beat, &far);
    witness.publish(&beat, "alive").await;
    assert!(leaf.hears(&format!("LMSG {beat}")).await, "{}", leaf.said);

    for hub in [false, true] {
        for subject in [
            subjects.announcement(Announcement::Beat, &id("gcp/gcp-2")),
            subjects.announcement(Announcement::Goodbye, &id("gcp/gcp-2")),
            subjects.call(&far, &id("gcp/gcp-2"), "todo", "f"),
            subjects.promise(&far, &id("gcp/gcp-2")),
            subjects.state_ask(&far, &id("eu/eu-1")),
            subjects.trace(&far, "todo"),
            "other.presence.beat.aws.aws-1".to_owned(),
            "$SYS.REQ.SERVER.PING".to_owned(),
        ] {
            let mut leaf = RawLeaf::connect(world.leaf_port, &creds, &authority, hub).await;
            assert!(leaf.hears("PONG").await, "{}", world.hub.log());
            leaf.publish(&subject).await;
            // One that takes the hub's part is not cut off; what it says is dropped all the same.
            let told = leaf.hears("Permissions Violation for Publish").await;
            assert!(told || hub, "{subject}: {}", leaf.said);
            assert!(!witness.hears_of(&subject).await, "{subject} got through, hub: {hub}");
        }
    }

    // A wildcard is taken, but only what it may hear comes; nothing of the calls and promises between others.
    let other = world.host("aws/aws-2").await;
    let mut callee = world.host("gcp/gcp-2").await;
    callee.listen(&subjects.calls_to(&id("gcp/gcp-2"))).await;
    callee.listen(&subjects.promises_to(&id("gcp/gcp-2"))).await;
    for _ in 0..2 {
        let mut eavesdropper = RawLeaf::connect(world.leaf_port, &creds, &authority, false).await;
        assert!(eavesdropper.hears("PONG").await);
        for pattern in
            [">", "todo.>", "todo.call.>", "todo.call.gcp.*.*.*.*.*", "todo.promise.>", "todo.reply.>"]
        {
            eavesdropper.subscribe(pattern).await;
        }
        tokio::time::sleep(SILENCE).await;
        let (call, promise) = (
            subjects.call(&id("gcp/gcp-2"), &id("aws/aws-2"), "todo", "f"),
            subjects.promise(&id("gcp/gcp-2"), &id("aws/aws-2")),
        );
        let reply = subjects.reply(&id("gcp/gcp-9"), "c", "1");
        other.publish(&reply, "secret").await;
        // While a leaf comes and goes, what others send may be lost like anything on a bus; so it is sent until heard.
        for subject in [&call, &promise] {
            dunlin_testkit::eventually_async("a message past the eavesdropper", PATIENCE, async || {
                other.publish(subject, "secret").await;
                callee.hears_of(subject).await.then_some(())
            })
            .await;
        }
        witness.publish(&beat, "alive").await;
        assert!(eavesdropper.hears(&format!("LMSG {beat}")).await, "{}", eavesdropper.said);
        assert!(!eavesdropper.said.contains("secret"), "{}", eavesdropper.said);
    }
    assert!(
        !witness.passed_over().iter().any(|subject| subject.contains("gcp-2") || subject.contains("eu-1"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leafs_credentials_open_no_other_door() {
    let world = World::start().await;
    let (creds, authority) =
        (world.credentials.directory().join("leaf-aws/hub.creds"), world.credentials.authority());
    for server in [&world.hub, &world.aws] {
        assert!(refused(server, &creds, &authority).await.contains("authorization violation"));
    }
    // And those of a host or a viewer no door for leaves, behind which nobody would be held to a name.
    let viewer = world.credentials.viewer("me", UserOptions::default()).unwrap().path;
    for creds in [world.creds_of("aws/aws-1"), viewer] {
        let mut leaf = RawLeaf::connect(world.leaf_port, &creds, &authority, false).await;
        assert!(!leaf.hears("PONG").await);
        assert!(leaf.said.contains("Authorization Violation"), "{}", leaf.said);
    }
}

/// A leaf whose owner lets everybody in and do everything: an account without operator, bound to the hub's.
#[tokio::test(flavor = "multi_thread")]
async fn a_leaf_that_lets_its_clients_do_anything_speaks_only_as_its_site() {
    let world = World::start().await;
    let folder = world.credentials.directory().join("leaf-aws");
    let open = NatsServer::start(&format!(
        "leafnodes {{ reconnect: \"1s\", remotes: [{{ url: \"tls://localhost:{}\", credentials: \"{}\", \
         tls {{ ca_file: \"{}\" }} }}] }}\n",
        world.leaf_port,
        folder.join("hub.creds").display(),
        folder.join("authority.pem").display()
    ));
    let subjects = subjects();
    let mut anybody = Client::with(async_nats::ConnectOptions::new(), &open).await.unwrap();
    let mut witness = world.host("gcp/gcp-1").await;
    witness.listen(&subjects.announcements()).await;
    witness.listen(&subjects.calls_to(&id("gcp/gcp-1"))).await;
    anybody.listen(">").await;
    let own = subjects.announcement(Announcement::Beat, &id("aws/anybody"));
    let begun = std::time::Instant::now();
    loop {
        anybody.publish(&own, "join").await;
        if witness.hears_of(&own).await {
            break;
        }
        assert!(begun.elapsed().as_secs() < 10, "{}\n{}", open.log(), world.hub.log());
    }
    let (call, beat) = (
        subjects.call(&id("gcp/gcp-1"), &id("gcp/gcp-2"), "todo", "f"),
        subjects.announcement(Announcement::Beat, &id("gcp/gcp-2")),
    );
    for act in [publish(&call), publish(&beat), subscribe("todo.call.gcp.gcp-1.*.*.*.*")] {
        act.attempt(&anybody).await;
    }
    assert!(!witness.hears_of(&call).await && !witness.hears_of(&beat).await);
    assert!(!witness.passed_over().contains(&beat));
    // Nor does it take the calls of others from them.
    let caller = world.host("aws/aws-2").await;
    let call = subjects.call(&id("gcp/gcp-1"), &id("aws/aws-2"), "todo", "f");
    caller.publish(&call, "secret").await;
    assert!(witness.next(&call).await.is_some());
    assert!(!anybody.hears_of(&call).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaf_believes_only_a_hub_of_its_authority() {
    let world = World::start().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let (other, _, _) = init(elsewhere.path());
    let port = free_port();
    let files = other
        .leaf(
            "aws",
            &LeafOptions {
                server: listening(port),
                hub: vec![format!("tls://localhost:{}", world.leaf_port).parse().unwrap()],
                ..LeafOptions::default()
            },
        )
        .unwrap();
    let leaf = NatsServer::with_file(&files.config.path, port);
    dunlin_testkit::eventually_async("a refusal", std::time::Duration::from_secs(10), async || {
        leaf.log().contains("certificate signed by unknown authority").then_some(())
    })
    .await;
    // And a hub takes no leaf of another operator, even one that believes it.
    let ours = world.credentials.authority();
    let mut raw = RawLeaf::connect(world.leaf_port, &files.credentials.path, &ours, false).await;
    assert!(!raw.hears("PONG").await);
    assert!(raw.said.contains("Authorization Violation"), "{}", raw.said);
}
