//! Since when conditions are as they are: the memory of one host, by its monotonic clock.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::judge::{Judged, Verdict};
use super::{ComponentCondition, Truth, Wait};
use crate::events;

/// When each condition of each component last changed, and when each wait was first seen.
#[derive(Debug, Default)]
pub(crate) struct Ages {
    conditions: BTreeMap<(String, &'static str), (Truth, Instant)>,
    waits: BTreeMap<(String, String, &'static str), Instant>,
}

impl Ages {
    /// The conditions of `component` with their ages, and what it waits for.
    pub(crate) fn tell(
        &mut self,
        component: &str,
        judged: &Judged,
        revision: &str,
        identity: &str,
        now: Instant,
    ) -> (Vec<ComponentCondition>, Vec<Wait>) {
        let waits = self.waits(component, judged, now);
        let mut conditions = Vec::new();
        let reconciling =
            (judged.progressing.status == Truth::True).then_some(("Reconciling", &judged.progressing));
        let all = [
            ("Accepted", &judged.accepted),
            ("Ready", &judged.ready),
            ("Progressing", &judged.progressing),
            ("Stalled", &judged.stalled),
        ];
        for (kind, verdict) in all.into_iter().chain(reconciling) {
            let age = self.age(component, kind, verdict, now);
            let message = match kind {
                "Progressing" | "Reconciling" if verdict.status == Truth::True => {
                    waits.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
                }
                _ => verdict.message.clone(),
            };
            conditions.push(ComponentCondition {
                kind: kind.to_owned(),
                status: verdict.status,
                reason: verdict.reason.clone(),
                message,
                age,
                last_transition: events::now().saturating_sub(age),
                observed_revision: revision.to_owned(),
                identity: identity.to_owned(),
            });
        }
        (conditions, waits)
    }

    /// Forgets components that are not among `known`.
    pub(crate) fn keep(&mut self, known: impl Fn(&str) -> bool) {
        self.conditions.retain(|(component, _), _| known(component));
        self.waits.retain(|(component, ..), _| known(component));
    }

    fn age(&mut self, component: &str, kind: &'static str, verdict: &Verdict, now: Instant) -> u64 {
        let (status, since) =
            self.conditions.entry((component.to_owned(), kind)).or_insert((verdict.status, now));
        if *status != verdict.status {
            (*status, *since) = (verdict.status, now);
        }
        millis(now.saturating_duration_since(*since))
    }

    fn waits(&mut self, component: &str, judged: &Judged, now: Instant) -> Vec<Wait> {
        let key = |of: &str, kind| (component.to_owned(), of.to_owned(), kind);
        self.waits.retain(|(name, of, kind), _| {
            name != component || judged.waits.iter().any(|found| found.of == *of && found.kind == *kind)
        });
        let wait = |found: &super::waits::Found| {
            let seen = *self.waits.entry(key(&found.of, found.kind)).or_insert(now);
            let since = found.since.unwrap_or_else(|| now.saturating_duration_since(seen));
            Wait {
                of: found.of.clone(),
                kind: found.kind.to_owned(),
                what: found.what.clone(),
                since: millis(since),
            }
        };
        judged.waits.iter().map(wait).collect()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
