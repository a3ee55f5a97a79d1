//! From what the agent tells to what this host keeps.

use std::sync::Arc;
use std::time::Duration;

use dunlin_agent::{Events, What as Told};
use dunlin_placement::Failure;

use super::{EventLog, What};

/// Takes in what the agent tells until it ends.
pub(crate) async fn follow(told: Events, log: Arc<EventLog>) {
    let mut changes = told.changes();
    let mut next = 0;
    loop {
        let batch = told.since(next);
        if batch.missed > 0 {
            tracing::warn!(missed = batch.missed, "events are not kept: there were too many at once");
        }
        next = batch.next;
        for event in batch.events {
            log.note_at(event.at, &event.component, &event.identity, &event.revision, what(event.what));
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

fn what(told: Told) -> What {
    let everywhere = |reach: Failure| reach == Failure::Everywhere;
    match told {
        Told::Starting => What::Starting,
        Told::Ready { after } => What::Ready { after: millis(after) },
        Told::Unready => What::Unready,
        Told::Failed { reach, reason, attempts } => {
            What::Failed { everywhere: everywhere(reach), reason, attempts }
        }
        Told::GivenUp => What::GivenUp,
        Told::UpdateBegun => What::UpdateBegun,
        Told::Updated { after } => What::Updated { after: millis(after) },
        Told::UpdateFailed { reach, reason, attempts } => {
            What::UpdateFailed { everywhere: everywhere(reach), reason, attempts }
        }
        Told::UpdateGivenUp => What::UpdateGivenUp,
        Told::Leaving { promised, draining, deleted } => {
            What::Leaving { promised: promised.iter().map(ToString::to_string).collect(), draining, deleted }
        }
        Told::Stopped { finished, cut } => What::Stopped { finished: finished as u64, cut: cut as u64 },
        Told::Condition { kind, message } => What::Condition { kind, message },
        Told::ConditionOver { kind } => What::ConditionOver { kind },
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
