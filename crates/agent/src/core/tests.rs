//! Tables of the core: time is a number here, the world a value.

mod canary;
mod failover;
mod leaving;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dunlin_manifest::HostId;
use dunlin_placement::{Demand, Desired, Failure, Hearing, HostView, SiteDemand, SlotState, SlotView};
use tokio::time::Instant;

use super::{Action, Answer, Bugs, Core, Failed, InstanceFacts, Seen, Settings, Token, World};

/// One core, and a world that the test turns.
struct Bench {
    core: Core,
    began: Instant,
    now: Instant,
    others: Vec<HostView>,
    hearing: Hearing,
    linked: Option<bool>,
    holds: BTreeSet<String>,
    instances: BTreeMap<Token, InstanceFacts>,
    trials: Seen,
}

fn id(name: &str) -> HostId {
    let (site, host) = name.split_once('/').unwrap();
    HostId { site: site.to_owned(), host: host.to_owned() }
}

fn settings(me: &str) -> Settings {
    Settings {
        me: id(me),
        incarnation: 1,
        labels: Arc::default(),
        memory_capacity: 1 << 30,
        weight: 100,
        ran: BTreeSet::new(),
        aborted: BTreeMap::new(),
        start_limit: Duration::from_secs(30),
        bugs: Bugs::default(),
    }
}

fn demand(component: &str, identity: &str, sites: &[(&str, u32)]) -> Demand {
    Demand {
        component: component.to_owned(),
        identity: identity.to_owned(),
        sites: sites.iter().map(|(site, count)| ((*site).to_owned(), SiteDemand::count(*count))).collect(),
        memory: 1 << 20,
        suspend: false,
        request_timeout: Duration::from_secs(5),
        failover: None,
        update: None,
    }
}

fn desired(demands: &[Demand]) -> Desired {
    let components = demands.iter().map(|demand| (demand.component.clone(), demand.clone())).collect();
    Desired { revision: "r".into(), digest: format!("{demands:?}"), components, before: BTreeMap::new() }
}

fn other(name: &str, ready: bool) -> HostView {
    let slot = SlotView { identity: "i1".into(), state: SlotState::Ready, failed: None };
    HostView {
        id: id(name),
        incarnation: 7,
        unseen_for: Duration::ZERO,
        known_for: Duration::from_secs(60),
        said_goodbye: false,
        draining: false,
        confirmed: true,
        digest: None,
        labels: Arc::default(),
        memory_capacity: 1 << 30,
        weight: 100,
        slots: Arc::new(ready.then(|| ("todo".to_owned(), slot)).into_iter().collect()),
        overdue: BTreeSet::new(),
        over: Arc::default(),
    }
}

impl Bench {
    fn with(settings: Settings, last_good: Option<Desired>) -> Self {
        let now = Instant::now();
        Self {
            core: Core::new(settings, last_good, now),
            began: now,
            now,
            others: Vec::new(),
            hearing: Hearing::Good,
            linked: None,
            holds: BTreeSet::new(),
            instances: BTreeMap::new(),
            trials: Seen::default(),
        }
    }

    /// A host that has read its source and listened for long enough.
    fn new(me: &str, demands: &[Demand]) -> Self {
        let mut bench = Self::with(settings(me), None);
        bench.core.source_read(desired(demands));
        bench.step();
        bench.after(2.0);
        bench
    }

    fn after(&mut self, seconds: f64) {
        self.now += Duration::from_secs_f64(seconds);
    }

    fn step(&mut self) -> Vec<Action> {
        let world = World {
            now: self.now,
            others: &self.others,
            hearing: self.hearing,
            linked: self.linked,
            holds: &self.holds,
            instances: &self.instances,
            trials: &self.trials,
        };
        self.core.step(&world)
    }

    fn ask(&mut self, asker: &str, question: u64) -> bool {
        let world = World {
            now: self.now,
            others: &self.others,
            hearing: self.hearing,
            linked: self.linked,
            holds: &self.holds,
            instances: &self.instances,
            trials: &self.trials,
        };
        self.core.will_you_stay(&world, "todo", &id(asker), question)
    }

    /// Carries a start out, up to readiness.
    fn run_starts(&mut self, actions: Vec<Action>) -> Vec<Token> {
        let start = |action: &Action| match action {
            Action::Start { token, .. } => Some(*token),
            _ => None,
        };
        let tokens: Vec<Token> = actions.iter().filter_map(start).collect();
        for token in &tokens {
            assert!(self.core.started(*token, Ok(()), self.now));
            self.instances.insert(*token, InstanceFacts { ready: true, last_call: None });
        }
        tokens
    }

    /// `todo` runs here, and is ready.
    fn running(me: &str, demand: Demand) -> (Self, Token) {
        let mut bench = Self::new(me, &[demand]);
        let actions = bench.step();
        let tokens = bench.run_starts(actions);
        bench.step();
        assert_eq!(bench.state(), Some(SlotState::Ready));
        (bench, tokens[0])
    }

    fn wants(&mut self, demands: &[Demand]) {
        self.core.source_read(desired(demands));
    }

    fn state(&self) -> Option<SlotState> {
        self.core.report().slots.get("todo").map(|slot| slot.state)
    }

    /// Answers the questions among some actions.
    fn answer(&mut self, actions: &[Action], yes: bool, asked_at: Instant) {
        for action in actions {
            if let Action::Ask { component, round, host } = action {
                let answer = Answer { question: 1, yes, asked_at };
                self.core.answered(component, *round, host.clone(), answer);
            }
        }
    }
}

fn asks(actions: &[Action]) -> usize {
    actions.iter().filter(|action| matches!(action, Action::Ask { .. })).count()
}

fn starts(actions: &[Action]) -> usize {
    actions.iter().filter(|action| matches!(action, Action::Start { .. })).count()
}

fn retires(actions: &[Action], token: Token) -> bool {
    actions.iter().any(|action| matches!(action, Action::Retire { token: other, .. } if *other == token))
}

#[test]
fn listens_before_it_starts_and_is_ready_when_the_instance_is() {
    let mut bench = Bench::with(settings("gcp/a"), None);
    bench.wants(&[demand("todo", "i1", &[("gcp", 1)])]);
    assert_eq!(bench.step(), []);
    bench.after(1.6);
    let actions = bench.step();
    assert_eq!((starts(&actions), bench.state()), (1, Some(SlotState::Starting)));
    bench.run_starts(actions);
    bench.step();
    assert_eq!(bench.state(), Some(SlotState::Ready));
    assert_eq!(bench.core.ran(), BTreeSet::from(["todo".to_owned()]));
}

#[test]
fn hung_and_failing_starts_are_tried_again_ever_later() {
    let mut bench = Bench::new("gcp/a", &[demand("todo", "i1", &[("gcp", 1)])]);
    let actions = bench.step();
    assert_eq!(starts(&actions), 1);
    bench.after(30.0);
    let actions = bench.step();
    assert!(matches!(actions[..], [Action::Cancel { .. }]));
    let report = bench.core.report();
    assert_eq!(report.slots["todo"].reason.as_deref(), Some("did not start within 30 s"));
    assert_eq!(report.slots["todo"].failed, Some(Failure::Here));
    for wait in [10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0] {
        bench.after(wait - 0.1);
        assert_eq!(bench.step(), [], "before {wait} s");
        bench.after(0.1);
        let actions = bench.step();
        let [Action::Start { token, .. }] = actions[..] else { panic!("{wait}: {actions:?}") };
        // Also while it is tried again others keep standing in for it.
        assert_eq!(bench.core.report().slots["todo"].failed, Some(Failure::Here));
        let failed = Failed { reach: Failure::Here, reason: "no disk".into() };
        assert!(!bench.core.started(token, Err(failed), bench.now));
    }
    bench.wants(&[demand("todo", "i2", &[("gcp", 1)])]);
    assert_eq!(starts(&bench.step()), 1, "what changed is tried at once");
}

#[test]
fn an_update_swaps_when_ready_and_can_be_taken_back() {
    let (mut bench, old) = Bench::running("gcp/a", demand("todo", "i1", &[("gcp", 1)]));
    bench.wants(&[demand("todo", "i2", &[("gcp", 1)])]);
    let actions = bench.step();
    assert_eq!(starts(&actions), 1);
    assert_eq!(bench.core.in_service()["todo"].token, old, "the old serves on");

    bench.wants(&[demand("todo", "i1", &[("gcp", 1)])]);
    assert!(matches!(bench.step()[..], [Action::Cancel { .. }]), "taken back");

    bench.wants(&[demand("todo", "i3", &[("gcp", 1)])]);
    bench.hearing = Hearing::Deaf;
    let actions = bench.step();
    let new = bench.run_starts(actions)[0];
    let actions = bench.step();
    assert!(retires(&actions, old), "deaf hosts do update: {actions:?}");
    assert_eq!(bench.core.in_service()["todo"].token, new);
    assert_eq!(bench.state(), Some(SlotState::Ready));
}

#[test]
fn a_failed_update_leaves_the_old_serving_and_the_place_kept() {
    let (mut bench, old) = Bench::running("gcp/a", demand("todo", "i1", &[("gcp", 1)]));
    bench.wants(&[demand("todo", "i2", &[("gcp", 1)])]);
    let actions = bench.step();
    let [Action::Start { token, .. }] = actions[..] else { panic!("{actions:?}") };
    bench.core.started(token, Err(Failed { reach: Failure::Here, reason: "no secret".into() }), bench.now);
    assert_eq!(bench.step(), []);
    let slot = bench.core.report().slots["todo"].clone();
    assert_eq!((slot.state, slot.failed), (SlotState::Ready, None));
    assert_eq!(slot.update.unwrap().reason.as_deref(), Some("no secret"));
    assert_eq!(bench.core.in_service()["todo"].token, old);
}

#[test]
fn flapping_readiness_shows_at_most_once_a_second() {
    let (mut bench, token) = Bench::running("gcp/a", demand("todo", "i1", &[("gcp", 1)]));
    let mut changes = 0;
    let mut shown = bench.state();
    for flap in 0..100 {
        bench.after(0.1);
        bench.instances.insert(token, InstanceFacts { ready: flap % 2 == 0, last_call: None });
        bench.step();
        changes += usize::from(bench.state() != shown);
        shown = bench.state();
    }
    assert!(changes <= 1, "{changes} changes in ten seconds");
    bench.instances.insert(token, InstanceFacts { ready: true, last_call: None });
    bench.step();
    bench.after(1.0);
    bench.step();
    assert_eq!(bench.state(), Some(SlotState::Ready));
}

#[test]
fn a_host_restarts_what_it_ran_with_source_and_bus_gone() {
    let both = [demand("todo", "i1", &[("gcp", 1)]), demand("front", "i1", &[("gcp", 1)])];
    let ran = Settings { ran: BTreeSet::from(["todo".to_owned()]), ..settings("gcp/a") };
    let mut bench = Bench::with(ran.clone(), Some(desired(&both)));
    bench.hearing = Hearing::Deaf;
    assert_eq!(bench.step(), []);
    assert_eq!(bench.core.ran(), ran.ran, "still to be remembered");
    bench.after(3.0);
    bench.hearing = Hearing::Never;
    let actions = bench.step();
    let [Action::Start { ref demand, .. }] = actions[..] else { panic!("{actions:?}") };
    assert_eq!(demand.component, "todo");
    assert!(!bench.core.report().confirmed);

    // With a confirmed host of its site that wants something else it waits.
    let mut bench = Bench::with(ran.clone(), Some(desired(&both)));
    bench.others = vec![HostView { digest: Some("another".into()), ..other("gcp/b", false) }];
    bench.after(60.0);
    assert_eq!(bench.step(), []);
    // And with one that wants the same it is confirmed.
    bench.others[0].digest = Some(desired(&both).digest);
    bench.step();
    assert!(bench.core.report().confirmed);
}

#[test]
fn a_silent_host_is_stood_in_for_until_it_shows_something() {
    // The first in rank is another host, which shows nothing.
    let one = demand("todo", "i1", &[("gcp", 1)]);
    let names = ["gcp/a", "gcp/b"].map(id);
    let order = dunlin_placement::order("todo", names.iter().map(|name| (name, 100)));
    let (first, me) = (order[0].to_string(), order[1].to_string());
    let mut bench = Bench::new(&me, std::slice::from_ref(&one));
    bench.others = vec![other(&first, false)];
    assert_eq!(bench.step(), []);
    bench.after(9.9);
    assert_eq!(bench.step(), []);
    bench.after(0.1);
    bench.step();
    let actions = bench.step();
    assert_eq!(starts(&actions), 1);
    bench.run_starts(actions);
    for _ in 0..100 {
        bench.after(0.5);
        assert_eq!(bench.step(), [], "stays, without asking anybody");
    }
    bench.others = vec![other(&first, true)];
    bench.step();
    assert_eq!(asks(&bench.step()), 1, "the first choice is there: asks to leave");
}

#[test]
fn suspended_components_neither_start_nor_stop() {
    let (mut bench, _) = Bench::running("gcp/a", demand("todo", "i1", &[("gcp", 1)]));
    let suspended = |sites: &[(&str, u32)]| Demand { suspend: true, ..demand("todo", "i2", sites) };
    bench.others = vec![other("aws/b", true)];
    for sites in [&[("gcp", 1)], &[("aws", 1)]] {
        bench.wants(&[suspended(sites)]);
        bench.after(60.0);
        assert_eq!(bench.step(), []);
    }
    assert_eq!(bench.state(), Some(SlotState::Ready));
}

#[test]
fn four_starts_at_once() {
    let names: Vec<String> = (0..9).map(|n| format!("c{n}")).collect();
    let demands: Vec<Demand> = names.iter().map(|name| demand(name, "i1", &[("gcp", 1)])).collect();
    let mut bench = Bench::new("gcp/a", &demands);
    let actions = bench.step();
    assert_eq!(starts(&actions), 4);
    bench.run_starts(actions);
    assert_eq!(starts(&bench.step()), 4);
    assert!(bench.now > bench.began);
}
