//! Tables of the canary: verdicts, the split, and what is started first.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::time::Duration;

use dunlin_manifest::{Abort, Canary, Ratio, Update};
use dunlin_placement::canary::{
    Aborted, Calls, Elsewhere, EmptySlot, First, Trial, Verdict, in_force, starts_first, takes_turn, verdict,
};
use dunlin_placement::{Before, Demand, SiteDemand};

fn canary() -> Canary {
    let abort = Abort { error_ratio: Ratio::parse("0.02").unwrap(), min_requests: 100 };
    Canary { weight: 10, hold: Duration::from_secs(30), abort: Some(abort) }
}

fn trial(held_for: u64, counted: u64, failed: u64) -> Trial {
    Trial {
        held_for: Duration::from_secs(held_for),
        calls: Calls { counted, failed },
        unready_for: None,
        old_is_ready: true,
        suspended: false,
    }
}

fn abort(reason: &str) -> Verdict {
    Verdict::Abort { reason: reason.to_owned() }
}

#[test]
fn verdicts() {
    let unready = |held_for, seconds, old_is_ready| Trial {
        unready_for: Some(Duration::from_secs(seconds)),
        old_is_ready,
        ..trial(held_for, 0, 0)
    };
    let suspended = |trial: Trial| Trial { suspended: true, ..trial };
    let too_many = abort("3 of 100 calls failed, more than errorRatio 0.02 allows");
    for (what, trial, expected) in [
        ("just begun", trial(0, 0, 0), Verdict::Hold),
        ("not yet", trial(29, 1000, 20), Verdict::Hold),
        ("as many as may fail", trial(30, 100, 2), Verdict::Promote),
        ("one more", trial(5, 100, 3), too_many.clone()),
        ("too few to say anything", trial(29, 99, 99), Verdict::Hold),
        ("still too few at the end", trial(30, 99, 99), Verdict::Promote),
        ("nobody called", trial(30, 0, 0), Verdict::Promote),
        ("too many at the last moment", trial(30, 100, 3), too_many.clone()),
        ("unready for a moment", unready(10, 9, true), Verdict::Hold),
        ("unready at the end", unready(30, 1, true), Verdict::Hold),
        (
            "unready for long",
            unready(12, 10, true),
            abort("it was not ready for 10 s while the one before it was"),
        ),
        ("so is the old", unready(60, 50, false), Verdict::Hold),
        ("suspended at the end", suspended(trial(40, 0, 0)), Verdict::Hold),
        ("suspended and bad", suspended(trial(1, 100, 3)), too_many),
    ] {
        assert_eq!(verdict(Some(&canary()), &trial), expected, "{what}");
    }
    let without = Canary { abort: None, ..canary() };
    assert_eq!(verdict(Some(&without), &trial(29, 500, 500)), Verdict::Hold, "nothing said of failures");
    assert_eq!(verdict(Some(&without), &trial(30, 500, 500)), Verdict::Promote);
    assert_eq!(verdict(None, &trial(0, 500, 500)), Verdict::Promote, "no trial is asked for any more");
    assert_eq!(verdict(None, &unready(0, 60, true)), Verdict::Hold, "but it has to be ready");
}

#[test]
fn the_split_is_exact_and_even() {
    for weight in 1..=99_u8 {
        for start in [0, 7, 99, u64::MAX - 99] {
            let taken = (0..100).filter(|turn| takes_turn(start + turn, weight)).count();
            assert_eq!(taken, usize::from(weight), "{weight} from {start}");
        }
        let most = 100_usize.div_ceil(usize::from(weight));
        let longest = (0..200).collect::<Vec<u64>>();
        let longest = longest.split(|turn| takes_turn(*turn, weight)).map(<[u64]>::len).max().unwrap();
        assert!(longest <= most, "{weight}: {longest} in a row for the old");
    }
}

fn demand() -> Demand {
    Demand {
        component: "todo".into(),
        identity: "new".into(),
        sites: BTreeMap::from([("gcp".to_owned(), SiteDemand::count(1))]),
        memory: 1,
        suspend: false,
        request_timeout: Duration::from_secs(5),
        failover: None,
        update: Some(Update { canary: canary() }),
    }
}

fn before(replaced: bool) -> Before {
    Before { identity: "old".into(), replaced }
}

#[test]
fn an_aborted_identity_gives_way_to_the_form_before_with_everything_else_as_git_says() {
    let aborted = |identity: &str| Aborted {
        identity: identity.into(),
        by: "gcp/a".into(),
        reason: "why".into(),
        calls: Calls::default(),
    };
    for replaced in [false, true] {
        let old = in_force(&demand(), Some(&before(replaced)), Some(&aborted("new")));
        assert_eq!(old, Demand { identity: "old".into(), update: None, ..demand() });
    }
    assert_eq!(in_force(&demand(), Some(&before(false)), Some(&aborted("another"))), demand());
    assert_eq!(in_force(&demand(), Some(&before(false)), None), demand());
    assert_eq!(in_force(&demand(), None, Some(&aborted("new"))), demand(), "nothing to go back to");
}

#[test]
fn what_starts_first() {
    let nobody = Elsewhere::default();
    let tried = Elsewhere { on_trial: true, serves_before: true, serves_other: true, ..nobody };
    let promoted = Elsewhere { serves_new: true, serves_before: true, serves_other: true, ..nobody };
    let old = Elsewhere { serves_before: true, serves_other: true, ..nobody };
    let (known, replaced) = (before(false), before(true));
    for (what, before, aborted, elsewhere, ran, failed, up_for, expected) in [
        ("never seen before", None, false, nobody, false, false, 60, First::New),
        ("on trial elsewhere, old form not known", None, false, tried, false, false, 60, First::Wait),
        ("on trial elsewhere, old form known", Some(&known), false, tried, false, false, 60, First::Before),
        ("the old serves elsewhere", Some(&known), false, old, false, false, 60, First::Before),
        (
            "everybody comes back in the middle of a trial",
            Some(&known),
            false,
            nobody,
            true,
            false,
            1,
            First::Before,
        ),
        ("runs nowhere, did not run here", Some(&known), false, nobody, false, false, 60, First::New),
        ("promoted elsewhere", Some(&known), false, promoted, true, false, 60, First::New),
        ("promoted here", Some(&replaced), false, old, true, false, 60, First::New),
        ("the old one cannot be started", Some(&known), false, old, true, true, 60, First::New),
        ("given up, others serve", None, true, old, true, false, 60, First::Wait),
        ("given up, others may come back", None, true, nobody, true, false, 9, First::Wait),
        ("given up, nobody has anything else", None, true, nobody, false, false, 10, First::New),
    ] {
        let up_for = Duration::from_secs(up_for);
        let slot = EmptySlot { aborted, ran, before_failed: failed, up_for, elsewhere };
        assert_eq!(starts_first(&demand(), before, &slot), expected, "{what}");
    }
    let at_once = Demand { update: None, ..demand() };
    let first = starts_first(
        &at_once,
        Some(&known),
        &EmptySlot { ran: true, elsewhere: old, ..EmptySlot::default() },
    );
    assert_eq!(first, First::New, "no trial is asked for");
}
