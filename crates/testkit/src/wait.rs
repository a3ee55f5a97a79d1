//! Waiting for a condition, with a bound.

use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(10);

/// Waits until `found` gives something.
///
/// # Panics
/// It does not within `bound`; the message names `what`.
pub fn eventually<T>(what: &str, bound: Duration, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(begun.elapsed() < bound, "waited {bound:?} in vain for {what}");
        std::thread::sleep(LOOK);
    }
}

/// Waits until `found` gives something, letting other tasks run meanwhile.
///
/// # Panics
/// It does not within `bound`; the message names `what`.
pub async fn eventually_async<T>(
    what: &str,
    bound: Duration,
    mut found: impl AsyncFnMut() -> Option<T>,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = found().await {
            return value;
        }
        assert!(begun.elapsed() < bound, "waited {bound:?} in vain for {what}");
        tokio::time::sleep(LOOK).await;
    }
}
