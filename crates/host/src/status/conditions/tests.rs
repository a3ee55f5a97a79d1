//! The table of conditions: for each situation what each condition says, and what kstatus makes of it.

use std::collections::BTreeMap;
use std::time::Duration;

use dunlin_agent::{SlotReport, UpdateReport};
use dunlin_placement::{Failure, SlotState};
use expect_test::{Expect, expect};
use tokio::time::Instant;

use super::facts::{Asked, HostFact};
use super::*;

/// A host with an uptime of 100 s that follows what the judging host follows.
fn host(name: &str, slot: Option<SlotReport>) -> HostFact {
    let site = name.split('-').next().unwrap();
    HostFact {
        site: site.into(),
        name: format!("{site}/{name}"),
        same: true,
        revision: "r2".into(),
        uptime: 100_000,
        slot,
        ..HostFact::default()
    }
}

/// A slot of the identity that is asked for, since 97 s of uptime.
fn slot(state: SlotState) -> SlotReport {
    SlotReport {
        identity: "new".into(),
        state,
        failed: None,
        reason: None,
        since_ms: 97_000,
        attempts: 0,
        update: None,
    }
}

fn ready(name: &str) -> HostFact {
    host(name, Some(slot(SlotState::Ready)))
}

fn failed(name: &str, reach: Failure, attempts: u32) -> HostFact {
    let reason = Some("secret api has no key KEY".to_owned());
    host(name, Some(SlotReport { failed: Some(reach), reason, attempts, ..slot(SlotState::Failed) }))
}

fn updating(name: &str, failure: Option<(Failure, u32)>) -> HostFact {
    let update = UpdateReport {
        identity: "new".into(),
        failed: failure.map(|(reach, _)| reach),
        reason: failure.map(|_| "not WebAssembly".into()),
        since_ms: failure.is_none().then_some(99_000),
        attempts: failure.map_or(0, |(_, attempts)| attempts),
        canary: None,
    };
    host(name, Some(SlotReport { identity: "old".into(), update: Some(update), ..slot(SlotState::Ready) }))
}

fn says(host: HostFact, kind: &str, message: &str, since: u64) -> HostFact {
    HostFact { says: vec![(kind.into(), message.into(), Some(since))], ..host }
}

/// Two slots asked for in aws.
fn facts(hosts: Vec<HostFact>) -> Facts {
    let asked =
        Asked { identity: "new".into(), sites: BTreeMap::from([("aws".into(), 2)]), ..Asked::default() };
    Facts { revision: "r2".into(), asked: Some(asked), hosts, ..Facts::default() }
}

/// What is told of facts, in lines.
fn lines(facts: &Facts) -> String {
    let (conditions, _) = Ages::default().tell("todo", &judge(facts), "r2", "new", Instant::now());
    let line = |condition: &ComponentCondition| {
        let ComponentCondition { kind, status, reason, message, .. } = condition;
        format!("{kind} {status:?} {reason}: {message}").trim_end_matches([' ', ':']).to_owned()
    };
    // What is as usual is not worth a line.
    let usual = |line: &String| {
        !["Accepted True", "Stalled False", "Reconciling"].iter().any(|start| line.starts_with(start))
    };
    let told: Vec<_> = conditions.iter().map(line).filter(usual).collect();
    format!("{:?}\n{}", Kstatus::of(&conditions), told.join("\n"))
}

fn check(facts: &Facts, expected: Expect) {
    expected.assert_eq(&lines(facts));
}

#[test]
fn as_asked_and_on_the_way() {
    check(
        &facts(vec![ready("aws-1"), ready("aws-2"), host("gcp-1", None)]),
        expect![[r#"
        Current
        Ready True AsAsked: 2 of 2 in aws
        Progressing False Settled"#]],
    );
    let starting = || host("aws-2", Some(slot(SlotState::Starting)));
    check(
        &facts(vec![ready("aws-1"), starting()]),
        expect![[r#"
            InProgress
            Ready False Starting: 1 of 2 in aws ready
            Progressing True Starting: aws-2 starts since 3 s"#]],
    );
    let answer = Some("readiness path /api answers 503, not 2xx".to_owned());
    check(
        &facts(vec![ready("aws-1"), HostFact { answer: answer.clone(), ..starting() }]),
        expect![[r#"
            InProgress
            Ready False NotReady: 1 of 2 in aws ready
            Progressing True NotReady: aws-2 starts: readiness path /api answers 503, not 2xx since 3 s"#]],
    );
    let unready = HostFact { answer, ..host("aws-2", Some(slot(SlotState::Unready))) };
    check(
        &facts(vec![ready("aws-1"), unready]),
        expect![[r#"
            InProgress
            Ready False NotReady: 1 of 2 in aws ready
            Progressing True NotReady: aws-2 is not ready: readiness path /api answers 503, not 2xx since 3 s"#]],
    );
    check(
        &facts(vec![ready("aws-1"), updating("aws-2", None)]),
        expect![[r#"
            InProgress
            Ready False Updating: 1 of 2 in aws ready
            Progressing True Updating: aws-2 updates since 1 s"#]],
    );
    check(
        &facts(vec![ready("aws-1"), host("aws-2", None)]),
        expect![[r#"
        InProgress
        Ready False TooFew: 1 of 2 in aws ready
        Progressing True NotStarted: aws has no host that starts it yet since 0 ms"#]],
    );
    let behind = HostFact { same: false, revision: "r1".into(), ..host("aws-2", None) };
    check(
        &facts(vec![ready("aws-1"), ready("aws-3"), behind]),
        expect![[r#"
        InProgress
        Ready True AsAsked: 2 of 2 in aws
        Progressing True Following: aws-2 still follows r1 since 0 ms"#]],
    );
}

#[test]
fn the_old_leaves_when_the_new_are_there() {
    let old = || host("gcp-1", Some(slot(SlotState::Ready)));
    let waits = says(old(), "WaitsForPromises", "waits for 1 more promise of 2 (ready elsewhere: 1)", 88_000);
    let starting = host("aws-2", Some(slot(SlotState::Starting)));
    check(
        &facts(vec![ready("aws-1"), starting, waits.clone()]),
        expect![[r#"
            InProgress
            Ready False Starting: 1 of 2 in aws ready
            Progressing True Starting: aws-2 starts since 3 s; gcp-1 waits for 1 more promise of 2 (ready elsewhere: 1) since 12 s"#]],
    );
    check(
        &facts(vec![ready("aws-1"), ready("aws-2"), waits]),
        expect![[r#"
        InProgress
        Ready True AsAsked: 2 of 2 in aws
        Progressing True WaitsForPromises: gcp-1 waits for 1 more promise of 2 (ready elsewhere: 1) since 12 s"#]],
    );
    let leaving = host("gcp-1", Some(slot(SlotState::Leaving)));
    check(
        &facts(vec![ready("aws-1"), ready("aws-2"), leaving]),
        expect![[r#"
            InProgress
            Ready True AsAsked: 2 of 2 in aws
            Progressing True Leaving: gcp-1 finishes its last requests since 3 s"#]],
    );
}

#[test]
fn failures_are_tried_again_and_stall_in_the_end() {
    check(
        &facts(vec![ready("aws-1"), failed("aws-2", Failure::Here, 1)]),
        expect![[r#"
            InProgress
            Ready False Failed: 1 of 2 in aws ready
            Progressing True Failed: aws-2 failed: secret api has no key KEY since 3 s"#]],
    );
    check(
        &facts(vec![ready("aws-1"), failed("aws-2", Failure::Here, 3)]),
        expect![[r#"
        Failed
        Ready False Failed: 1 of 2 in aws ready
        Progressing False Stalled: aws/aws-2 failed 3 times: secret api has no key KEY
        Stalled True FailsAgain: aws/aws-2 failed 3 times: secret api has no key KEY"#]],
    );
    check(
        &facts(vec![failed("aws-1", Failure::Everywhere, 1), host("aws-2", None)]),
        expect![[r#"
        Failed
        Ready False Failed: 0 of 2 in aws ready
        Progressing False Stalled: aws/aws-1 failed: secret api has no key KEY
        Stalled True FailsEverywhere: aws/aws-1 failed: secret api has no key KEY"#]],
    );
    check(
        &facts(vec![ready("aws-1"), updating("aws-2", Some((Failure::Here, 1)))]),
        expect![[r#"
            InProgress
            Ready False Failed: 1 of 2 in aws ready
            Progressing True UpdateFailed: aws-2 update failed: not WebAssembly since 0 ms"#]],
    );
    check(
        &facts(vec![ready("aws-1"), updating("aws-2", Some((Failure::Everywhere, 1)))]),
        expect![[r#"
        Failed
        Ready False Failed: 1 of 2 in aws ready
        Progressing False Stalled: aws/aws-2 failed: not WebAssembly
        Stalled True FailsEverywhere: aws/aws-2 failed: not WebAssembly"#]],
    );
    // Another stands in for the one that failed: nobody is needed.
    check(
        &facts(vec![ready("aws-1"), failed("aws-2", Failure::Here, 5), ready("aws-3")]),
        expect![[r#"
        Current
        Ready True AsAsked: 2 of 2 in aws
        Progressing False Settled"#]],
    );
    let aborted = says(updating("aws-1", None), "Stalled", "3 of 100 requests failed", 1);
    check(
        &facts(vec![aborted, ready("aws-2")]),
        expect![[r#"
            Failed
            Ready False CanaryAborted: 1 of 2 in aws ready of what Git says; what ran before goes on
            Progressing False Stalled: 3 of 100 requests failed
            Stalled True CanaryAborted: 3 of 100 requests failed"#]],
    );
    let unready = SlotReport { since_ms: 20_000, ..slot(SlotState::Unready) };
    check(
        &facts(vec![ready("aws-1"), host("aws-2", Some(unready))]),
        expect![[r#"
        Failed
        Ready False NotReady: 1 of 2 in aws ready
        Progressing False Stalled: aws/aws-2 is not ready
        Stalled True NotReady: aws/aws-2 is not ready"#]],
    );
}

#[test]
fn too_few_hosts() {
    let short = |since| says(ready("aws-1"), "Shortage", "1 of 2 in aws: one live host", since);
    check(
        &facts(vec![short(95_000)]),
        expect![[r#"
            InProgress
            Ready False Shortage: 1 of 2 in aws ready
            Progressing True Shortage: aws has too few hosts: 1 of 2 in aws: one live host since 5 s"#]],
    );
    check(
        &facts(vec![short(10_000)]),
        expect![[r#"
        Failed
        Ready False Shortage: 1 of 2 in aws ready
        Progressing False Stalled: aws has too few hosts: 1 of 2 in aws: one live host
        Stalled True Shortage: aws has too few hosts: 1 of 2 in aws: one live host"#]],
    );
    check(
        &facts(vec![ready("gcp-1")]),
        expect![[r#"
        InProgress
        Ready False Shortage: 0 of 2 in aws ready
        Progressing True Shortage: aws has no live host since 0 ms"#]],
    );
}

#[test]
fn unknown_is_not_dead() {
    let silent = |host: HostFact| HostFact { silent: true, ..host };
    check(
        &facts(vec![ready("aws-1"), silent(ready("aws-2"))]),
        expect![[r#"
            InProgress
            Ready Unknown HostsSilent: 1 of 2 in aws ready; aws/aws-2 ran it when last heard, and may still
            Progressing Unknown HostsSilent: 1 of 2 in aws ready; aws/aws-2 ran it when last heard, and may still"#]],
    );
    check(
        &facts(vec![silent(ready("aws-1")), silent(host("aws-2", None))]),
        expect![[r#"
            InProgress
            Ready Unknown HostsSilent: 0 of 2 in aws ready; aws/aws-1 ran it when last heard, and may still
            Progressing Unknown HostsSilent: 0 of 2 in aws ready; aws/aws-1 ran it when last heard, and may still"#]],
    );
    let deaf = Facts { deaf: true, ..facts(vec![ready("aws-1")]) };
    check(
        &deaf,
        expect![[r#"
            InProgress
            Ready Unknown Deaf: 1 of 2 in aws ready, as far as this host hears, which is badly
            Progressing Unknown Deaf: 1 of 2 in aws ready, as far as this host hears, which is badly"#]],
    );
    // What is there is there, whoever is silent.
    check(
        &facts(vec![ready("aws-1"), ready("aws-2"), silent(ready("gcp-1"))]),
        expect![[r#"
        Current
        Ready True AsAsked: 2 of 2 in aws
        Progressing False Settled"#]],
    );
}

#[test]
fn what_git_says_and_what_is_in_force() {
    let both = || facts(vec![ready("aws-1"), ready("aws-2")]);
    let with = |accepted| Facts { accepted, ..both() };
    check(
        &with(Accepted::Invalid("todo.yaml:7:11: spec.sites.gpc: unknown site \"gpc\"".into())),
        expect![[r#"
            Failed
            Accepted False Invalid: todo.yaml:7:11: spec.sites.gpc: unknown site "gpc"
            Ready True AsAsked: 2 of 2 in aws
            Progressing False Stalled: todo.yaml:7:11: spec.sites.gpc: unknown site "gpc"
            Stalled True Invalid: todo.yaml:7:11: spec.sites.gpc: unknown site "gpc""#]],
    );
    check(
        &with(Accepted::HeldBack("no component is left".into())),
        expect![[r#"
        Failed
        Accepted False HeldBack: no component is left
        Ready True AsAsked: 2 of 2 in aws
        Progressing False Stalled: no component is left
        Stalled True HeldBack: no component is left"#]],
    );
    check(
        &with(Accepted::Unknown("cannot read it".into())),
        expect![[r#"
        Current
        Accepted Unknown SourceUnreadable: cannot read it
        Ready True AsAsked: 2 of 2 in aws
        Progressing False Settled"#]],
    );
    let never = Facts { asked: None, accepted: Accepted::Invalid("todo.yaml:1:1: wrong".into()), ..both() };
    check(
        &never,
        expect![[r#"
        Failed
        Accepted False Invalid: todo.yaml:1:1: wrong
        Ready False NotAccepted: no form of it was ever good
        Progressing False Stalled: todo.yaml:1:1: wrong
        Stalled True Invalid: todo.yaml:1:1: wrong"#]],
    );
    let mut suspended = facts(vec![ready("aws-1")]);
    suspended.asked.as_mut().unwrap().suspended = true;
    check(
        &suspended,
        expect![[r#"
            InProgress
            Ready False Suspended: 1 of 2 in aws ready
            Progressing False Suspended: suspend: true starts nothing and stops nothing"#]],
    );
}

#[test]
fn secrets_may_differ_between_sites() {
    let other = |same| {
        let slot = SlotReport { identity: "other secret".into(), ..slot(SlotState::Ready) };
        HostFact { same, ..host("aws-2", Some(slot)) }
    };
    let kstatus = |has_secrets, same| {
        let mut facts = facts(vec![ready("aws-1"), other(same)]);
        facts.asked.as_mut().unwrap().has_secrets = has_secrets;
        lines(&facts).lines().next().unwrap().to_owned()
    };
    assert_eq!(kstatus(true, true), "Current");
    assert_eq!(kstatus(false, true), "InProgress");
    assert_eq!(kstatus(true, false), "InProgress");
}

#[test]
fn ages_go_on_while_a_condition_stays_as_it_is() {
    let (mut ages, start) = (Ages::default(), Instant::now());
    let mut look = |seconds: u64, hosts: Vec<HostFact>| {
        let now = start + Duration::from_secs(seconds);
        let (conditions, waits) = ages.tell("todo", &judge(&facts(hosts)), "r2", "new", now);
        let age = conditions.iter().find(|condition| condition.kind == "Ready").unwrap().age;
        (age, waits.iter().map(|wait| wait.since).collect::<Vec<_>>())
    };
    let behind = || HostFact { same: false, ..host("aws-2", None) };
    let few = || vec![ready("aws-1"), behind()];
    assert_eq!(look(0, few()), (0, vec![0]));
    assert_eq!(look(5, few()), (5000, vec![5000]));
    assert_eq!(look(7, vec![ready("aws-1"), ready("aws-2")]), (0, vec![]));
    assert_eq!(look(9, few()), (0, vec![0]));
    // Who waits may know since when better than who looks on.
    assert_eq!(look(9, vec![ready("aws-1"), host("aws-2", Some(slot(SlotState::Starting)))]).1, [3000]);
}
