//! Which conditions are worth a line on the terminal: mistakes and failures at once, what a move passes through only
//! if it lasts.

use std::collections::BTreeMap;
use std::time::Duration;

use dunlin_host::status::Condition;
use tokio::time::Instant;

/// Conditions that are seen now, each with when it was first seen and whether it was told.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    seen: BTreeMap<Condition, (Instant, bool)>,
}

/// Something to tell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It is so, and was not before.
    New(Condition),
    /// It was told, and is so no more.
    Over(Condition),
}

/// How long a passing condition has to last before it is told.
const LASTING: Duration = Duration::from_secs(3);

impl Conditions {
    /// What there is to tell, now that `conditions` are seen.
    pub(crate) fn look(&mut self, conditions: &[Condition], now: Instant) -> Vec<News> {
        let mut news = Vec::new();
        for condition in conditions {
            let (since, told) = self.seen.entry(condition.clone()).or_insert((now, false));
            let at_once = matches!(
                condition.reason.as_str(),
                "Invalid"
                    | "Failed"
                    | "Stalled"
                    | "CannotOpen"
                    | "SourceUnreadable"
                    | "HeldEmpty"
                    | "HeldOrder"
            );
            if !*told && (at_once || now.duration_since(*since) >= LASTING) {
                *told = true;
                news.push(News::New(condition.clone()));
            }
        }
        // A condition whose words changed goes on under its new words.
        let goes_on = |gone: &Condition| {
            conditions.iter().any(|other| (&other.object, &other.reason) == (&gone.object, &gone.reason))
        };
        self.seen.retain(|condition, (_, told)| {
            let here = conditions.contains(condition);
            if !here && *told && !goes_on(condition) {
                news.push(News::Over(condition.clone()));
            }
            here
        });
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(reason: &str) -> Condition {
        Condition { object: "component/a".into(), reason: reason.into(), message: "why".into() }
    }

    #[test]
    fn passing_conditions_are_told_only_if_they_last() {
        let (mut conditions, start) = (Conditions::default(), Instant::now());
        let (failed, waits) = (condition("Failed"), condition("WaitsForPromises"));
        assert_eq!(conditions.look(&[failed.clone(), waits.clone()], start), [News::New(failed.clone())]);
        assert_eq!(
            conditions.look(std::slice::from_ref(&waits), start + LASTING),
            [News::New(waits.clone()), News::Over(failed)]
        );
        assert_eq!(conditions.look(std::slice::from_ref(&waits), start + LASTING * 2), []);
        assert_eq!(conditions.look(&[], start + LASTING * 3), [News::Over(waits)]);
    }
}
