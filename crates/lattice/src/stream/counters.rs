//! What streams count: how many are open, how much they carried, why some broke.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::BodyBroken;

/// Why a reader that goes away before the end is counted.
const UNREAD: &str = "unread";

/// Counts of the streams of one host. They only grow, and may be read at any time.
#[derive(Debug, Default)]
pub struct StreamCounters {
    opened: AtomicU64,
    closed: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    broken: [AtomicU64; StreamCounters::REASONS.len()],
}

impl StreamCounters {
    /// Every reason a stream may break for, in one word each: those of [`BodyBroken::word`], and `unread` for a
    /// reader that went away.
    pub const REASONS: [&'static str; 9] =
        ["source", "reset", "gap", "protocol", "connection-lost", "idle", "too-many", "too-long", UNREAD];

    /// Streams that are open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        // Read first, so that a stream that opens and closes meanwhile does not make the difference negative.
        let closed = self.closed.load(Ordering::Acquire);
        self.opened.load(Ordering::Acquire).saturating_sub(closed)
    }

    /// Bytes of bodies that were sent as streams.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes of streams that were handed to their readers.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// How many streams broke, by reason; each end counts for itself.
    pub fn broken(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Self::REASONS.into_iter().zip(self.broken.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    pub(crate) fn opens(self: &Arc<Self>) -> Underway {
        self.opened.fetch_add(1, Ordering::Release);
        Underway(Arc::clone(self))
    }

    pub(crate) fn sends(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn receives(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn breaks(&self, reason: &BodyBroken) {
        self.count(reason.word());
    }

    pub(crate) fn goes_unread(&self) {
        self.count(UNREAD);
    }

    fn count(&self, word: &str) {
        let counted = Self::REASONS.iter().zip(&self.broken).find(|(reason, _)| **reason == word);
        if let Some((_, count)) = counted {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A stream that is open until this is dropped.
#[derive(Debug)]
pub(crate) struct Underway(Arc<StreamCounters>);

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.closed.fetch_add(1, Ordering::Release);
    }
}
