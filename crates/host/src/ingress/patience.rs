//! A request that finds nobody waits a moment for news: what two hosts know of the lattice differs by milliseconds, and
//! in a move a replica may have left before this host has heard of those that promised to stay.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::host::Shared;

/// The longest that a request waits before it is told that nobody is there.
const LONGEST: Duration = Duration::from_millis(300);

/// How long one request still waits.
pub(super) struct Patience {
    news: watch::Receiver<()>,
    until: Instant,
}

impl Patience {
    /// From now on no news is missed; so what is known is to be looked at after this, not before.
    pub(super) fn begin(shared: &Shared, deadline: Instant) -> Self {
        Self { news: shared.news.subscribe(), until: deadline.min(Instant::now() + LONGEST) }
    }

    /// Waits for the next picture of the lattice; `false` if none comes in time.
    pub(super) async fn news(&mut self) -> bool {
        timeout_at(self.until, self.news.changed()).await.is_ok_and(|changed| changed.is_ok())
    }
}
