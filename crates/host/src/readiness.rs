//! Whether requests should come to this host: it knows what there is, or has waited for long enough. Pure.

use std::time::Duration;

use dunlin_agent::LatticeView;
use dunlin_placement::{RESTART_WAIT, SlotState};
use tokio::time::Instant;

/// Every other host has beaten within this time, and what it runs came with its beat or was asked for since.
const LISTEN: Duration = Duration::from_millis(1500);
/// A host unseen for this long is not waited for.
const SILENT: Duration = Duration::from_secs(3);

/// Whether this host can answer, or knows who can, by its picture of the lattice.
///
/// One that answers before it has heard the others would say that nobody runs what runs elsewhere. One that hears
/// nobody goes on after a while: what it ran before it runs again, with its source and the bus gone as well.
pub(crate) fn may_take_requests(view: &LatticeView, now: Instant) -> bool {
    let Some(entry) = view.hosts.get(&view.me) else { return false };
    let Some(state) = entry.state.as_ref().filter(|state| !state.draining) else { return false };
    let up_for = now.saturating_duration_since(entry.first_seen);
    let others = view.hosts.iter().filter(|(id, _)| **id != view.me);
    let mut heard = others
        .filter(|(_, other)| !other.goodbye && now.saturating_duration_since(other.last_beat) < SILENT)
        .map(|(_, other)| other.state.is_some());
    let waited = up_for >= RESTART_WAIT;
    if state.confirmed {
        return waited || (up_for >= LISTEN && heard.all(|heard| heard));
    }
    waited && state.slots.values().any(|slot| slot.state == SlotState::Ready)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dunlin_agent::{HostEntry, HostState};
    use dunlin_lattice::presence::PeerClock;
    use dunlin_manifest::HostId;

    use super::*;

    fn entry(now: Instant, up_ms: u64, unseen_ms: u64, state: Option<HostState>) -> HostEntry {
        HostEntry {
            incarnation: 1,
            first_seen: now - Duration::from_millis(up_ms),
            last_beat: now - Duration::from_millis(unseen_ms),
            goodbye: false,
            state: state.map(Arc::new),
            clock: PeerClock::own(1, now),
        }
    }

    fn says(confirmed: bool, ready: bool, draining: bool) -> HostState {
        let slot = if ready { "ready" } else { "starting" };
        let text = format!(
            r#"{{"version":1,"confirmed":{confirmed},"draining":{draining},"memory_capacity":1,"weight":1,
            "slots":{{"todo":{{"identity":"i","state":"{slot}","since_ms":0}}}}}}"#
        );
        HostState::from_bytes(text.as_bytes()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn requests_come_once_it_knows_who_is_there() {
        let (me, other) = (HostId::new("gcp", "gcp-1"), HostId::new("aws", "aws-1"));
        tokio::time::advance(Duration::from_secs(60)).await;
        let now = Instant::now();
        let known = || Some(says(true, true, false));
        let cases = [
            ("too early", 1_400, known(), None, false),
            ("alone", 1_600, known(), None, true),
            ("an other of which nothing is known", 1_600, known(), Some((100, None)), false),
            ("an other that is known", 1_600, known(), Some((100, known())), true),
            ("an other that fell silent", 1_600, known(), Some((3_100, None)), true),
            ("waited for it in vain", 3_000, known(), Some((100, None)), true),
            ("drains", 3_000, Some(says(true, true, true)), None, false),
            ("says nothing of itself yet", 3_000, None, None, false),
            ("not confirmed, and runs nothing", 3_000, Some(says(false, false, false)), None, false),
            ("not confirmed, but runs what it ran", 3_000, Some(says(false, true, false)), None, true),
            ("not confirmed, and still asks around", 2_900, Some(says(false, true, false)), None, false),
        ];
        for (what, up_ms, mine, others, expected) in cases {
            let mut hosts = std::collections::BTreeMap::from([(me.clone(), entry(now, up_ms, 0, mine))]);
            hosts.extend(others.map(|(unseen, state)| (other.clone(), entry(now, 60_000, unseen, state))));
            let view = LatticeView { me: me.clone(), deaf: false, hosts };
            assert_eq!(may_take_requests(&view, now), expected, "{what}");
        }
    }
}
