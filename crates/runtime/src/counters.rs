//! What a component did, in numbers. Relaxed atomics: for metrics and for judging a trial, never for what becomes of a request.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Numbers since the component was prepared.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)*
        }

        impl Counters {
            pub(crate) fn read(&self) -> Counts {
                Counts { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Requests that were asked of it.
    requests,
    /// Requests that got a response from it.
    answered,
    /// Requests refused since it was busy.
    busy,
    /// Requests without an answer by their deadline.
    timed_out,
    /// Instances that trapped.
    trapped,
    /// Instances that trapped after memory was refused.
    out_of_memory,
    /// Response bodies that broke off.
    broken_bodies,
    /// Instances started.
    started,
    /// Instances alive now.
    instances,
    /// Log lines dropped by the rate limit.
    log_dropped,
    /// Outbound requests refused since their host is not on the list.
    egress_denied,
}

pub(crate) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
