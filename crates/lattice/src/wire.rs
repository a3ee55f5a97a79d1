//! The frame around every message of ours: one byte for the version of the protocol, then a protobuf message.
//!
//! Decoding never trusts a length: protobuf fields are checked against the bytes that are there before anything
//! is allocated, and unknown fields are skipped so that a newer host may add some.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;

/// The version of the protocol that this build speaks, the first byte of every frame.
pub const VERSION: u8 = 1;

/// Why a frame was refused. Nothing was done with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The payload has no bytes, so it has no version either.
    #[error("an empty payload where a frame of protocol version {VERSION} should be")]
    Empty,
    /// The sender speaks another version of the protocol.
    #[error(
        "a frame of protocol version {found}; this host speaks {VERSION}: run the same release at both ends"
    )]
    Version {
        /// The version byte that was found.
        found: u8,
    },
    /// The bytes after the version are not the expected message.
    #[error("a malformed frame: {0}")]
    Malformed(String),
}

/// Frames a message.
#[must_use]
pub fn encode<M: Message>(message: &M) -> Bytes {
    let mut frame = BytesMut::with_capacity(1 + message.encoded_len());
    frame.put_u8(VERSION);
    // The only error is a full buffer, and this one grows; a frame cut short would be refused at the other end.
    if let Err(error) = message.encode(&mut frame) {
        tracing::error!(%error, "a frame could not be written");
    }
    frame.freeze()
}

/// Takes the message out of a frame. Fields of type [`Bytes`] share the frame's memory.
///
/// # Errors
/// [`WireError`] for an empty payload, another version, or bytes that are not such a message.
pub fn decode<M: Message + Default>(mut frame: Bytes) -> Result<M, WireError> {
    match frame.first() {
        None => return Err(WireError::Empty),
        Some(&VERSION) => frame.advance(1),
        Some(&found) => return Err(WireError::Version { found }),
    }
    M::decode(frame).map_err(|error| WireError::Malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, PartialEq, prost::Message)]
    struct Sample {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(bytes = "bytes", tag = "2")]
        body: Bytes,
    }

    #[test]
    fn there_and_back() {
        let sample = Sample { name: "todo".into(), body: Bytes::from_static(&[0, 255]) };
        let frame = encode(&sample);
        assert_eq!(frame[0], VERSION);
        assert_eq!(decode::<Sample>(frame), Ok(sample));
    }

    #[test]
    fn refuses_what_is_not_a_frame() {
        assert_eq!(decode::<Sample>(Bytes::new()), Err(WireError::Empty));
        assert_eq!(decode::<Sample>(Bytes::from_static(&[9, 1])), Err(WireError::Version { found: 9 }));
        // A string that claims four gigabytes, and one that is not UTF-8.
        for bytes in [&[VERSION, 0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f][..], &[VERSION, 0x0a, 1, 0xff]] {
            assert!(matches!(decode::<Sample>(Bytes::copy_from_slice(bytes)), Err(WireError::Malformed(_))));
        }
    }
}
