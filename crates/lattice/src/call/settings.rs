//! The bounds of calls. The defaults suit a host with some hundred calls in flight.

use std::sync::Arc;
use std::time::Duration;

use super::CallCounters;
use crate::router::{BudgetSettings, EjectionSettings};
use crate::stream::StreamLimits;

/// What callers and callees hold themselves to. Hosts of one lattice may differ.
#[derive(Debug, Clone)]
pub struct CallSettings {
    /// The largest body in bytes that travels inside the request or the answer; larger ones are streams.
    pub inline: usize,
    /// How many calls a host executes at once; the next are answered "busy".
    pub concurrent: usize,
    /// The latest deadline that is taken at its word; later ones are cut to it.
    pub longest: Duration,
    /// How many call ids a host remembers at once; when all are in use, further calls are answered "busy".
    pub remembered: usize,
    /// How many bytes of answers a host keeps for repeated calls; the oldest go first.
    pub kept: usize,
    /// How long a read waits at least before another replica is asked as well.
    pub patience: Duration,
    /// The bounds of streams.
    pub streams: StreamLimits,
    /// How many retries there may be.
    pub budget: BudgetSettings,
    /// When a host that does not answer is put last.
    pub ejection: EjectionSettings,
    /// Where calls are counted; both sides of a host may share it.
    pub counters: Arc<CallCounters>,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            inline: 64 * 1024,
            concurrent: 4096,
            longest: Duration::from_secs(3600),
            remembered: 1 << 20,
            kept: 16 * 1024 * 1024,
            patience: Duration::from_millis(500),
            streams: StreamLimits::default(),
            budget: BudgetSettings::default(),
            ejection: EjectionSettings::default(),
            counters: Arc::default(),
        }
    }
}
