//! Another system in the hub's place: a second operator with a hub of its own plays NGS.

use dunlin_credentials::{ImportOptions, LeafOptions};
use dunlin_lattice::subjects::Announcement;
use dunlin_testkit::{NatsServer, free_port};

use crate::client::Client;
use crate::world::{creds_at, id, init, leaf, listening, subjects};

#[tokio::test(flavor = "multi_thread")]
async fn sites_meet_at_another_system() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Their system: its own operator, its own authority, and a user for each of our sites.
    let (system, clients, leaves) = init(theirs.path());
    let _hub = NatsServer::with_file(&system.directory().join("hub/hub.conf"), clients);
    let (credentials, _, _) = init(ours.path());
    let url: dunlin_credentials::HubUrl = format!("tls://localhost:{leaves}").parse().unwrap();
    let mut servers = Vec::new();
    for site in ["aws", "gcp"] {
        let port = free_port();
        let user =
            system.leaf(site, &LeafOptions { server: listening(port), ..LeafOptions::default() }).unwrap();
        let imported = credentials
            .import(
                &user.credentials.path,
                &ImportOptions {
                    hub: vec![url.clone()],
                    site: Some(site.to_owned()),
                    authority: Some(system.authority()),
                    replace: site == "gcp",
                },
            )
            .unwrap();
        assert!(imported.isolated, "their user may do exactly what the site's leaf must");
        assert_eq!(imported.hub, std::slice::from_ref(&url));
        servers.push(leaf(&credentials, site));
    }
    let mut clients = Vec::new();
    for (server, name) in servers.iter().zip(["aws/aws-1", "gcp/gcp-1"]) {
        let client =
            Client::connect(server, &creds_at(&credentials, name), &credentials.authority()).await.unwrap();
        client.listen(&subjects().announcements()).await;
        clients.push(client);
    }
    let subject = subjects().announcement(Announcement::Beat, &id("aws/aws-1"));
    let (caller, callee) = clients.split_at_mut(1);
    let begun = std::time::Instant::now();
    loop {
        caller[0].publish(&subject, "hello").await;
        if callee[0].hears_of(&subject).await {
            return;
        }
        assert!(begun.elapsed().as_secs() < 10, "{}\n{}", servers[0].log(), servers[1].log());
    }
}

#[test]
fn a_shared_user_is_said_not_to_isolate() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (system, _, _) = init(theirs.path());
    let (credentials, _, _) = init(ours.path());
    let user = system
        .leaf("aws", &LeafOptions { server: listening(free_port()), ..LeafOptions::default() })
        .unwrap();
    let imported = credentials.import(&user.credentials.path, &ImportOptions::default()).unwrap();
    assert!(!imported.isolated);
    assert_eq!(imported.hub[0].to_string(), "tls://connect.ngs.global:7422");
    assert!(credentials.remote_user("aws").unwrap().contains("--allow-pub"));
    let none = credentials.import(&credentials.authority(), &ImportOptions::default()).unwrap_err();
    assert!(none.to_string().contains("authority.pem"), "{none}");
}
