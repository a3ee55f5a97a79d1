//! Tables of the story: what a host showed before and shows now, and what is told of it.

use std::time::Duration;

use dunlin_placement::Failure;

use super::*;
use crate::state::Condition;

fn slot(identity: &str, state: SlotState, since_ms: u64) -> SlotReport {
    SlotReport {
        identity: identity.into(),
        state,
        failed: None,
        reason: None,
        since_ms,
        attempts: 0,
        update: None,
    }
}

fn update(identity: &str, since_ms: Option<u64>, attempts: u32) -> UpdateReport {
    let failed = (attempts > 0).then_some(Failure::Here);
    UpdateReport {
        identity: identity.into(),
        failed,
        reason: failed.map(|_| "no disk".into()),
        since_ms,
        attempts,
        canary: None,
    }
}

fn host(slots: &[(&str, SlotReport)]) -> HostState {
    let slots = slots.iter().map(|(name, slot)| ((*name).to_owned(), slot.clone())).collect();
    HostState { revision: Some("r".into()), slots, ..HostState::default() }
}

/// What is told of each step, one after the other.
fn told(steps: &[HostState], actions: &[Action], demanded: bool) -> Vec<Vec<(String, What)>> {
    let mut story = Story::default();
    let step = |state: &HostState| {
        let events = story.step(state, actions, |_| demanded, Instant::now());
        events
            .into_iter()
            .map(|event| (format!("{} {}", event.component, event.identity), event.what))
            .collect()
    };
    steps.iter().map(step).collect()
}

/// What is told of one slot that changes from step to step.
fn of_slot(steps: &[SlotReport]) -> Vec<Vec<What>> {
    let steps: Vec<_> = steps.iter().map(|slot| host(&[("todo", slot.clone())])).collect();
    let whats = |events: Vec<(String, What)>| events.into_iter().map(|(_, what)| what).collect();
    told(&steps, &[], true).into_iter().map(whats).collect()
}

fn ready(milliseconds: u64) -> What {
    What::Ready { after: Duration::from_millis(milliseconds) }
}

#[test]
fn a_start_readiness_that_flaps_and_nothing_new() {
    let steps = [
        slot("i1", SlotState::Starting, 1000),
        slot("i1", SlotState::Starting, 1000),
        slot("i1", SlotState::Ready, 1400),
        slot("i1", SlotState::Unready, 5000),
        slot("i1", SlotState::Ready, 8000),
    ];
    let expected = [vec![What::Starting], vec![], vec![ready(400)], vec![What::Unready], vec![ready(3000)]];
    assert_eq!(of_slot(&steps), expected);
}

#[test]
fn every_failed_attempt_is_told_once() {
    let failing = |state, attempts| SlotReport {
        failed: Some(Failure::Here),
        reason: Some("no disk".into()),
        attempts,
        ..slot("i1", state, 0)
    };
    let failed = |attempts| What::Failed { reach: Failure::Here, reason: "no disk".into(), attempts };
    let steps = [
        slot("i1", SlotState::Starting, 0),
        failing(SlotState::Failed, 1),
        failing(SlotState::Failed, 1),
        failing(SlotState::Starting, 1),
        failing(SlotState::Failed, 2),
    ];
    let expected = [vec![What::Starting], vec![failed(1)], vec![], vec![What::Starting], vec![failed(2)]];
    assert_eq!(of_slot(&steps), expected);
}

#[test]
fn an_update_that_fails_comes_through_or_is_taken_back() {
    let with = |update| SlotReport { update, ..slot("i1", SlotState::Ready, 0) };
    let failed = What::UpdateFailed { reach: Failure::Here, reason: "no disk".into(), attempts: 1 };
    let steps = [
        with(None),
        with(Some(update("i2", Some(2000), 0))),
        with(Some(update("i2", None, 1))),
        with(Some(update("i2", Some(12_000), 1))),
        slot("i2", SlotState::Ready, 12_300),
    ];
    // Only the slot's own state has since when; the change of identity is what counts.
    let after = What::Updated { after: Duration::from_millis(300) };
    let expected =
        [vec![ready(0)], vec![What::UpdateBegun], vec![failed], vec![What::UpdateBegun], vec![after]];
    assert_eq!(of_slot(&steps), expected);
    let taken_back = of_slot(&[with(None), with(Some(update("i2", Some(2000), 0))), with(None)]);
    assert_eq!(taken_back[2], [What::UpdateGivenUp]);
}

#[test]
fn a_slot_leaves_by_promises_by_drain_or_because_it_is_deleted() {
    let aws = HostId { site: "aws".into(), host: "c".into() };
    let done = Action::Done { component: "todo".into(), host: aws.clone(), question: 1 };
    let other = Action::Done { component: "front".into(), host: aws.clone(), question: 2 };
    let leaving = [host(&[("todo", slot("i1", SlotState::Leaving, 0))]), host(&[])];
    let what = |promised: &[HostId], draining, deleted| What::Leaving {
        promised: promised.to_vec(),
        draining,
        deleted,
    };
    for (actions, draining, demanded, expected) in [
        (vec![done.clone(), other], false, true, what(&[aws], false, false)),
        (vec![], true, true, what(&[], true, false)),
        (vec![], false, false, what(&[], false, true)),
    ] {
        let steps = leaving.clone().map(|state| HostState { draining, ..state });
        let events = told(&steps, &actions, demanded);
        assert_eq!(events, [vec![("todo i1".to_owned(), expected)], vec![]]);
    }
}

#[test]
fn a_start_that_is_no_longer_wanted_and_conditions_that_come_and_go() {
    let short = |message: &str| Condition {
        component: Some("todo".into()),
        kind: "Shortage".into(),
        message: message.into(),
        since_ms: None,
    };
    let starting = host(&[("todo", slot("i1", SlotState::Starting, 0))]);
    let with = |message| HostState { conditions: vec![short(message)], ..starting.clone() };
    let events = told(&[with("0 of 2"), with("1 of 2"), starting.clone(), host(&[])], &[], true);
    let begun = What::Condition { kind: "Shortage".into(), message: "0 of 2".into() };
    let over = What::ConditionOver { kind: "Shortage".into() };
    assert_eq!(
        events,
        [
            vec![("todo i1".to_owned(), What::Starting), ("todo ".to_owned(), begun)],
            vec![],
            vec![("todo ".to_owned(), over)],
            vec![("todo i1".to_owned(), What::GivenUp)],
        ]
    );
}
