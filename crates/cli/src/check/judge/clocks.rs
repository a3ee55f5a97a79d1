//! Whether the clocks of hosts agree with the one here. No call depends on it, but certificates and credentials do.

use std::time::Duration;

use super::Finding;
use crate::check::facts::{Facts, HostAnswer};

const NOTICEABLE: Duration = Duration::from_secs(1);
const WRONG: Duration = Duration::from_secs(30);

/// One line for each clock that differs, and one for the others.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    // One that does not say its time is of an older release.
    let told: Vec<_> = facts.answers().filter(|answer| answer.status.own.clock > 0).collect();
    let (mut all, mut largest, mut agree) = (Vec::new(), Duration::ZERO, 0);
    for answer in &told {
        let apart = apart(answer);
        if apart < NOTICEABLE {
            agree += 1;
            largest = largest.max(apart);
            continue;
        }
        let ahead = if answer.status.own.clock > answer.here { "ahead of" } else { "behind" };
        let found = format!(
            "{} {ahead} the clock here; only certificates and credentials depend on it",
            words(apart)
        );
        let what = format!("clock {}", answer.status.seen_by);
        let finding = if apart > WRONG { Finding::bad(what, found) } else { Finding::warning(what, found) };
        all.push(finding.mend("let NTP set both clocks: `timedatectl` on each machine says whether it does"));
    }
    if agree > 0 {
        let others = if agree == told.len() { "" } else { "other " };
        let hosts = if agree == 1 { "host" } else { "hosts" };
        all.push(Finding::good(
            "clocks",
            format!("{agree} {others}{hosts} within {} of the clock here", words(largest)),
        ));
    }
    all
}

/// By how much two clocks differ for certain: half the way there and back may be the way.
fn apart(answer: &HostAnswer) -> Duration {
    let apart = Duration::from_millis(answer.status.own.clock.abs_diff(answer.here));
    apart.saturating_sub(answer.took / 2)
}

fn words(apart: Duration) -> String {
    if apart < NOTICEABLE {
        format!("{} ms", apart.as_millis())
    } else {
        format!("{:.1} s", apart.as_secs_f64())
    }
}
