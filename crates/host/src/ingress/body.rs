//! Bodies between HTTP and the lattice.

use std::time::Duration;

use bytes::Bytes;
use dunlin_lattice::{Body, BodyBroken, BodyStream, Piece};
use futures::{Stream, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream as Frames, Empty, Full, StreamBody};
use hyper::body::Frame;
use tokio::time::{Instant, timeout, timeout_at};

use crate::wire::http::{decode_trailers, encode_trailers};

/// The body of whatever this host answers.
pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// A body up to this length travels in the message of its call.
const SMALL: u64 = 64 << 10;

/// How long an answer that is known to be small is waited for before it goes piece by piece.
const SOON: Duration = Duration::from_millis(100);

/// How much longer than its guest may take the next piece of an answer is waited for, so that the host that runs the
/// guest can tell what is wrong.
const LONGER: Duration = Duration::from_secs(1);

/// Hands an HTTP body to the lattice: as bytes if it is known to be small, else piece by piece.
///
/// # Errors
/// A small body broke off, in words.
pub(crate) async fn to_lattice<B>(body: B) -> Result<Body, String>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display,
{
    if body.is_end_stream() {
        return Ok(Body::Empty);
    }
    if body.size_hint().upper().is_some_and(|most| most <= SMALL) {
        let whole = body.collect().await.map_err(|error| error.to_string())?;
        // Trailers would be lost in a message; a body that has some is streamed.
        return Ok(match whole.trailers() {
            None => Body::Whole(whole.to_bytes()),
            Some(_) => stream(whole),
        });
    }
    Ok(stream(body))
}

/// Hands the body of an answer to the lattice: in the message with its head if it is known to be small and comes soon, else
/// piece by piece. What is one message is there or not, so a read whose answer was lost can be asked for elsewhere.
pub(crate) async fn answer_to_lattice<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display,
{
    if body.is_end_stream() {
        return Body::Empty;
    }
    if body.size_hint().upper().is_none_or(|most| most > SMALL) {
        return stream(body);
    }
    let mut pieces = pieces(body);
    let (soon, mut gathered, mut length) = (Instant::now() + SOON, Vec::new(), 0);
    let next = loop {
        match timeout_at(soon, pieces.next()).await {
            Ok(None) if gathered.len() == 1 => return Body::Whole(gathered.remove(0)),
            Ok(None) => return Body::Whole(gathered.concat().into()),
            Ok(Some(Ok(Piece::Data(data)))) if length + data.len() as u64 <= SMALL => {
                length += data.len() as u64;
                gathered.push(data);
            }
            Ok(Some(other)) => break Some(other),
            Err(_) => break None,
        }
    };
    let begun = gathered.into_iter().map(|data| Ok(Piece::Data(data))).chain(next);
    Body::Stream(BodyStream::new(futures::stream::iter(begun.collect::<Vec<_>>()).chain(pieces)))
}

fn stream<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display,
{
    Body::Stream(BodyStream::new(pieces(body)))
}

fn pieces<B>(body: B) -> impl Stream<Item = Result<Piece, BodyBroken>> + Send + Unpin + 'static
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display,
{
    Frames::new(body).map(|frame| match frame {
        Ok(frame) => Ok(match frame.into_data() {
            Ok(data) => Piece::Data(data),
            Err(frame) => Piece::Trailers(frame.trailers_ref().map(encode_trailers).unwrap_or_default()),
        }),
        Err(error) => Err(BodyBroken::Source(error.to_string())),
    })
}

/// Makes an HTTP body of that of an answer from the lattice, whose guest breaks off after `stalled` without a piece. A host
/// that is gone says nothing, so it is not waited for much longer than that.
pub(crate) fn answer_from_lattice(body: Body, stalled: Duration) -> ResponseBody {
    let Body::Stream(stream) = body else { return from_lattice(body) };
    let longest = stalled.saturating_add(LONGER);
    let bounded = futures::stream::unfold(Some(stream), move |stream| async move {
        let mut stream = stream?;
        match timeout(longest, stream.next()).await {
            Ok(piece) => piece.map(|piece| (piece, Some(stream))),
            Err(_) => Some((Err(BodyBroken::Idle(longest)), None)),
        }
    });
    from_lattice(Body::Stream(BodyStream::new(bounded)))
}

/// Makes an HTTP body of one from the lattice. A break stays a break: the client's connection ends before its body.
pub(crate) fn from_lattice(body: Body) -> ResponseBody {
    match body {
        Body::Empty => Empty::new().map_err(|never| match never {}).boxed_unsync(),
        Body::Whole(bytes) => Full::new(bytes).map_err(|never| match never {}).boxed_unsync(),
        Body::Stream(stream) => {
            let frames = stream.map(|piece| match piece? {
                Piece::Data(data) => Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Frame::data(data)),
                Piece::Trailers(bytes) => Ok(Frame::trailers(decode_trailers(bytes)?)),
            });
            StreamBody::new(frames).boxed_unsync()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use futures::stream::{self, BoxStream};
    use http_body::{Body as _, SizeHint};
    use tokio::time::sleep;

    use super::*;

    type Frames = BoxStream<'static, Result<Frame<Bytes>, &'static str>>;

    /// A body that says how long it is at most.
    struct Announced(StreamBody<Frames>, u64);

    impl http_body::Body for Announced {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
            Pin::new(&mut self.0).poll_frame(context)
        }

        fn size_hint(&self) -> SizeHint {
            let mut hint = SizeHint::new();
            hint.set_upper(self.1);
            hint
        }
    }

    /// Each piece after so many milliseconds; an empty one breaks.
    fn body(pieces: &'static [(u64, &'static str)], most: u64) -> Announced {
        let frames = stream::iter(pieces).then(|(after, piece)| async {
            sleep(Duration::from_millis(*after)).await;
            if piece.is_empty() { Err("broken") } else { Ok(Frame::data(Bytes::from(*piece))) }
        });
        Announced(StreamBody::new(frames.boxed()), most)
    }

    /// What arrives, and whether it was one message.
    async fn passed(body: Announced) -> (Result<Bytes, String>, bool) {
        let body = answer_to_lattice(body).await;
        let whole = matches!(body, Body::Whole(_));
        let arrived = answer_from_lattice(body, Duration::from_secs(5)).collect().await;
        (arrived.map(http_body_util::Collected::to_bytes).map_err(|error| error.to_string()), whole)
    }

    #[tokio::test(start_paused = true)]
    async fn small_answers_are_one_message_and_all_others_come_whole_or_broken() {
        for (what, given, text, whole) in [
            ("small", body(&[(0, "one ")], 4), Ok("one "), true),
            ("in pieces", body(&[(0, "one "), (10, "two")], 7), Ok("one two"), true),
            ("slow", body(&[(0, "one "), (4_000, "two")], 7), Ok("one two"), false),
            ("longer than it said", body(&[(0, "one "), (0, "two")], SMALL + 1), Ok("one two"), false),
            ("broken", body(&[(0, "one "), (0, "")], 7), Err("broken"), false),
            ("broken later", body(&[(0, "one "), (200, "")], 7), Err("broken"), false),
            ("gone", body(&[(0, "one "), (7_000, "two")], 7), Err("6"), false),
        ] {
            let (arrived, one) = passed(given).await;
            assert_eq!(one, whole, "{what}");
            match (arrived, text) {
                (Ok(arrived), Ok(text)) => assert_eq!(arrived, text, "{what}"),
                (Err(error), Err(words)) => assert!(error.contains(words), "{what}: {error}"),
                (arrived, text) => panic!("{what}: {arrived:?} is not {text:?}"),
            }
        }
    }

    #[tokio::test]
    async fn nothing_and_what_is_too_much_for_a_message_are_told_apart() {
        assert!(matches!(answer_to_lattice(Full::new(Bytes::new())).await, Body::Empty));
        let most = vec![b'x'; usize::try_from(SMALL).unwrap()];
        assert!(matches!(answer_to_lattice(Full::from(most.clone())).await, Body::Whole(_)));
        let more = [most, b"y".to_vec()].concat();
        assert!(Full::<Bytes>::from(more.clone()).size_hint().upper() > Some(SMALL));
        assert!(matches!(answer_to_lattice(Full::<Bytes>::from(more)).await, Body::Stream(_)));
    }
}
