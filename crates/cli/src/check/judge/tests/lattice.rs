//! Clocks, hosts, providers, components, ingress.

use std::time::Duration;

use expect_test::{Expect, expect};

use super::*;
use crate::check::facts::Trouble;

fn check(change: impl FnOnce(&mut Facts), expected: Expect) {
    expected.assert_eq(&after(change));
}

#[test]
fn clocks() {
    check(|facts| status(facts, 0).own.clock += 900, expect![[""]]);
    check(
        |facts| status(facts, 0).own.clock += 5_000,
        expect![
            "! clock aws/aws-1: 5.0 s ahead of the clock here; only certificates and credentials depend on it → let NTP set both clocks: `timedatectl` on each machine says whether it does"
        ],
    );
    check(
        |facts| status(facts, 3).own.clock -= 31_000,
        expect![
            "✗ clock gcp/gcp-2: 31.0 s behind the clock here; only certificates and credentials depend on it → let NTP set both clocks: `timedatectl` on each machine says whether it does"
        ],
    );
    // A long way there and back is no clock's fault.
    check(
        |facts| {
            status(facts, 0).own.clock += 1_500;
            facts.hosts[0].answer.as_mut().unwrap().took = Duration::from_millis(1_500);
        },
        expect![[""]],
    );
    // A host of an older release does not say its time.
    check(|facts| status(facts, 0).own.clock = 0, expect![[""]]);
}

#[test]
fn hosts_that_do_not_answer() {
    check(
        |facts| facts.hosts[0].answer = Err(Trouble::Refused),
        expect![
            "✗ host aws/aws-1: its admin port 127.0.0.1:8081 refuses connections: nothing listens there → dunlin revive aws/aws-1"
        ],
    );
    let silent = || Err(Trouble::Silent(Duration::from_secs(3)));
    check(
        |facts| facts.hosts[1].answer = silent(),
        expect![
            "✗ host aws/aws-2: its admin port 127.0.0.1:8081 accepts a connection and says nothing for 3s: frozen or overloaded → dunlin thaw aws/aws-2"
        ],
    );
    check(
        |facts| {
            facts.setting = Setting::Deployed;
            facts.hosts[1].answer = silent();
            facts.hosts[2].answer = Err(Trouble::Refused);
        },
        expect![[r#"
            ✗ host aws/aws-2: its admin port 127.0.0.1:8081 accepts a connection and says nothing for 3s: frozen or overloaded → see what holds it (a stopped process, a full machine); otherwise start it again
            ✗ host gcp/gcp-1: its admin port 127.0.0.1:8081 refuses connections: nothing listens there → start it, or correct the address"#]],
    );
    // Killed: nobody to ask, but the others remember.
    let killed = |facts: &mut Facts| {
        facts.hosts.remove(3);
        for host in 0..3 {
            let silent =
                HostStatus { state: "silent".into(), unseen_milliseconds: 12_300, ..HostStatus::default() };
            status(facts, host).sites.get_mut("gcp").unwrap().hosts.insert("gcp-2".into(), silent);
        }
    };
    check(
        killed,
        expect![
            "✗ host gcp/gcp-2: not heard for 12 s, without a goodbye: killed, or cut off → dunlin revive gcp/gcp-2"
        ],
    );
    check(|facts| facts.hosts.clear(), expect!["✗ hosts: none runs → dunlin revive SITE"]);
}

#[test]
fn hosts_that_answer_and_are_not_well() {
    check(
        |facts| status(facts, 0).own.ready = false,
        expect![
            "✗ host aws/aws-1: not ready: it starts, or has not read what it should run → see CONDITIONS in `dunlin status`, and its log"
        ],
    );
    check(
        |facts| {
            status(facts, 0).own.ready = false;
            let host = status(facts, 0).sites.get_mut("aws").unwrap().hosts.get_mut("aws-1").unwrap();
            host.state = "draining".into();
        },
        expect!["! host aws/aws-1: drains: it takes no new requests and ends once others have taken over"],
    );
    check(
        |facts| {
            let deaf = Condition { object: String::new(), reason: "Deaf".into(), message: "deaf".into() };
            status(facts, 2).conditions.push(deaf);
        },
        expect![
            "✗ host gcp/gcp-1: hears nobody on the bus, not even itself; what it runs goes on, and nothing new starts → mend its way to the bus: its log, and `dunlin nats env gcp`"
        ],
    );
    check(
        |facts| status(facts, 2).revision = "dir-2".into(),
        expect![
            "! revisions: hosts follow different ones: dir-1 at aws/aws-1 aws/aws-2 gcp/gcp-2, dir-2 at gcp/gcp-1 → normal for some seconds after a change; if it stays so, see in the log of those behind why they cannot read it"
        ],
    );
}

#[test]
fn providers() {
    let words = "gcp/gcp-1: no connection to Redis: connection refused";
    check(
        |facts| complain(facts, "provider/redis", "CannotOpen", words),
        expect![
            "✗ provider redis: gcp/gcp-1: no connection to Redis: connection refused → dunlin revive provider/redis"
        ],
    );
    let open_nowhere = |facts: &mut Facts| {
        for host in 0..4 {
            status(facts, host).providers.get_mut("redis").unwrap().open_at.clear();
        }
    };
    check(
        open_nowhere,
        expect![
            "✗ provider redis: Redis, open nowhere: no host of its sites runs → start hosts in the sites that the WasmProvider names (`dunlin status` shows them)"
        ],
    );
    // Hosts of aws that hear only each other see it open nowhere; those of gcp know better.
    check(|facts| status(facts, 0).providers.get_mut("redis").unwrap().open_at.clear(), expect![[""]]);
}

#[test]
fn components() {
    let ready = |facts: &mut Facts, ready: u32, wanted: u32| {
        for host in 0..4 {
            let sites = &mut status(facts, host).components.get_mut("todo").unwrap().sites;
            sites.values_mut().for_each(|count| *count = Count { wanted, ready });
        }
    };
    check(
        |facts| {
            ready(facts, 1, 2);
            complain(facts, "component/todo", "Shortage", "1 of 2 in gcp: one live host");
        },
        expect![
            "! component todo: 1 of 2 in aws, 1 of 2 in gcp ready; Shortage: 1 of 2 in gcp: one live host → `dunlin status` shows what each host waits for, `dunlin logs todo` what it says"
        ],
    );
    // Each site misses the other, and all is ready.
    check(
        |facts| complain(facts, "component/todo", "Shortage", "0 of 1 in aws: no live host"),
        expect![[""]],
    );
    check(
        |facts| ready(facts, 0, 2),
        expect![
            "✗ component todo: 0 of 2 in aws, 0 of 2 in gcp ready → `dunlin status` shows what each host waits for, `dunlin logs todo` what it says"
        ],
    );
    check(
        |facts| ready(facts, 0, 0),
        expect![
            "! component todo: 0 of 0 in aws, 0 of 0 in gcp ready → nothing is asked for: `dunlin move todo SITE=1`"
        ],
    );
    check(
        |facts| {
            complain(facts, "component/shop", "Invalid", "shop.yaml:3:1: unknown field");
            complain(facts, "", "HeldEmpty", "no component is left");
        },
        expect![[r#"
            ! lattice: HeldEmpty: no component is left
            ! component shop: Invalid: shop.yaml:3:1: unknown field"#]],
    );
}

#[test]
fn ingress() {
    let answer = |status, served_by: Option<&str>, text: &str, took| {
        let answer = RouteAnswer {
            status,
            served_by: served_by.map(str::to_owned),
            took: Duration::from_millis(took),
            text: text.to_owned(),
        };
        move |facts: &mut Facts| facts.routes[0].answer = Ok(answer)
    };
    check(
        answer(503, None, "no replica of todo is ready", 3),
        expect![
            "✗ ingress aws /: 503: no replica of todo is ready → nothing is ready to answer: dunlin status"
        ],
    );
    check(
        answer(500, Some("aws/aws-1"), "", 3),
        expect![
            "✗ ingress aws /: 500 from aws/aws-1 after 3 ms → the component answers so itself: dunlin logs"
        ],
    );
    check(
        answer(504, None, "the deadline passed", 5000),
        expect!["✗ ingress aws /: 504 after 5000 ms: the deadline passed → dunlin logs"],
    );
    check(
        answer(404, None, "no component has a route for /", 3),
        expect![
            "! ingress aws /: 404: no component has a route for / → the address leads to something else than this lattice's hosts, or they have not read the manifest yet"
        ],
    );
    check(answer(404, Some("aws/aws-1"), "", 3), expect![[""]]);
    check(
        answer(200, Some("gcp/gcp-1"), "", 1500),
        expect!["! ingress aws /: 200 from gcp/gcp-1 in 1500 ms → see where the time goes: dunlin calls -f"],
    );
    check(
        |facts| facts.routes[0].answer = Err(Trouble::Closed),
        expect![
            "✗ ingress aws /: 127.0.0.1:8082 closes the connection without an answer → no host of aws is ready: dunlin revive aws"
        ],
    );
    check(
        |facts| facts.routes[1].answer = Err(Trouble::Silent(Duration::from_secs(6))),
        expect![
            "✗ ingress gcp /: 127.0.0.1:8082 accepts a connection and says nothing for 6s: frozen or overloaded → see whether the component or its store hangs: dunlin logs"
        ],
    );
    check(
        |facts| {
            facts.setting = Setting::Deployed;
            facts.routes[0].answer = Err(Trouble::Closed);
            facts.routes[1].answer = Err(Trouble::Refused);
        },
        expect![[r#"
            ✗ ingress aws /: 127.0.0.1:8082 closes the connection without an answer → the address stands, and no host behind it is ready: see the hosts above
            ✗ ingress gcp /: 127.0.0.1:8082 refuses connections: nothing listens there → correct the address, or see to the load balancer in front of the site"#]],
    );
}
