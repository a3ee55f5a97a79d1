//! A new identity on trial: begun, promoted, given up, taken back, and what outlives the host.

use std::collections::BTreeMap;
use std::time::Duration;

use dunlin_manifest::{Abort, Canary, Ratio, Update};
use dunlin_placement::canary::{Aborted, Calls};
use dunlin_placement::{Before, Demand, Desired, Failure, Hearing, SlotState};

use super::super::{Action, Failed, InstanceFacts, Settings, Token};
use super::{Bench, demand, desired, other, retires, settings, starts};
use crate::state::UpdateReport;

fn tried(identity: &str) -> Demand {
    let abort = Abort { error_ratio: Ratio::parse("0.02").unwrap(), min_requests: 100 };
    let canary = Canary { weight: 10, hold: Duration::from_secs(30), abort: Some(abort) };
    Demand { update: Some(Update { canary }), ..demand("todo", identity, &[("gcp", 1)]) }
}

/// What Git says, by a host that knows what was before.
fn knowing(demand: Demand, before: &str, replaced: bool) -> Desired {
    let before = Before { identity: before.into(), replaced };
    Desired { before: BTreeMap::from([("todo".to_owned(), before)]), ..desired(&[demand]) }
}

fn aborted(identity: &str) -> BTreeMap<String, Aborted> {
    let aborted = Aborted {
        identity: identity.into(),
        by: "gcp/z".into(),
        reason: "3 of 100 calls failed, more than errorRatio 0.02 allows".into(),
        calls: Calls { counted: 100, failed: 3 },
    };
    BTreeMap::from([("todo".to_owned(), aborted)])
}

/// The identity that an action starts.
fn started(actions: &[Action]) -> Vec<&str> {
    let demands = actions.iter().filter_map(|action| match action {
        Action::Start { demand, .. } => Some(demand.identity.as_str()),
        _ => None,
    });
    demands.collect()
}

impl Bench {
    fn reads(&mut self, desired: Desired) {
        self.core.source_read(desired);
    }

    fn counts(&mut self, token: Token, counted: u64, failed: u64) {
        self.trials.calls.insert(token, Calls { counted, failed });
    }

    fn update(&self) -> Option<UpdateReport> {
        self.core.report().slots["todo"].update.clone()
    }

    fn serves(&self) -> String {
        self.core.report().slots["todo"].identity.clone()
    }

    /// The identity `i1` serves and `i2` is on trial; gives their tokens.
    fn on_trial() -> (Self, Token, Token) {
        let (mut bench, old) = Bench::running("gcp/a", tried("i1"));
        bench.reads(knowing(tried("i2"), "i1", false));
        let actions = bench.step();
        let new = bench.run_starts(actions)[0];
        assert_eq!(bench.step(), []);
        (bench, old, new)
    }
}

#[test]
fn both_serve_for_as_long_as_git_says_and_then_the_new_alone() {
    let (mut bench, old, new) = Bench::on_trial();
    let in_service = bench.core.in_service()["todo"].clone();
    assert_eq!((in_service.token, in_service.demand.identity.as_str()), (old, "i1"));
    let canary = in_service.canary.unwrap();
    assert_eq!((canary.token, canary.weight, canary.ready), (new, 10, true));
    assert_eq!(
        (bench.serves().as_str(), bench.state()),
        ("i1", Some(SlotState::Ready)),
        "the slot is the old one's"
    );

    bench.counts(new, 204, 1);
    bench.after(1.9);
    assert_eq!(bench.step(), []);
    assert_eq!(bench.update().unwrap().canary.unwrap().calls, Calls::default(), "told now and then");
    bench.after(10.0);
    assert_eq!(bench.step(), []);
    let update = bench.update().unwrap();
    let canary = update.canary.unwrap();
    assert_eq!((update.identity.as_str(), canary.weight), ("i2", 10));
    assert_eq!(canary.calls, Calls { counted: 204, failed: 1 });

    bench.after(18.0);
    assert_eq!(bench.step(), [], "not yet thirty seconds");
    bench.after(0.1);
    let actions = bench.step();
    assert!(retires(&actions, old) && actions.len() == 1, "{actions:?}");
    assert_eq!((bench.serves().as_str(), bench.update()), ("i2", None));
    assert_eq!(bench.core.in_service()["todo"].canary, None);
}

#[test]
fn what_fails_is_given_up_and_not_tried_again_until_git_names_something_new() {
    let (mut bench, old, new) = Bench::on_trial();
    bench.counts(new, 100, 3);
    let actions = bench.step();
    assert!(retires(&actions, new) && actions.len() == 1, "{actions:?}");
    for _ in 0..100 {
        bench.after(5.0);
        assert_eq!(bench.step(), []);
    }
    assert_eq!(bench.core.in_service()["todo"].token, old);
    let report = bench.core.report();
    assert_eq!(report.aborted["todo"].identity, "i2");
    let stalled = &report.conditions[0];
    assert_eq!((stalled.kind.as_str(), stalled.component.as_deref()), ("Stalled", Some("todo")));
    assert_eq!(
        stalled.message,
        "the update to i2 was given up by gcp/a: 3 of 100 calls failed, more than errorRatio 0.02 allows; what ran \
         before goes on; commit another identity, or revert"
    );

    // Anything else that Git says of it holds all the same; another identity is tried.
    let moved = Demand { sites: BTreeMap::new(), ..tried("i2") };
    bench.others = vec![other("aws/b", true)];
    bench.reads(knowing(moved, "i1", false));
    assert!(retires(&bench.step(), old), "no longer asked for anywhere");
    let (mut bench, _, new) = Bench::on_trial();
    bench.counts(new, 100, 3);
    bench.step();
    bench.reads(knowing(tried("i3"), "i1", false));
    assert_eq!(started(&bench.step()), ["i3"]);
    assert_eq!(bench.core.report().aborted, BTreeMap::new());
    assert!(bench.core.report().conditions.is_empty());

    // And a revert needs nothing.
    let (mut bench, _, new) = Bench::on_trial();
    bench.counts(new, 100, 3);
    bench.step();
    bench.reads(knowing(tried("i1"), "i1", false));
    assert_eq!(bench.step(), []);
    assert!(bench.core.report().conditions.is_empty());
}

#[test]
fn a_trial_ends_with_what_caused_it() {
    // Taken back in Git.
    let (mut bench, _, new) = Bench::on_trial();
    bench.reads(knowing(tried("i1"), "i1", false));
    assert!(retires(&bench.step(), new), "taken back");
    assert_eq!((bench.serves().as_str(), bench.update()), ("i1", None));
    // Replaced by another.
    let (mut bench, _, new) = Bench::on_trial();
    bench.reads(knowing(tried("i3"), "i1", false));
    let actions = bench.step();
    assert!(retires(&actions, new) && started(&actions) == ["i3"], "{actions:?}");
    // No trial is asked for any more.
    let (mut bench, old, _) = Bench::on_trial();
    bench.reads(knowing(demand("todo", "i2", &[("gcp", 1)]), "i1", false));
    assert!(retires(&bench.step(), old), "promoted at once");
    // The slot is wanted elsewhere: it ends at once, the old serves until others have promised.
    let (mut bench, old, new) = Bench::on_trial();
    bench.others = vec![other("aws/b", false)];
    let moved = Demand { sites: demand("todo", "i2", &[("aws", 1)]).sites, ..tried("i2") };
    bench.reads(knowing(moved, "i1", false));
    let actions = bench.step();
    assert!(retires(&actions, new) && !retires(&actions, old), "{actions:?}");
    // The host drains, and nobody could take over.
    let (mut bench, old, new) = Bench::on_trial();
    bench.core.drain(Duration::from_secs(5), bench.now);
    let actions = bench.step();
    assert!(retires(&actions, new) && retires(&actions, old), "{actions:?}");
    // Git has it no more.
    let (mut bench, _, new) = Bench::on_trial();
    bench.reads(desired(&[]));
    assert!(retires(&bench.step(), new), "deleted");
}

#[test]
fn what_is_said_of_the_trial_may_change_while_it_lasts() {
    let (mut bench, old, new) = Bench::on_trial();
    let canary = Canary { weight: 50, hold: Duration::from_secs(60), abort: None };
    bench.reads(knowing(Demand { update: Some(Update { canary }), ..tried("i2") }, "i1", false));
    bench.counts(new, 1000, 1000);
    bench.after(59.0);
    assert_eq!(bench.step(), []);
    assert_eq!(bench.core.in_service()["todo"].canary.as_ref().unwrap().weight, 50);
    bench.reads(knowing(Demand { suspend: true, ..tried("i2") }, "i1", false));
    bench.counts(new, 1000, 1);
    bench.after(60.0);
    assert_eq!(bench.step(), [], "suspended: nothing takes over");
    bench.reads(knowing(tried("i2"), "i1", false));
    assert!(retires(&bench.step(), old));
}

#[test]
fn a_canary_that_is_unready_takes_no_calls_and_is_given_up_if_the_old_is_well() {
    let (mut bench, old, new) = Bench::on_trial();
    bench.instances.insert(new, InstanceFacts::default());
    bench.step();
    assert!(!bench.core.in_service()["todo"].canary.as_ref().unwrap().ready);
    bench.instances.insert(old, InstanceFacts::default());
    bench.after(60.0);
    assert_eq!(bench.step(), [], "neither is ready: it says nothing about the new one");
    bench.instances.insert(old, InstanceFacts { ready: true, last_call: None });
    bench.step();
    bench.after(1.0);
    assert!(retires(&bench.step(), new));
    let reason = bench.core.report().aborted["todo"].reason.clone();
    assert_eq!(reason, "it was not ready for 61 s while the one before it was");
}

#[test]
fn a_failed_start_of_the_new_is_no_trial() {
    let (mut bench, old) = Bench::running("gcp/a", tried("i1"));
    bench.reads(knowing(tried("i2"), "i1", false));
    let actions = bench.step();
    let [Action::Start { token, .. }] = actions[..] else { panic!("{actions:?}") };
    bench.core.started(token, Err(Failed { reach: Failure::Here, reason: "no secret".into() }), bench.now);
    bench.step();
    assert_eq!(bench.core.in_service()["todo"].token, old);
    assert_eq!((bench.update().unwrap().canary, bench.core.report().aborted.len()), (None, 0));
}

#[test]
fn what_another_host_gave_up_is_given_up_here() {
    // While it is on trial here.
    let (mut bench, _, new) = Bench::on_trial();
    bench.trials.aborted = BTreeMap::from([("todo".to_owned(), aborted("i9").into_values().collect())]);
    assert_eq!(bench.step(), [], "not what Git says");
    bench.trials.aborted.entry("todo".into()).or_default().extend(aborted("i2").into_values());
    assert!(retires(&bench.step(), new));
    assert_eq!(bench.core.report().aborted, aborted("i2"), "in the same words");
    // After it took over here.
    let (mut bench, old, new) = Bench::on_trial();
    bench.after(30.0);
    assert!(retires(&bench.step(), old));
    bench.reads(knowing(tried("i2"), "i1", true));
    bench.trials.aborted = BTreeMap::from([("todo".to_owned(), aborted("i2").into_values().collect())]);
    let actions = bench.step();
    assert_eq!(started(&actions), ["i1"], "goes back, without a trial");
    bench.run_starts(actions);
    assert!(retires(&bench.step(), new));
    assert_eq!(bench.serves(), "i1");
    // Where nobody knows what was before, what serves goes on.
    let (mut bench, _) = Bench::running("gcp/a", tried("i2"));
    bench.trials.aborted = BTreeMap::from([("todo".to_owned(), aborted("i2").into_values().collect())]);
    assert_eq!(bench.step(), []);
    assert_eq!((bench.serves().as_str(), bench.core.report().conditions.len()), ("i2", 1));
}

#[test]
fn an_abort_outlives_the_host() {
    let again = Settings { aborted: aborted("i2"), ran: ["todo".to_owned()].into(), ..settings("gcp/a") };
    // With its source.
    let mut bench = Bench::with(again.clone(), Some(knowing(tried("i2"), "i1", false)));
    bench.reads(knowing(tried("i2"), "i1", false));
    let actions = bench.step();
    assert_eq!(started(&actions), ["i1"]);
    bench.run_starts(actions);
    for _ in 0..10 {
        bench.after(30.0);
        assert_eq!(bench.step(), []);
    }
    assert_eq!(bench.core.report().conditions[0].kind, "Stalled");
    // Without its source and without a bus.
    let mut bench = Bench::with(again, Some(knowing(tried("i2"), "i1", false)));
    bench.hearing = Hearing::Never;
    bench.after(3.0);
    assert_eq!(started(&bench.step()), ["i1"]);
}

#[test]
fn a_host_that_comes_back_in_the_middle_of_a_trial_begins_it_again() {
    let ran = Settings { ran: ["todo".to_owned()].into(), ..settings("gcp/a") };
    let mut bench = Bench::with(ran, None);
    bench.reads(knowing(tried("i2"), "i1", false));
    let actions = bench.step();
    assert_eq!(started(&actions), ["i1"], "first what it ran");
    let old = bench.run_starts(actions)[0];
    let actions = bench.step();
    assert_eq!(started(&actions), ["i2"]);
    let new = bench.run_starts(actions)[0];
    bench.step();
    let in_service = bench.core.in_service()["todo"].clone();
    assert_eq!((in_service.token, in_service.canary.unwrap().token), (old, new));
}

#[test]
fn the_old_form_that_cannot_be_started_does_not_keep_the_new_one_away() {
    let ran = Settings { ran: ["todo".to_owned()].into(), ..settings("gcp/a") };
    let mut bench = Bench::with(ran, None);
    bench.reads(knowing(tried("i2"), "i1", false));
    let actions = bench.step();
    let [Action::Start { token, .. }] = actions[..] else { panic!("{actions:?}") };
    bench.core.started(token, Err(Failed { reach: Failure::Here, reason: "gone".into() }), bench.now);
    assert_eq!(started(&bench.step()), ["i2"]);
}

#[test]
fn what_is_suspended_ends_a_trial_of_something_else() {
    let (mut bench, _, new) = Bench::on_trial();
    bench.reads(knowing(Demand { suspend: true, ..tried("i3") }, "i1", false));
    let actions = bench.step();
    assert!(retires(&actions, new) && actions.len() == 1, "{actions:?}");
    assert_eq!((bench.update(), bench.serves()), (None, "i1".into()));
}

#[test]
fn a_host_that_knows_nothing_of_the_old_form_leaves_the_place_to_others() {
    let mut bench = Bench::new("gcp/a", &[tried("i2")]);
    bench.others = vec![other("aws/b", true)];
    bench.trials.on_trial.insert(("todo".into(), "i2".into()));
    assert_eq!(bench.step(), []);
    let slot = bench.core.report().slots["todo"].clone();
    assert_eq!((slot.state, slot.failed), (SlotState::Failed, Some(Failure::Here)), "a substitute may");
    assert!(slot.reason.unwrap().contains("is on trial elsewhere"));
    // Given up, and the others serve on.
    bench.trials.aborted = BTreeMap::from([("todo".to_owned(), aborted("i2").into_values().collect())]);
    bench.trials.on_trial.clear();
    for _ in 0..10 {
        bench.after(10.0);
        assert_eq!(starts(&bench.step()), 0);
    }
    assert!(bench.core.report().slots["todo"].reason.clone().unwrap().contains("was given up elsewhere"));
    // Nobody serves anything else any more: better this than nothing.
    bench.others.clear();
    assert_eq!(started(&bench.step()), ["i2"], "at once: it waited, nothing failed");
}

#[test]
fn the_wait_for_a_trial_elsewhere_ends_with_it() {
    let mut bench = Bench::new("gcp/a", &[tried("i2")]);
    bench.trials.on_trial.insert(("todo".into(), "i2".into()));
    bench.step();
    bench.trials.on_trial.clear();
    bench.after(10.0);
    assert_eq!(started(&bench.step()), ["i2"], "the trial is over: ten seconds at most");
}
