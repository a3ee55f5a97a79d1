//! Failover as one host carries it: stopwatches, the latch, what it shows and prepares.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dunlin_placement::{Demand, Failover, Hearing, HostView, SlotState};

use super::super::{Action, Bugs, Settings};
use super::{Bench, asks, demand, desired, id, other, retires, settings, starts};

fn with_failover(sites: &[(&str, u32)]) -> Demand {
    let failover =
        Failover { after: Duration::from_secs(30), to: vec!["aws".into()], back: Duration::from_secs(20) };
    Demand { failover: Some(failover), ..demand("todo", "i1", sites) }
}

/// A host of `aws` whose `others` are heard without a gap, whatever time passes, unless they are made silent.
struct Story(Bench);

impl Story {
    fn begin(others: Vec<HostView>) -> Self {
        let mut bench = Bench::with(settings("aws/a"), None);
        bench.others = others;
        bench.wants(&[with_failover(&[("gcp", 1)])]);
        Self(bench)
    }

    /// Lets time pass in the steps of a real loop; gives the actions of all but preparations.
    fn pass(&mut self, seconds: f64) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut left = seconds;
        while left > 0.0 {
            let step = left.min(0.25);
            left -= step;
            self.0.after(step);
            for other in &mut self.0.others {
                if !other.unseen_for.is_zero() {
                    other.unseen_for += Duration::from_secs_f64(step);
                }
            }
            actions.extend(self.0.step());
        }
        actions.retain(|action| !matches!(action, Action::Prepare { .. }));
        actions
    }

    fn silence(&mut self, name: &str) {
        self.host(name).unseen_for = Duration::from_millis(1);
    }

    fn host(&mut self, name: &str) -> &mut HostView {
        self.0.others.iter_mut().find(|other| other.id == id(name)).unwrap()
    }

    fn condition(&self) -> String {
        let conditions = self.0.core.report().conditions;
        let of = conditions.iter().filter(|condition| condition.kind == "FailedOver");
        of.map(|condition| condition.message.clone()).collect()
    }

    /// What is started runs, and is ready.
    fn run(&mut self, actions: Vec<Action>) -> u64 {
        let token = self.0.run_starts(actions)[0];
        self.pass(0.25);
        assert_eq!(self.0.state(), Some(SlotState::Ready));
        token
    }
}

#[test]
fn stands_in_after_and_leaves_when_home_was_ready_for_back() {
    let mut story = Story::begin(vec![other("gcp/g", true)]);
    assert_eq!(story.pass(60.0), [], "home is there");
    story.silence("gcp/g");
    assert_eq!(story.pass(29.5), []);
    let actions = story.pass(0.5);
    assert_eq!(starts(&actions), 1);
    let token = story.run(actions);
    assert_eq!(
        story.condition(),
        "aws stands in for gcp, which was silent or draining for 30 s; until gcp is ready again for 20 s; if gcp is only cut off, both run"
    );
    let report = story.0.core.report().failovers;
    assert_eq!((report[0].from.as_str(), report[0].ready), ("gcp", false));
    assert_eq!(story.pass(600.0), [], "for as long as it takes");

    // It beats, but runs nothing yet; then it is ready, with a gap.
    *story.host("gcp/g") = other("gcp/g", false);
    assert_eq!(story.pass(60.0), []);
    *story.host("gcp/g") = other("gcp/g", true);
    assert_eq!(story.pass(19.0), []);
    assert!(story.condition().contains("gcp is ready again, and has to be for 20 s"));
    *story.host("gcp/g") = other("gcp/g", false);
    assert_eq!(story.pass(0.25), []);
    *story.host("gcp/g") = other("gcp/g", true);
    assert_eq!(story.pass(20.0), []);
    let actions = story.pass(0.5);
    assert_eq!(asks(&actions), 1, "then Leave applies");
    let asked_at = story.0.now;
    story.0.answer(&actions, true, asked_at);
    assert!(retires(&story.pass(0.25), token));
    assert_eq!(story.condition(), "");
}

#[test]
fn a_home_that_drains_is_lost_and_one_without_failover_is_not() {
    let mut story = Story::begin(vec![other("gcp/g", true), other("gcp/h", true)]);
    story.pass(5.0);
    story.silence("gcp/g");
    story.host("gcp/h").draining = true;
    assert_eq!(story.pass(29.75), []);
    assert_eq!(starts(&story.pass(0.5)), 1);

    let mut story = Story::begin(vec![other("gcp/g", true)]);
    story.0.wants(&[demand("todo", "i1", &[("gcp", 1)])]);
    story.pass(5.0);
    story.silence("gcp/g");
    assert_eq!(story.pass(600.0), []);
    assert!(story.0.core.report().failovers.is_empty());
}

#[test]
fn a_fresh_host_waits_unless_a_neighbour_tells() {
    let mut story = Story::begin(vec![other("aws/b", false)]);
    story.0.wants(&[with_failover(&[("gcp", 2)])]);
    assert_eq!(story.pass(29.75), [], "a home never heard of");
    assert_eq!(starts(&story.pass(1.0)), 1);

    let over = Arc::new(BTreeSet::from([("todo".to_owned(), "gcp".to_owned())]));
    let told = HostView { over, ..other("aws/b", false) };
    let mut story = Story::begin(vec![told.clone()]);
    story.0.wants(&[with_failover(&[("gcp", 2)])]);
    assert_eq!(story.pass(1.5), [], "it listens first");
    assert_eq!(starts(&story.pass(0.5)), 1);

    let mut story = Story::begin(vec![told, other("gcp/g", true)]);
    story.0.wants(&[with_failover(&[("gcp", 2)])]);
    assert_eq!(story.pass(60.0), [], "it hears the home itself");
}

#[test]
fn silence_counts_only_while_it_hears_and_is_linked() {
    for bug in [false, true] {
        let mut story = Story::begin(vec![other("gcp/g", true)]);
        story.0.core.settings.bugs = Bugs { failover_while_deaf: bug, ..Bugs::default() };
        story.pass(5.0);
        story.silence("gcp/g");
        story.0.hearing = Hearing::Deaf;
        assert_eq!(story.pass(60.0), []);
        story.0.hearing = Hearing::Good;
        assert_eq!(starts(&story.pass(29.5)) == 1, bug);
        if !bug {
            assert_eq!(starts(&story.pass(1.0)), 1, "by then it has listened for 30 s");
        }
    }
    for bug in [false, true] {
        let mut story = Story::begin(vec![other("gcp/g", true), other("aws/b", true)]);
        story.0.core.settings.bugs = Bugs { failover_while_cut_off: bug, ..Bugs::default() };
        story.0.wants(&[with_failover(&[("gcp", 2)])]);
        story.pass(5.0);
        story.silence("gcp/g");
        story.0.linked = Some(false);
        assert_eq!(starts(&story.pass(60.0)) == 1, bug);
        if !bug {
            story.0.linked = Some(true);
            assert_eq!(story.pass(29.5), []);
            assert_eq!(starts(&story.pass(1.0)), 1);
        }
    }
}

#[test]
fn what_was_concluded_outlives_deafness_and_a_lost_hub() {
    let mut story = Story::begin(vec![other("gcp/g", true)]);
    story.pass(5.0);
    story.silence("gcp/g");
    let actions = story.pass(31.0);
    story.run(actions);
    for _ in 0..3 {
        story.0.hearing = Hearing::Deaf;
        assert_eq!(story.pass(20.0), []);
        story.0.hearing = Hearing::Good;
        assert_eq!(story.pass(5.0), []);
        story.0.linked = Some(false);
        assert_eq!(story.pass(20.0), []);
        story.0.linked = Some(true);
        assert_eq!(story.pass(5.0), []);
    }
    assert!(story.condition().contains("stands in"));
    // Git may end it at once: what is not asked for as a stand-in is an unwanted slot.
    story.0.wants(&[with_failover(&[("aws", 1)])]);
    assert_eq!(story.pass(1.0), []);
    assert_eq!(story.condition(), "");
    assert_eq!(story.0.state(), Some(SlotState::Ready));
}

#[test]
fn prepares_one_at_a_time_each_identity_until_it_worked() {
    let prepared = |actions: &[Action]| -> Vec<String> {
        let of = |action: &Action| match action {
            Action::Prepare { demand } => Some(format!("{} {}", demand.component, demand.identity)),
            _ => None,
        };
        actions.iter().filter_map(of).collect()
    };
    let named = |name: &str, identity: &str| Demand {
        component: name.into(),
        identity: identity.into(),
        ..with_failover(&[("gcp", 1)])
    };
    let mut bench = Bench::with(settings("aws/a"), None);
    bench.others = vec![other("gcp/g", true)];
    bench.wants(&[named("one", "i1"), named("todo", "i1"), demand("local", "i1", &[("gcp", 1)])]);
    assert_eq!(prepared(&bench.step()), ["one i1"]);
    assert!(prepared(&bench.step()).is_empty(), "one at a time");
    bench.core.has_prepared(true, bench.now);
    assert_eq!(prepared(&bench.step()), ["todo i1"]);
    bench.core.has_prepared(true, bench.now);
    assert!(prepared(&bench.step()).is_empty(), "once");
    bench.wants(&[named("one", "i2"), named("todo", "i1")]);
    assert_eq!(prepared(&bench.step()), ["one i2"]);
    for seconds in [10, 20] {
        bench.core.has_prepared(false, bench.now);
        bench.after(f64::from(seconds) - 1.0);
        assert!(prepared(&bench.step()).is_empty(), "not at once");
        bench.after(1.0);
        assert_eq!(prepared(&bench.step()), ["one i2"], "what failed is tried again after {seconds} s");
    }
    bench.core.has_prepared(true, bench.now);
    bench.core.drain(Duration::from_secs(5), bench.now);
    bench.wants(&[named("one", "i3")]);
    assert!(prepared(&bench.step()).is_empty(), "not while it drains");

    // Nor by hearsay.
    let last_good = desired(&[named("one", "i1")]);
    let mut bench = Bench::with(Settings { ..settings("aws/a") }, Some(last_good));
    assert!(prepared(&bench.step()).is_empty());
}
