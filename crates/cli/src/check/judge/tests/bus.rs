//! Servers, certificates, credentials and permissions.

use std::time::Duration;

use expect_test::{Expect, expect};

use super::*;
use crate::check::facts::Trouble;

fn check(change: impl FnOnce(&mut Facts), expected: Expect) {
    expected.assert_eq(&after(change));
}

fn tls(facts: &mut Facts, server: usize) -> &mut Tls {
    facts.servers[server].look.as_mut().unwrap().tls.as_mut().unwrap()
}

fn gone(facts: &mut Facts, server: usize, trouble: Trouble) {
    facts.servers[server].look = Err(trouble);
    facts.servers[server].entry = None;
}

#[test]
fn a_hub_that_cannot_be_reached() {
    let silent = Trouble::Silent(Duration::from_secs(2));
    let not_alone = |trouble: Trouble| {
        let mut facts = well();
        gone(&mut facts, 0, trouble);
        for leaf in [1, 2] {
            let own = facts.servers[leaf].place.name().to_owned();
            entry(&mut facts, leaf).heard.retain(|host| host.site == own);
        }
        facts
    };
    check(
        |facts| *facts = not_alone(Trouble::Refused),
        expect![[r#"
        ✗ hub: localhost:4222 refuses connections: nothing listens there → dunlin revive hub
        ✗ link aws: its leaf does not hear gcp → mend the hub first, see above
        ✗ link gcp: its leaf does not hear aws → mend the hub first, see above"#]],
    );
    check(
        |facts| *facts = not_alone(silent.clone()),
        expect![[r#"
        ✗ hub: localhost:4222 accepts a connection and says nothing for 2s: frozen or overloaded → dunlin thaw hub
        ✗ link aws: its leaf does not hear gcp → mend the hub first, see above
        ✗ link gcp: its leaf does not hear aws → mend the hub first, see above"#]],
    );
    check(
        |facts| {
            *facts = not_alone(silent);
            facts.setting = Setting::Deployed;
        },
        expect![[r#"
            ✗ hub: localhost:4222 accepts a connection and says nothing for 2s: frozen or overloaded → see what holds it (a stopped process, a full machine, a network that loses packets), or start it again
            ✗ link aws: its leaf does not hear gcp → mend the hub first, see above
            ✗ link gcp: its leaf does not hear aws → mend the hub first, see above"#]],
    );
}

#[test]
fn other_ways_not_to_be_reached() {
    let deployed = |trouble: Trouble| {
        let mut facts = well();
        facts.setting = Setting::Deployed;
        gone(&mut facts, 1, trouble);
        after(|all| *all = facts)
    };
    expect![[r#"
        ✗ leaf aws: localhost:4222 cannot be found, its name leads nowhere: no such name → correct the name, or its DNS record
        · link aws: not told: nobody can listen at its leaf; the hub hears its hosts"#]].assert_eq(&deployed(Trouble::Name("no such name".into())));
    expect![[r#"
        ✗ leaf aws: localhost:4222 takes no connection within 2s: the machine is off, or a network or firewall in between drops it → see that the machine runs, and that the firewalls in between let this port pass
        · link aws: not told: nobody can listen at its leaf; the hub hears its hosts"#]].assert_eq(&deployed(Trouble::NoConnection(Duration::from_secs(2))));
    expect![[r#"
        ✗ leaf aws: localhost:4222 closes the connection without an answer → see in its log why; it may be at its limit of connections
        · link aws: not told: nobody can listen at its leaf; the hub hears its hosts"#]].assert_eq(&deployed(Trouble::Closed));
    expect![[r#"
        ✗ leaf aws: localhost:4222 offers no TLS, though tls:// was asked for → give it a certificate: `dunlin credentials` writes a configuration with TLS
        · link aws: not told: nobody can listen at its leaf; the hub hears its hosts"#]].assert_eq(&deployed(Trouble::NoTls));
}

#[test]
fn a_server_that_is_not_trusted() {
    let untrusted = |trust: Trust| {
        move |facts: &mut Facts| {
            tls(facts, 0).trust = trust;
            facts.servers[0].entry = None;
        }
    };
    check(
        untrusted(Trust::OtherAuthority),
        expect![[
            r#"✗ hub: nats-server 2.14.9 at localhost:4222: its certificate is not trusted: another authority with the name "Dunlin lattice todo" signed it, not that of --authority → give --authority the authority.pem that lies where this server's certificate was made"#
        ]],
    );
    check(
        untrusted(Trust::OtherName),
        expect![
            "✗ hub: nats-server 2.14.9 at localhost:4222: its certificate is not trusted: it is for localhost, 127.0.0.1 → name it so in the URL, or `dunlin credentials hub --address NAME --replace`"
        ],
    );
    check(
        |facts| {
            untrusted(Trust::OutOfTime)(facts);
            tls(facts, 0).certificate.span.ends = Some(NOW - 3 * DAY);
            facts.setting = Setting::Deployed;
        },
        expect![[r#"
            ✗ hub: nats-server 2.14.9 at localhost:4222: its certificate is not trusted: ended 2030-03-14 17:46 UTC, 3 days ago → `dunlin credentials hub --replace`, give the new files to its nats-server, and `nats-server --signal reload`
            ✗ certificate hub: ended 2030-03-14 17:46 UTC, 3 days ago → `dunlin credentials hub --replace`, give the new files to its nats-server, and `nats-server --signal reload`"#]],
    );
    check(
        |facts| facts.servers[0].look.as_mut().unwrap().tls = None,
        expect![
            "! hub: nats-server 2.14.9 at localhost:4222 speaks without TLS: whoever is on the way reads and changes what passes → give it a certificate, and name it tls://…"
        ],
    );
}

#[test]
fn certificates_and_credentials_that_end() {
    check(
        |facts| tls(facts, 2).certificate.span.ends = Some(NOW + 12 * DAY),
        expect![
            "! certificate gcp: ends 2030-03-29 17:46 UTC, in 12 days → start `dunlin dev` again: it makes new certificates"
        ],
    );
    check(
        |facts| facts.authority[0].span.ends = Some(NOW + DAY),
        expect![
            "! authority: Dunlin lattice todo ends 2030-03-18 17:46 UTC, in 1 day → make new credentials in another directory (`dunlin credentials init`), and let servers, hosts and viewers trust both authorities while the certificates are replaced"
        ],
    );
    check(
        |facts| facts.users[2].span.ends = Some(NOW - DAY),
        expect![
            "✗ credentials host aws/aws-1: ended 2030-03-16 17:46 UTC, 1 day ago → `dunlin credentials host aws/aws-1 --replace`, and give the file to that host"
        ],
    );
    check(
        |facts| facts.users[0].span.ends = Some(NOW + 2 * DAY),
        expect![
            "! credentials leaf aws: ends 2030-03-19 17:46 UTC, in 2 days → `dunlin credentials leaf aws --replace`, and give the file to that nats-server"
        ],
    );
    check(
        |facts| facts.viewer.as_mut().unwrap().span.ends = Some(NOW + 2 * DAY),
        expect![
            "! credentials viewer me: ends 2030-03-19 17:46 UTC, in 2 days → dunlin credentials viewer me --replace"
        ],
    );
}

#[test]
fn a_server_that_lets_us_not_in() {
    let refuse = |facts: &mut Facts| {
        let words = "authorization violation: it does not accept these credentials".to_owned();
        facts.servers[1].entry = Some(Err(words));
    };
    check(
        refuse,
        expect![[r#"
        ✗ leaf aws: nats-server 2.14.9 at localhost:4222: it does not accept the credentials of viewer me: another operator or account signed them, or they were revoked → make them where this server's trust.conf was made: `dunlin credentials viewer NAME`; then see that the server has read the newest trust.conf
        · link aws: not told: nobody can listen at its leaf; the hub hears its hosts"#]],
    );
    check(
        |facts| {
            refuse(facts);
            facts.viewer.as_mut().unwrap().span.ends = Some(NOW - 60);
        },
        expect![[r#"
            ✗ leaf aws: nats-server 2.14.9 at localhost:4222: it does not accept the credentials of viewer me: ended 2030-03-17 17:45 UTC, 1 minute ago → dunlin credentials viewer me --replace
            ✗ credentials viewer me: ended 2030-03-17 17:45 UTC, 1 minute ago → dunlin credentials viewer me --replace
            · link aws: not told: nobody can listen at its leaf; the hub hears its hosts"#]],
    );
    check(
        |facts| {
            refuse(facts);
            facts.viewer = None;
        },
        expect![[r#"
            ✗ leaf aws: nats-server 2.14.9 at localhost:4222: it lets nobody in without credentials → give --credentials FILE, a viewer's: `dunlin credentials viewer NAME`
            · credentials: none given: the servers were looked at as nobody
            · link aws: not told: nobody can listen at its leaf; the hub hears its hosts"#]],
    );
    check(
        |facts| facts.servers[1].entry = Some(Err("the bus did not say within 2s what is allowed".into())),
        expect![[r#"
            ✗ leaf aws: nats-server 2.14.9 at localhost:4222: the bus did not say within 2s what is allowed → see the server's log; it may be at a limit, or have been frozen meanwhile
            · link aws: not told: nobody can listen at its leaf; the hub hears its hosts"#]],
    );
}

#[test]
fn permissions() {
    check(
        |facts| facts.servers[0].look.as_mut().unwrap().demands_user = false,
        expect![
            "✗ permissions hub: it does not enforce users: anybody who reaches it may call, and take calls meant for others → run it with a configuration of `dunlin credentials`, which demands a user of everybody"
        ],
    );
    check(
        |facts| entry(facts, 1).allowed.push("publish to todo.call.x".into()),
        expect![
            "✗ permissions aws: this user may do what a viewer must not: publish to todo.call.x → check as a viewer (`dunlin credentials viewer NAME`); if these are a viewer's, the server does not enforce what their token says"
        ],
    );
    check(
        |facts| {
            let words = "this user may not listen to todo.presence.>: no";
            entry(facts, 2).denied.push(words.into());
            facts.viewer.as_mut().unwrap().name = "host gcp/gcp-1".into();
        },
        expect![[r#"
            ! credentials host gcp/gcp-1: these are no viewer's: who checks needs no more rights than to look → dunlin credentials viewer NAME
            ✗ permissions gcp: this user may not listen to todo.presence.>: no → check as a viewer: `dunlin credentials viewer NAME`"#]],
    );
    let words = "gcp/gcp-1: the bus refuses to let this user listen to todo.watch.*: no";
    check(
        |facts| complain(facts, "", "Bus", words),
        expect![
            "✗ bus gcp/gcp-1: the bus refuses to let this user listen to todo.watch.*: no → `dunlin credentials host gcp/gcp-1 --replace`, give the file to the host, and start it again"
        ],
    );
    check(
        |facts| complain(facts, "", "Bus", "gcp/gcp-1: the connection was lost"),
        expect!["✗ bus gcp/gcp-1: the connection was lost → see the line of its site's leaf above"],
    );
}
