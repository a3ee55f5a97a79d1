//! The receiving end of a stream: frames in order, within the credit that was granted, until the reader takes them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{BodyBroken, FRAME_COST, Underway};
use crate::call::frames::Data;

/// The most bytes of trailers.
pub(crate) const TRAILERS: usize = 64 * 1024;

/// Filled by the connection's dispatcher, which never waits; emptied by one reader.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    changed: Notify,
    /// Counts it as open.
    _underway: Option<Underway>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Bytes>,
    next: u64,
    received: u64,
    allowed: u64,
    ended: bool,
    trailers: Option<Bytes>,
    broken: Option<BodyBroken>,
}

/// What a reader finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Data(Bytes),
    End(Option<Bytes>),
    Broken(BodyBroken),
    Nothing,
}

impl Inbox {
    /// A new one, which counts as open.
    pub(crate) fn counted(underway: Underway) -> Self {
        Self { _underway: Some(underway), ..Self::default() }
    }

    /// Lets the writer write up to `up_to` in total; the other end has to be told as well.
    pub(crate) fn allow(&self, up_to: u64) {
        let mut state = self.lock();
        state.allowed = state.allowed.max(up_to);
    }

    /// Takes a frame in. An error says that the other end broke the rules or something was lost: the stream is
    /// broken then, and the other end is to be told.
    pub(crate) fn accept(&self, data: Data) -> Result<(), BodyBroken> {
        let mut state = self.lock();
        if state.broken.is_some() || data.sequence < state.next {
            return Ok(()); // Already over, or delivered twice.
        }
        let cost = if data.bytes.is_empty() { 0 } else { data.bytes.len() as u64 + FRAME_COST };
        let fault = if data.sequence > state.next {
            Some(BodyBroken::Gap { found: data.sequence, expected: state.next })
        } else if state.ended {
            Some(BodyBroken::Protocol("a frame after the end"))
        } else if state.received + cost > state.allowed {
            Some(BodyBroken::Protocol("more bytes than there was credit for"))
        } else if cost == 0 && !data.end {
            Some(BodyBroken::Protocol("an empty frame"))
        } else if data.trailers.as_ref().is_some_and(|trailers| !data.end || trailers.len() > TRAILERS) {
            Some(BodyBroken::Protocol("trailers before the end, or more than 64 KiB of them"))
        } else {
            None
        };
        if let Some(fault) = fault {
            state.break_off(fault.clone());
            drop(state);
            self.changed.notify_one();
            return Err(fault);
        }
        state.next += 1;
        state.received += cost;
        if cost > 0 {
            state.waiting.push_back(data.bytes);
        }
        state.ended = data.end;
        state.trailers = data.trailers;
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Ends it with an error, unless everything has arrived. What waits is freed.
    pub(crate) fn break_off(&self, reason: BodyBroken) {
        self.lock().break_off(reason);
        self.changed.notify_one();
    }

    /// Whether nothing more will come.
    pub(crate) fn is_over(&self) -> bool {
        let state = self.lock();
        state.ended || state.broken.is_some()
    }

    /// Whether the writer has sent all of it.
    pub(crate) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    pub(crate) fn take(&self) -> Taken {
        let mut state = self.lock();
        if let Some(broken) = &state.broken {
            return Taken::Broken(broken.clone());
        }
        match state.waiting.pop_front() {
            Some(bytes) => Taken::Data(bytes),
            None if state.ended => Taken::End(state.trailers.take()),
            None => Taken::Nothing,
        }
    }

    /// Waits until [`Inbox::take`] may find something new.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn break_off(&mut self, reason: BodyBroken) {
        if !self.ended && self.broken.is_none() {
            self.broken = Some(reason);
            self.waiting = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn data(sequence: u64, bytes: &'static [u8], end: bool) -> Data {
        Data { sequence, bytes: Bytes::from_static(bytes), end, trailers: None }
    }

    fn open(credit: u64) -> Inbox {
        let inbox = Inbox::default();
        inbox.allow(credit);
        inbox
    }

    #[test]
    fn in_order_to_the_end() {
        let inbox = open(10_000);
        assert_eq!(inbox.take(), Taken::Nothing);
        inbox.accept(data(0, b"a", false)).unwrap();
        inbox.accept(data(0, b"a", false)).unwrap(); // Delivered twice.
        inbox.accept(data(1, b"b", true)).unwrap();
        inbox.break_off(BodyBroken::ConnectionLost); // Too late to harm: all of it is here.
        let taken = [inbox.take(), inbox.take(), inbox.take()];
        assert_eq!(
            taken,
            [Taken::Data(Bytes::from_static(b"a")), Taken::Data(Bytes::from_static(b"b")), Taken::End(None)]
        );
    }

    #[test]
    fn faults_break_it_and_free_it() {
        type Case = (fn() -> Data, BodyBroken);
        let cases: [Case; 4] = [
            (|| data(2, b"c", false), BodyBroken::Gap { found: 2, expected: 1 }),
            (|| data(1, &[0; 4096], false), BodyBroken::Protocol("more bytes than there was credit for")),
            (|| data(1, b"", false), BodyBroken::Protocol("an empty frame")),
            (
                || Data { trailers: Some(Bytes::new()), ..data(1, b"a", false) },
                BodyBroken::Protocol("trailers before the end, or more than 64 KiB of them"),
            ),
        ];
        for (frame, expected) in cases {
            let inbox = open(1024);
            inbox.accept(data(0, b"a", false)).unwrap();
            assert_eq!(inbox.accept(frame()), Err(expected.clone()));
            assert_eq!(inbox.take(), Taken::Broken(expected));
        }
    }

    proptest! {
        /// Whatever arrives, no more waits than was granted, and the reader never sees a body with a hole.
        #[test]
        fn hostile_frames_stay_within_credit(
            frames in prop::collection::vec((0u64..6, 0usize..600, any::<bool>()), 0..40),
            credit in 0u64..4000,
        ) {
            let inbox = open(credit);
            for (sequence, length, end) in frames {
                let _refused = inbox.accept(Data {
                    sequence, bytes: Bytes::from(vec![sequence as u8; length]), end, trailers: None,
                });
            }
            let (mut cost, mut next) = (0, 0);
            while let Taken::Data(bytes) = inbox.take() {
                prop_assert_eq!(u64::from(bytes[0]), next);
                next += 1;
                cost += bytes.len() as u64 + FRAME_COST;
            }
            prop_assert!(cost <= credit);
        }
    }
}
