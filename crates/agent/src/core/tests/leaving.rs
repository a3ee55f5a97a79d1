//! How slots end: promises, drains, deletions.

use std::collections::BTreeSet;
use std::time::Duration;

use dunlin_placement::{Hearing, SlotState, before};

use super::super::{Action, InstanceFacts};
use super::{Bench, asks, demand, id, other, retires};

#[test]
fn a_yes_that_a_freeze_made_stale_does_not_count() {
    let (mut bench, token) = Bench::running("gcp/a", demand("todo", "i1", &[("gcp", 1)]));
    bench.wants(&[demand("todo", "i1", &[("aws", 1)])]);
    bench.others = vec![other("aws/b", true)];
    let actions = bench.step();
    assert_eq!(asks(&actions), 1);
    let asked_at = bench.now;
    bench.answer(&actions, true, asked_at);
    bench.after(1.0);
    let actions = bench.step();
    assert!(!retires(&actions, token), "the process stood still for a second: {actions:?}");
    bench.after(0.3);
    let actions = bench.step();
    let asked_at = bench.now;
    bench.answer(&actions, true, asked_at);
    bench.after(0.9);
    let actions = bench.step();
    assert!(retires(&actions, token), "{actions:?}");
    assert!(actions.iter().any(|action| matches!(action, Action::Done { .. })), "frees who promised");
    assert_eq!(bench.state(), Some(SlotState::Leaving));
    bench.core.gone(token);
    assert_eq!(bench.state(), None);
}

#[test]
fn presence_alone_ends_nothing() {
    let (mut bench, _) = Bench::running("gcp/a", demand("todo", "i1", &[("gcp", 1)]));
    bench.wants(&[demand("todo", "i1", &[("aws", 2)])]);
    bench.others = vec![other("aws/b", true)];
    assert_eq!(asks(&bench.step()), 0, "not worth asking: two are asked, one is there");
    bench.others.push(other("aws/c", true));
    let actions = bench.step();
    assert_eq!(asks(&actions), 2);
    let asked_at = bench.now;
    bench.answer(&actions[..1], true, asked_at);
    bench.answer(&actions[1..], false, asked_at);
    for _ in 0..40 {
        bench.after(0.25);
        assert!(bench.step().iter().all(|action| !matches!(action, Action::Retire { .. })));
    }
    assert_eq!(bench.state(), Some(SlotState::Ready));
    assert_eq!(bench.core.report().conditions[0].kind, "WaitsForPromises");
}

#[test]
fn a_promise_binds_until_done_or_two_seconds() {
    for released in [true, false] {
        // Of two unwanted slots the first in rank promises to the second.
        let (first, second) = if before("todo", (&id("gcp/a"), 100), (&id("edge/z"), 100)) {
            ("gcp/a", "edge/z")
        } else {
            ("edge/z", "gcp/a")
        };
        let site = first.split('/').next().unwrap();
        let (mut bench, token) = Bench::running(first, demand("todo", "i1", &[(site, 1)]));
        bench.wants(&[demand("todo", "i1", &[("aws", 1)])]);
        bench.others = vec![other("aws/b", true), other(second, true)];
        let actions = bench.step();
        assert!(bench.ask(second, 9));
        let asked_at = bench.now;
        bench.answer(&actions, true, asked_at);
        assert!(!retires(&bench.step(), token), "it promised to stay");
        if released {
            bench.core.release("todo", &id(second), 8);
            bench.after(0.3);
            assert_eq!(asks(&bench.step()), 0, "another question does not release it");
            bench.core.release("todo", &id(second), 9);
        } else {
            bench.after(1.9);
            assert_eq!(asks(&bench.step()), 0);
            bench.after(0.1);
        }
        let actions = bench.step();
        assert!(asks(&actions) > 0, "free again");
        let asked_at = bench.now;
        bench.answer(&actions, true, asked_at);
        assert!(retires(&bench.step(), token));
        assert!(!bench.ask(second, 10), "leaving");
    }
}

#[test]
fn deleted_components_wait_for_silence() {
    let (mut bench, token) = Bench::running("gcp/a", demand("todo", "i1", &[("gcp", 1)]));
    bench.wants(&[]);
    let called = |bench: &mut Bench| {
        bench.instances.insert(token, InstanceFacts { ready: true, last_call: Some(bench.now) });
    };
    for _ in 0..59 {
        called(&mut bench);
        assert_eq!(bench.step(), []);
        assert!(!bench.ask("gcp/b", 1), "it is about to go");
        bench.after(5.0);
    }
    bench.after(5.0);
    called(&mut bench);
    assert!(retires(&bench.step(), token), "after five minutes, calls or not");

    let (mut bench, token) = Bench::running("gcp/a", demand("todo", "i1", &[("gcp", 1)]));
    bench.wants(&[]);
    bench.step();
    bench.after(10.0);
    assert!(retires(&bench.step(), token));
}

#[test]
fn deleted_components_hold_their_route_until_its_next_owner_is_ready() {
    let (mut bench, token) = Bench::running("gcp/a", demand("todo", "i1", &[("gcp", 1)]));
    bench.wants(&[]);
    bench.holds.insert("todo".into());
    for _ in 0..100 {
        assert_eq!(bench.step(), []);
        bench.after(10.0);
    }
    let told = bench.core.report().conditions;
    assert!(told.iter().any(|condition| condition.kind == "HoldsRoute"), "{told:?}");
    bench.holds.clear();
    assert_eq!(bench.step(), [], "others may still send it calls");
    bench.after(10.0);
    assert!(retires(&bench.step(), token));
}

#[test]
fn a_drain_waits_for_promises_at_most_its_grace() {
    let (mut bench, token) = Bench::running("gcp/a", demand("todo", "i1", &[("gcp", 1)]));
    bench.others = vec![other("gcp/b", false)];
    bench.core.drain(Duration::from_secs(10), bench.now);
    assert_eq!(bench.step(), [], "gcp/b could take over");
    assert!(!bench.ask("gcp/b", 1));
    bench.after(9.9);
    assert_eq!(bench.step(), []);
    bench.after(0.1);
    assert!(retires(&bench.step(), token));
    assert!(!bench.core.is_drained());
    bench.core.gone(token);
    assert!(bench.core.is_drained());
    assert_eq!(bench.core.ran(), BTreeSet::from(["todo".to_owned()]), "still known after an orderly stop");

    let (mut bench, token) = Bench::running("gcp/a", demand("todo", "i1", &[("gcp", 1)]));
    bench.core.drain(Duration::from_secs(10), bench.now);
    assert!(retires(&bench.step(), token), "nobody could take over");
}

#[test]
fn deaf_hosts_neither_start_nor_leave() {
    let mut bench = Bench::new("gcp/a", &[demand("todo", "i1", &[("gcp", 1)])]);
    bench.hearing = Hearing::Deaf;
    assert_eq!(bench.step(), []);
    let (mut bench, _) = Bench::running("gcp/a", demand("todo", "i1", &[("gcp", 1)]));
    bench.wants(&[demand("todo", "i1", &[("aws", 1)])]);
    bench.others = vec![other("aws/b", true)];
    bench.hearing = Hearing::Deaf;
    assert_eq!(bench.step(), []);
}
