//! Bodies between HTTP and the lattice.

use bytes::Bytes;
use dunlin_lattice::{Body, BodyBroken, BodyStream, Piece};
use futures::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream as Frames, Empty, Full, StreamBody};
use hyper::body::Frame;

use crate::wire::http::{decode_trailers, encode_trailers};

/// The body of whatever this host answers.
pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// A body up to this length travels in the message of its call.
const SMALL: u64 = 64 << 10;

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

fn stream<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display,
{
    let pieces = Frames::new(body).map(|frame| match frame {
        Ok(frame) => Ok(match frame.into_data() {
            Ok(data) => Piece::Data(data),
            Err(frame) => Piece::Trailers(frame.trailers_ref().map(encode_trailers).unwrap_or_default()),
        }),
        Err(error) => Err(BodyBroken::Source(error.to_string())),
    });
    Body::Stream(BodyStream::new(pieces))
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
