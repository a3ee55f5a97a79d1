//! How the list of revisions goes on: a function of what is followed, how far it is, and the time. Pure.

use std::collections::VecDeque;

use dunlin_source::Commit;
use tokio::time::Instant;

use super::{Change, Outcome, Revision};

/// So many revisions are kept.
const KEPT: usize = 20;
/// So many things that are waited for are told of one revision.
const WAITS: usize = 20;

/// Requests and failures so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    pub(crate) failures: u64,
}

/// A revision that a host begins to follow.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) id: String,
    pub(crate) commit: Option<Commit>,
    pub(crate) changes: Vec<Change>,
    /// What of it is not taken.
    pub(crate) held: Option<String>,
    /// When, for people.
    pub(crate) applied: u64,
}

/// How far the newest revision is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Everything is as it says.
    Settled,
    /// This is waited for.
    Waits(Vec<String>),
    /// It does not get further without a person, and why.
    Stalled(String),
}

/// The last revisions of one host.
#[derive(Debug)]
pub(crate) struct History {
    /// The oldest first.
    revisions: VecDeque<Revision>,
    looked: Instant,
    counted: Counts,
}

impl History {
    /// Goes on after `past`, the oldest first.
    pub(crate) fn new(past: Vec<Revision>, now: Instant) -> Self {
        let skip = past.len().saturating_sub(KEPT);
        let revisions = past.into_iter().skip(skip).collect();
        Self { revisions, looked: now, counted: Counts::default() }
    }

    /// The oldest first.
    pub(crate) fn revisions(&self) -> impl DoubleEndedIterator<Item = &Revision> {
        self.revisions.iter()
    }

    /// The newest, if it is not settled yet.
    pub(crate) fn under_way(&self) -> Option<&Revision> {
        self.revisions.back().filter(|newest| goes_on(&newest.outcome))
    }

    /// The host follows `next` from now on; says whether that is another than before.
    pub(crate) fn follow(&mut self, next: Followed, now: Instant, counts: Counts) -> bool {
        let Followed { id, commit, changes, held, applied } = next;
        if let Some(newest) = self.revisions.back_mut() {
            if newest.id == id {
                newest.held = held;
                return false;
            }
            if matches!(newest.outcome, Outcome::InProgress { .. }) {
                newest.outcome = Outcome::Superseded;
            }
        }
        let outcome = match &held {
            Some(why) if changes.is_empty() => Outcome::Held { why: why.clone() },
            _ => Outcome::InProgress { waits: Vec::new() },
        };
        if self.revisions.len() >= KEPT {
            self.revisions.pop_front();
        }
        self.revisions.push_back(Revision {
            id,
            commit,
            applied,
            changes,
            held,
            outcome,
            took: 0,
            requests: 0,
            failures: 0,
        });
        (self.looked, self.counted) = (now, counts);
        true
    }

    /// Looks how far the newest revision is; says whether its outcome changed.
    pub(crate) fn look(&mut self, progress: Progress, now: Instant, counts: Counts) -> bool {
        let Some(newest) = self.revisions.back_mut().filter(|newest| goes_on(&newest.outcome)) else {
            return false;
        };
        let passed = now.saturating_duration_since(self.looked).as_millis();
        newest.took = newest.took.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX));
        newest.requests += counts.requests.saturating_sub(self.counted.requests);
        newest.failures += counts.failures.saturating_sub(self.counted.failures);
        (self.looked, self.counted) = (now, counts);
        let outcome = match progress {
            Progress::Settled => Outcome::Settled,
            Progress::Stalled(why) => Outcome::Stalled { why },
            Progress::Waits(mut waits) => {
                waits.truncate(WAITS);
                Outcome::InProgress { waits }
            }
        };
        let changed = newest.outcome != outcome;
        newest.outcome = outcome;
        changed
    }
}

/// Whether it may still get settled.
fn goes_on(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::InProgress { .. } | Outcome::Stalled { .. })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::history::ChangeKind;

    struct Bench {
        history: History,
        now: Instant,
        counts: Counts,
    }

    impl Bench {
        fn new() -> Self {
            let now = Instant::now();
            Self { history: History::new(Vec::new(), now), now, counts: Counts::default() }
        }

        fn after(&mut self, milliseconds: u64, requests: u64, failures: u64) {
            self.now += Duration::from_millis(milliseconds);
            self.counts.requests += requests;
            self.counts.failures += failures;
        }

        fn follow(&mut self, id: &str, held: Option<&str>, changes: bool) -> bool {
            let change =
                Change { object: "component/todo".into(), kind: ChangeKind::Removed, fields: vec![] };
            let changes = changes.then_some(change).into_iter().collect();
            let held = held.map(str::to_owned);
            let next = Followed { id: id.to_owned(), commit: None, changes, held, applied: 7 };
            self.history.follow(next, self.now, self.counts)
        }

        fn look(&mut self, progress: Progress) -> bool {
            self.history.look(progress, self.now, self.counts)
        }

        fn check(&self, expected: Expect) {
            let line = |revision: &Revision| {
                let Revision { id, outcome, took, requests, failures, held, .. } = revision;
                let held = held.as_ref().map(|why| format!(", held: {why}")).unwrap_or_default();
                format!("{id} {outcome:?} {took} ms, {failures} of {requests}{held}")
            };
            expected.assert_eq(&self.history.revisions().map(line).collect::<Vec<_>>().join("\n"));
        }
    }

    fn waits(what: &str) -> Progress {
        Progress::Waits(vec![what.to_owned()])
    }

    #[test]
    fn a_revision_settles_is_superseded_stalls_and_recovers() {
        let mut bench = Bench::new();
        bench.after(500, 100, 1);
        assert!(bench.follow("r1", None, true));
        bench.after(300, 10, 0);
        assert!(bench.look(waits("aws-1 starts")));
        bench.after(400, 20, 2);
        assert!(!bench.look(waits("aws-1 starts")));
        assert!(bench.look(Progress::Settled));
        bench.after(5000, 1000, 0);
        assert!(!bench.look(waits("a restart")), "what is settled stays so");
        assert!(!bench.follow("r1", None, false), "the same again is no other");
        assert!(bench.follow("r2", None, true));
        bench.after(100, 1, 0);
        bench.look(waits("aws-1 starts"));
        assert!(bench.follow("r3", None, true));
        bench.after(200, 2, 0);
        assert!(bench.look(Progress::Stalled("aws-1 failed".into())));
        bench.after(300, 3, 0);
        assert!(bench.look(Progress::Settled));
        bench.follow("r4", None, true);
        bench.look(Progress::Stalled("no host".into()));
        bench.follow("r5", Some("todo.yaml:7:11: wrong"), false);
        bench.follow("r6", Some("todo.yaml:8:11: wrong"), true);
        bench.check(expect![[r#"
            r1 Settled 700 ms, 2 of 30
            r2 Superseded 100 ms, 0 of 1
            r3 Settled 500 ms, 0 of 5
            r4 Stalled { why: "no host" } 0 ms, 0 of 0
            r5 Held { why: "todo.yaml:7:11: wrong" } 0 ms, 0 of 0, held: todo.yaml:7:11: wrong
            r6 InProgress { waits: [] } 0 ms, 0 of 0, held: todo.yaml:8:11: wrong"#]]);
    }

    #[test]
    fn twenty_are_kept_and_a_restart_goes_on_with_the_newest() {
        let mut bench = Bench::new();
        for number in 0..30 {
            bench.follow(&format!("r{number}"), None, true);
        }
        bench.after(250, 0, 0);
        bench.look(waits("x"));
        let past: Vec<Revision> = bench.history.revisions().cloned().collect();
        assert_eq!((past.len(), past[0].id.as_str()), (KEPT, "r10"));
        let mut again = Bench::new();
        again.history = History::new(past, again.now);
        assert!(!again.follow("r29", None, false));
        again.after(100, 5, 0);
        again.look(Progress::Settled);
        let newest = again.history.revisions().next_back().unwrap();
        assert_eq!((newest.took, newest.requests, &newest.outcome), (350, 5, &Outcome::Settled));
    }
}
