//! A host asks its leaf whether that is linked to the hub.

use std::time::Duration;

use dunlin_lattice::nats::{NatsBus, NatsSettings};
use dunlin_lattice::{Bus, Connection};
use dunlin_testkit::NatsServer;

use crate::world::{World, id, subjects};

const PATIENCE: Duration = Duration::from_secs(20);

async fn connect(world: &World, server: &NatsServer, name: &str) -> std::sync::Arc<dyn Connection> {
    let settings = NatsSettings {
        servers: vec![format!("tls://localhost:{}", server.address().port())],
        credentials: Some(world.creds_of(name)),
        authority: Some(world.credentials.authority()),
        name: name.to_owned(),
    };
    NatsBus::new(settings).unwrap().connect("test").await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaf_tells_its_hosts_of_its_link_and_a_hub_of_none_that_is_lost() {
    let mut world = World::start().await;
    let reply = subjects().reply(&id("aws/aws-1"), "link", "1");
    let host = connect(&world, &world.aws, "aws/aws-1").await;
    let at_hub = connect(&world, &world.hub, "aws/aws-1").await;
    assert_eq!(host.linked(&reply).await, Some(true), "{}", world.aws.log());
    assert_eq!(at_hub.linked(&reply).await, Some(true));

    world.hub.process.kill();
    dunlin_testkit::eventually_async("the leaf to notice", PATIENCE, async || {
        (host.linked(&reply).await == Some(false)).then_some(())
    })
    .await;
    // One that connects only now cannot tell this server from one that was never a leaf.
    let late = connect(&world, &world.aws, "aws/aws-2").await;
    let reply_to_late = subjects().reply(&id("aws/aws-2"), "link", "1");
    assert_eq!(late.linked(&reply_to_late).await, None);
    assert_eq!(at_hub.linked(&reply).await, None, "not connected");

    world.hub.revive();
    dunlin_testkit::eventually_async("the link to be made again", PATIENCE, async || {
        (host.linked(&reply).await == Some(true) && late.linked(&reply_to_late).await == Some(true))
            .then_some(())
    })
    .await;
}
