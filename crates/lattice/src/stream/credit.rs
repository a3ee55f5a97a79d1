//! How much may wait in memory: every stream has a window of its own, and all of a connection share a pool.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// What a frame costs beyond its bytes, so that many tiny frames cannot fill the memory either.
pub(crate) const FRAME_COST: u64 = 256;

/// The bounds of streams on one connection, for each direction of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// The most bytes in one frame; less where the bus carries less.
    pub chunk: usize,
    /// The window every stream has at least, in bytes.
    pub least: u64,
    /// The window a stream has while the connection's pool allows, in bytes.
    pub window: u64,
    /// What all streams together may have beyond their least windows, in bytes.
    pub pool: u64,
    /// How many bodies may be under way at once.
    pub streams: usize,
    /// How long nothing may move before a stream is broken off.
    pub idle: Duration,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            chunk: 128 * 1024,
            least: 64 * 1024,
            window: 1024 * 1024,
            pool: 16 * 1024 * 1024,
            streams: 256,
            idle: Duration::from_secs(30),
        }
    }
}

/// What the streams of one connection share. At most `streams × least + pool` bytes wait for readers.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) limits: StreamLimits,
    free: AtomicU64,
    streams: AtomicUsize,
}

impl Pool {
    pub(crate) fn new(limits: StreamLimits) -> Arc<Self> {
        Arc::new(Self { limits, free: AtomicU64::new(limits.pool), streams: AtomicUsize::new(0) })
    }

    /// Room for one more stream, if there is any.
    pub(crate) fn open(self: &Arc<Self>) -> Option<Share> {
        let most = self.limits.streams;
        self.streams
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| (open < most).then_some(open + 1))
            .ok()?;
        Some(Share { pool: Arc::clone(self), extra: 0 })
    }

    #[cfg(test)]
    pub(crate) fn open_streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }
}

/// One stream's part of the pool; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    pool: Arc<Pool>,
    extra: u64,
}

impl Share {
    pub(crate) fn limits(&self) -> &StreamLimits {
        &self.pool.limits
    }

    /// The window this stream has from now on. It grows while the pool has plenty: never by more than half of what
    /// is left, so that something is there for the streams that come later.
    pub(crate) fn window(&mut self) -> u64 {
        let StreamLimits { least, window, .. } = self.pool.limits;
        let wanted = window.saturating_sub(least).saturating_sub(self.extra);
        if wanted > 0 {
            let mut taken = 0;
            let update = self.pool.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| {
                taken = wanted.min(free / 2);
                (taken > 0).then_some(free - taken)
            });
            if update.is_ok() {
                self.extra += taken;
            }
        }
        least + self.extra
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.pool.free.fetch_add(self.extra, Ordering::Relaxed);
        self.pool.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_windows_is_bounded_and_everyone_has_some() {
        let limits = StreamLimits::default();
        let pool = Pool::new(limits);
        let mut shares: Vec<Share> = std::iter::from_fn(|| pool.open()).take(10_000).collect();
        assert_eq!(shares.len(), limits.streams);
        let windows: Vec<u64> =
            shares.iter_mut().map(Share::window).collect::<Vec<_>>().into_iter().collect();
        assert!(windows.iter().sum::<u64>() <= limits.streams as u64 * limits.least + limits.pool);
        assert_eq!(windows[0], limits.window);
        assert!(windows.iter().all(|&window| window >= limits.least));
        drop(shares);
        assert_eq!(pool.free.load(Ordering::Relaxed), limits.pool);
        assert_eq!(pool.open_streams(), 0);
    }
}
