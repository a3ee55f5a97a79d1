//! What goes over the connection: commands there, and replies back, as the `redis-protocol` crate reads them.
//!
//! What it leaves open is bounded here: a value that is longer than a value may be is skipped and not kept, and a
//! reply as a whole has a largest size, whatever length it claims.

use bytes::{Buf, Bytes, BytesMut};
use redis_protocol::resp2::decode::decode_bytes_mut;
use redis_protocol::resp2::types::BytesFrame;

use crate::keyvalue::limits::{BATCH_BYTES, VALUE_BYTES};

/// Longest reply: the largest batch of values, and the lengths between them.
const REPLY_BYTES: usize = BATCH_BYTES + 1024 * 1024;

/// Longest line that tells the length of a value: `$`, digits, and the line's end.
const LENGTH_LINE: usize = 24;

/// What the server says to one command.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    /// A word, a number, a value, a list, nothing, or an error of the server.
    Frame(BytesFrame),
    /// A value of so many bytes, too long to be kept.
    TooLong(usize),
}

/// What is no reply of a Redis server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Garbled {
    /// It does not follow the protocol.
    #[error("it does not speak the protocol of Redis")]
    Protocol,
    /// It is too large.
    #[error("a reply of more than {REPLY_BYTES} bytes")]
    TooLarge,
}

/// One command, ready to be written.
pub(super) fn encode(words: &[Bytes]) -> Bytes {
    let size: usize = words.iter().map(|word| word.len() + LENGTH_LINE).sum();
    let mut bytes = Vec::with_capacity(size + LENGTH_LINE);
    bytes.extend(format!("*{}\r\n", words.len()).into_bytes());
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).into_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.into()
}

/// Makes replies of the bytes that come in.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// What came in and is not a whole reply yet.
    pub(super) buffer: BytesMut,
    /// The value that is being skipped: its length, and what of it is still to come.
    skipping: Option<(usize, usize)>,
}

impl Decoder {
    /// The next reply, if it is there as a whole.
    pub(super) fn next(&mut self) -> Result<Option<Reply>, Garbled> {
        if self.skipping.is_none() {
            self.skipping = too_long(&self.buffer);
        }
        if let Some((length, rest)) = self.skipping {
            let here = rest.min(self.buffer.len());
            self.buffer.advance(here);
            self.skipping = (here < rest).then_some((length, rest - here));
            return Ok((here == rest).then_some(Reply::TooLong(length)));
        }
        match decode_bytes_mut(&mut self.buffer) {
            Ok(Some((frame, _, _))) => Ok(Some(Reply::Frame(frame))),
            Ok(None) if self.buffer.len() > REPLY_BYTES => Err(Garbled::TooLarge),
            Ok(None) => Ok(None),
            Err(_) => Err(Garbled::Protocol),
        }
    }
}

/// Whether a value begins here that is longer than one may be: its length, and the bytes to skip.
fn too_long(buffer: &[u8]) -> Option<(usize, usize)> {
    let line = buffer.get(..buffer.len().min(LENGTH_LINE))?.strip_prefix(b"$")?;
    let end = line.iter().position(|byte| *byte == b'\r')?;
    let length: usize = std::str::from_utf8(line.get(..end)?).ok()?.parse().ok()?;
    (length > VALUE_BYTES).then(|| (length, length.saturating_add(end + 1 + 2 + 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(decoder: &mut Decoder, bytes: &[u8], step: usize) -> Vec<Reply> {
        let mut replies = Vec::new();
        for chunk in bytes.chunks(step) {
            decoder.buffer.extend_from_slice(chunk);
            while let Some(reply) = decoder.next().unwrap() {
                replies.push(reply);
            }
        }
        replies
    }

    #[test]
    fn replies_in_pieces_are_replies() {
        let bytes = b"+OK\r\n:-7\r\n$0\r\n\r\n$-1\r\n*2\r\n$1\r\n0\r\n*1\r\n$3\r\na\r\n\r\n-READONLY no\r\n";
        let value = |text: &'static str| BytesFrame::BulkString(Bytes::from_static(text.as_bytes()));
        let expected = [
            BytesFrame::SimpleString("OK".into()),
            BytesFrame::Integer(-7),
            value(""),
            BytesFrame::Null,
            BytesFrame::Array(vec![value("0"), BytesFrame::Array(vec![value("a\r\n")])]),
            BytesFrame::Error("READONLY no".into()),
        ]
        .map(Reply::Frame);
        for step in 1..=bytes.len() {
            assert_eq!(feed(&mut Decoder::default(), bytes, step), expected, "{step}");
        }
    }

    #[test]
    fn a_value_too_long_is_skipped_and_the_next_reply_is_read() {
        let mut bytes = format!("$1\r\na\r\n${}\r\n", VALUE_BYTES + 1).into_bytes();
        bytes.extend(vec![b'$'; VALUE_BYTES + 1]);
        bytes.extend(b"\r\n:3\r\n");
        let number = Reply::Frame(BytesFrame::Integer(3));
        for step in [7, 10_000, bytes.len()] {
            let mut decoder = Decoder::default();
            let replies = feed(&mut decoder, &bytes, step);
            assert_eq!(replies[1..], [Reply::TooLong(VALUE_BYTES + 1), number.clone()], "{step}");
            assert!(decoder.buffer.is_empty());
        }
    }

    #[test]
    fn nothing_is_kept_beyond_a_bound_and_garbage_is_noticed() {
        let mut decoder = Decoder::default();
        decoder.buffer.extend_from_slice(b"*1000000\r\n");
        assert_eq!(decoder.next(), Ok(None));
        while decoder.buffer.len() <= REPLY_BYTES {
            decoder.buffer.extend_from_slice(
                &format!("${VALUE_BYTES}\r\n{}\r\n", "x".repeat(VALUE_BYTES)).into_bytes(),
            );
        }
        assert_eq!(decoder.next(), Err(Garbled::TooLarge));
        let mut decoder = Decoder::default();
        decoder.buffer.extend_from_slice(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        assert_eq!(decoder.next(), Err(Garbled::Protocol));
    }

    #[test]
    fn a_command_is_a_list_of_its_words() {
        let words = vec![Bytes::from_static(b"SET"), Bytes::from_static(b"k"), Bytes::from_static(b"\r\n\0")];
        assert_eq!(encode(&words).as_ref(), b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n\r\n\0\r\n");
    }
}
