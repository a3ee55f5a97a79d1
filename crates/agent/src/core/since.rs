//! Since when conditions hold: a condition whose words change is still the same one.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::state::{Condition, uptime};

/// When each condition that holds began to.
#[derive(Debug, Default)]
pub(super) struct Since {
    held: BTreeMap<(Option<String>, String), Instant>,
}

impl Since {
    /// Writes into each condition of this step since when it holds; those that are not among them are forgotten.
    pub(super) fn note(&mut self, conditions: &mut [Condition], started: Instant, now: Instant) {
        let before = std::mem::take(&mut self.held);
        for condition in conditions {
            let key = (condition.component.clone(), condition.kind.clone());
            let since = before.get(&key).copied().unwrap_or(now);
            condition.since_ms = Some(uptime(started, since));
            self.held.insert(key, since);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn condition(component: &str, kind: &str, message: &str) -> Condition {
        Condition {
            component: (!component.is_empty()).then(|| component.to_owned()),
            kind: kind.to_owned(),
            message: message.to_owned(),
            since_ms: None,
        }
    }

    #[test]
    fn it_goes_on_while_it_holds_and_begins_anew_when_it_comes_back() {
        let (mut since, start) = (Since::default(), Instant::now());
        let mut look = |seconds: u64, conditions: &[(&str, &str, &str)]| {
            let mut all: Vec<_> =
                conditions.iter().map(|(component, kind, words)| condition(component, kind, words)).collect();
            since.note(&mut all, start, start + Duration::from_secs(seconds));
            all.into_iter().filter_map(|condition| condition.since_ms).collect::<Vec<_>>()
        };
        assert_eq!(look(1, &[("todo", "Shortage", "0 of 2"), ("", "NotConfirmed", "no")]), [1000, 1000]);
        assert_eq!(look(3, &[("todo", "Shortage", "1 of 2"), ("front", "Shortage", "0 of 1")]), [1000, 3000]);
        assert_eq!(look(5, &[("front", "Shortage", "0 of 1")]), [3000]);
        assert_eq!(look(7, &[("todo", "Shortage", "1 of 2"), ("front", "Shortage", "")]), [7000, 3000]);
    }
}
