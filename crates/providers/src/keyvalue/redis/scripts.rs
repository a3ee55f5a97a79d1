//! What Redis executes for us: each of these is one step, before and after which others see the store.
//!
//! Scripts, not WATCH and MULTI: WATCH belongs to a connection, and all callers share one. Each write begins by
//! looking at the clock, so that one which waited in the socket of a frozen server is refused when that wakes.

/// A script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    Set,
    Delete,
    Increment,
    Swap,
    GetMany,
}

/// All of them, in the order in which a connection keeps their digests.
pub(super) const ALL: [Script; 5] =
    [Script::Set, Script::Delete, Script::Increment, Script::Swap, Script::GetMany];

macro_rules! write {
    ($file:literal) => {
        concat!(include_str!("scripts/in-time.lua"), include_str!($file))
    };
}

impl Script {
    /// Its text.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Set => write!("scripts/set.lua"),
            Self::Delete => write!("scripts/delete.lua"),
            Self::Increment => write!("scripts/increment.lua"),
            Self::Swap => write!("scripts/swap.lua"),
            Self::GetMany => include_str!("scripts/get-many.lua"),
        }
    }

    /// Whether its first argument is the latest moment to begin.
    pub(super) fn is_write(self) -> bool {
        !matches!(self, Self::GetMany)
    }
}
