//! Bodies as components and hosts see them: nothing, bytes, or a stream of pieces that may break.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, Stream, StreamExt};
use tokio::sync::mpsc;

/// The body of a request or an answer.
#[derive(Debug, Default)]
pub enum Body {
    /// None at all.
    #[default]
    Empty,
    /// All of it; a large one is sent as a stream and arrives as one.
    Whole(Bytes),
    /// Piece by piece.
    Stream(BodyStream),
}

impl Body {
    /// Reads it to the end; trailers are dropped.
    ///
    /// # Errors
    /// What broke it, or [`BodyBroken::TooLong`] as soon as it is longer than `limit` bytes.
    pub async fn collect(self, limit: usize) -> Result<Bytes, BodyBroken> {
        let mut stream = match self {
            Self::Empty => return Ok(Bytes::new()),
            Self::Whole(bytes) if bytes.len() > limit => return Err(BodyBroken::TooLong { limit }),
            Self::Whole(bytes) => return Ok(bytes),
            Self::Stream(stream) => stream,
        };
        let mut all = BytesMut::new();
        while let Some(piece) = stream.next().await {
            if let Piece::Data(bytes) = piece? {
                if all.len() + bytes.len() > limit {
                    return Err(BodyBroken::TooLong { limit });
                }
                all.extend_from_slice(&bytes);
            }
        }
        Ok(all.freeze())
    }
}

/// A part of a streamed body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// The next bytes.
    Data(Bytes),
    /// Values after the last byte, such as HTTP trailers, encoded as both ends agree; at most 64 KiB.
    Trailers(Bytes),
}

/// Why a body ended before its end. The reader must make this visible, never pass the body off as whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyBroken {
    /// Whoever produced it gave up.
    #[error("the body's source broke off: {0}")]
    Source(String),
    /// The other end gave up, in its words.
    #[error("the other host broke the body off: {0}")]
    Reset(String),
    /// A frame is missing.
    #[error("frame {found} of the body arrived where frame {expected} should have: something was lost")]
    Gap {
        /// Its number.
        found: u64,
        /// The number it should have had.
        expected: u64,
    },
    /// The other end broke a rule of the protocol.
    #[error("the other host broke the rules of a stream: {0}")]
    Protocol(&'static str),
    /// The bus was lost, and perhaps frames with it.
    #[error("the connection to the bus was lost while the body was under way")]
    ConnectionLost,
    /// Nothing moved.
    #[error("nothing of the body moved for {} s", .0.as_secs())]
    Idle(std::time::Duration),
    /// The connection carries as many streams as it may.
    #[error("more than {0} bodies at once on one connection")]
    TooManyStreams(usize),
    /// It is longer than the reader takes.
    #[error("the body is longer than the {limit} bytes that are taken")]
    TooLong {
        /// Bytes that would have been taken.
        limit: usize,
    },
}

impl BodyBroken {
    /// The reason in one word, for metrics.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Source(_) => "source",
            Self::Reset(_) => "reset",
            Self::Gap { .. } => "gap",
            Self::Protocol(_) => "protocol",
            Self::ConnectionLost => "connection-lost",
            Self::Idle(_) => "idle",
            Self::TooManyStreams(_) => "too-many",
            Self::TooLong { .. } => "too-long",
        }
    }
}

/// A body that arrives piece by piece, at the speed of its reader. Dropping it tells the writer to stop.
pub struct BodyStream(BoxStream<'static, Result<Piece, BodyBroken>>);

impl BodyStream {
    /// A body that a stream produces; it is asked for a piece only when there is room for it.
    #[must_use]
    pub fn new(pieces: impl Stream<Item = Result<Piece, BodyBroken>> + Send + 'static) -> Self {
        Self(pieces.boxed())
    }

    /// A body that somebody else writes, with room for `pieces` waiting pieces (at least one).
    ///
    /// If the sender is dropped without [`BodySender::finish`], the reader sees the body broken.
    #[must_use]
    pub fn channel(pieces: usize) -> (BodySender, Self) {
        let (sender, receiver) = mpsc::channel(pieces.max(1));
        let stream = futures::stream::unfold(Some(receiver), |receiver| async {
            let mut receiver: mpsc::Receiver<Sent> = receiver?;
            match receiver.recv().await {
                Some(Sent::Piece(bytes)) => Some((Ok(Piece::Data(bytes)), Some(receiver))),
                Some(Sent::End(Some(trailers))) => Some((Ok(Piece::Trailers(trailers)), None)),
                Some(Sent::End(None)) => None,
                Some(Sent::Broken(reason)) => Some((Err(reason), None)),
                None => Some((Err(BodyBroken::Source("its writer is gone".to_owned())), None)),
            }
        });
        (BodySender(sender), Self::new(stream))
    }

    /// The next piece; `None` after the end, or after an error.
    pub async fn next(&mut self) -> Option<Result<Piece, BodyBroken>> {
        self.0.next().await
    }
}

impl Stream for BodyStream {
    type Item = Result<Piece, BodyBroken>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}

impl std::fmt::Debug for BodyStream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("BodyStream")
    }
}

enum Sent {
    Piece(Bytes),
    End(Option<Bytes>),
    Broken(BodyBroken),
}

/// The writing end of [`BodyStream::channel`].
#[derive(Debug)]
pub struct BodySender(mpsc::Sender<Sent>);

impl BodySender {
    /// Hands over the next bytes, waiting while the reader is behind.
    ///
    /// # Errors
    /// The bytes, if nobody reads any more.
    pub async fn send(&mut self, bytes: Bytes) -> Result<(), Bytes> {
        self.0.send(Sent::Piece(bytes)).await.map_err(|error| match error.0 {
            Sent::Piece(bytes) => bytes,
            Sent::End(_) | Sent::Broken(_) => Bytes::new(),
        })
    }

    /// Ends the body well.
    pub async fn finish(self, trailers: Option<Bytes>) {
        // Nobody reading is no concern of a writer that has finished.
        let _gone = self.0.send(Sent::End(trailers)).await;
    }

    /// Breaks the body off; its reader sees `reason`.
    pub async fn fail(self, reason: BodyBroken) {
        let _gone = self.0.send(Sent::Broken(reason)).await;
    }

    /// Waits until nobody reads any more.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_channel_ends_well_or_visibly() {
        let (mut sender, body) = BodyStream::channel(2);
        sender.send(Bytes::from_static(b"a")).await.unwrap();
        sender.finish(Some(Bytes::from_static(b"t"))).await;
        let pieces: Vec<_> = body.collect().await;
        let wanted = [Piece::Data(Bytes::from_static(b"a")), Piece::Trailers(Bytes::from_static(b"t"))];
        assert_eq!(pieces, wanted.map(Ok));

        let (mut sender, body) = BodyStream::channel(2);
        sender.send(Bytes::from_static(b"a")).await.unwrap();
        drop(sender);
        assert!(matches!(Body::Stream(body).collect(10).await, Err(BodyBroken::Source(_))));

        let (mut sender, body) = BodyStream::channel(2);
        drop(body);
        assert_eq!(sender.send(Bytes::from_static(b"a")).await, Err(Bytes::from_static(b"a")));
    }

    #[tokio::test]
    async fn collect_stops_at_its_limit() {
        let endless = futures::stream::repeat_with(|| Ok(Piece::Data(Bytes::from_static(&[0; 100]))));
        let body = Body::Stream(BodyStream::new(endless));
        assert_eq!(body.collect(1000).await, Err(BodyBroken::TooLong { limit: 1000 }));
        assert_eq!(
            Body::Whole(Bytes::from_static(b"ab")).collect(1).await,
            Err(BodyBroken::TooLong { limit: 1 })
        );
    }
}
