//! When a host may start slots: the restart rule, deafness, and when a failed start is tried again.

use std::time::Duration;

use dunlin_manifest::HostId;

use crate::demand::Demand;
use crate::view::HostView;
use crate::wanted::CANDIDATE;

/// How long a host that comes back waits for its source, or for a host that confirms its last good state.
pub const RESTART_WAIT: Duration = Duration::from_secs(3);

/// A failed start is tried again after this long at first.
pub const RETRY_FIRST: Duration = Duration::from_secs(10);

/// A failed start is tried again at least this often.
pub const RETRY_LONGEST: Duration = Duration::from_secs(300);

/// What a host knows of the worth of its desired state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It has read its source, or its last good state is that of a confirmed host of its site.
    Confirmed,
    /// Nobody can tell it: it starts what it ran when it stopped, from its last good state.
    Restarting,
    /// It waits: for its source, or since a confirmed host of its site wants something else.
    Waiting,
}

/// How a host stands that has been up for `up_for`; `read` once it has read its source, `last_good` the digest of
/// its last good state. What was confirmed stays so: the caller remembers it.
#[must_use]
pub fn standing(
    read: bool,
    last_good: Option<&str>,
    myself: &HostId,
    hosts: &[HostView],
    up_for: Duration,
) -> Standing {
    if read {
        return Standing::Confirmed;
    }
    let Some(last_good) = last_good else { return Standing::Waiting };
    let mut confirmed = hosts
        .iter()
        .filter(|host| host.id.site == myself.site && host.id != *myself)
        .filter(|host| host.confirmed && host.seen_within(CANDIDATE))
        .peekable();
    if confirmed.peek().is_none() {
        return if up_for >= RESTART_WAIT { Standing::Restarting } else { Standing::Waiting };
    }
    if confirmed.any(|host| host.digest.as_deref() == Some(last_good)) {
        Standing::Confirmed
    } else {
        Standing::Waiting
    }
}

/// How well a host hears the others, and so what it may conclude from their silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hearing {
    /// Well enough to judge.
    Good,
    /// Too badly, or not for long enough again: it judges nobody.
    Deaf,
    /// Not once since it started: there is no bus, perhaps for nobody.
    Never,
}

/// Whether a host may start a slot that it wants and does not have; `ran` if it ran it when it last stopped. An
/// update inside a slot asks only for `suspend`.
///
/// A host that comes back while the bus is gone would be deaf for as long as that lasts; what it ran it starts
/// nevertheless, for it needs to judge nobody for that.
#[must_use]
pub fn may_start(demand: &Demand, standing: Standing, ran: bool, hearing: Hearing) -> bool {
    let known = match standing {
        Standing::Confirmed => true,
        Standing::Restarting => ran,
        Standing::Waiting => false,
    };
    let hears = match hearing {
        Hearing::Good => true,
        Hearing::Deaf => false,
        Hearing::Never => ran,
    };
    known && hears && !demand.suspend
}

/// How long after its `failures`-th failure in a row a start is tried again: 10 s, doubling to 5 min.
#[must_use]
pub fn retry_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    RETRY_FIRST.saturating_mul(1 << doublings).min(RETRY_LONGEST)
}
