//! The messages of calls and streams, as they are on the bus.
//!
//! One type serves both directions; a receiver ignores the kinds that are not meant for it. Fields are only ever
//! added. Who sent a frame, for which component and function, is in the subject and is not repeated here.

use bytes::Bytes;

/// What surrounds the payload of a frame, generously: a message of `max_payload` minus this fits.
pub(crate) const OVERHEAD: usize = 512;

/// Every frame belongs to one call.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Frame {
    #[prost(fixed64, tag = "1")]
    pub(crate) id_high: u64,
    #[prost(fixed64, tag = "2")]
    pub(crate) id_low: u64,
    #[prost(oneof = "Kind", tags = "3, 4, 5, 6, 7, 8")]
    pub(crate) kind: Option<Kind>,
}

impl Frame {
    pub(crate) fn new(id: u128, kind: Kind) -> Self {
        let (id_high, id_low) = ((id >> 64) as u64, id as u64);
        Self { id_high, id_low, kind: Some(kind) }
    }

    pub(crate) fn id(&self) -> u128 {
        (u128::from(self.id_high) << 64) | u128::from(self.id_low)
    }
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Kind {
    /// Caller to callee.
    #[prost(message, tag = "3")]
    Call(Call),
    /// Callee to caller, once.
    #[prost(message, tag = "4")]
    Answer(Answer),
    /// Callee to caller, instead of an answer.
    #[prost(message, tag = "5")]
    Refusal(Refusal),
    /// A piece of a body, either way.
    #[prost(message, tag = "6")]
    Data(Data),
    /// How far the other end may write, either way.
    #[prost(message, tag = "7")]
    Credit(Credit),
    /// The end of one or both bodies, or of the call, either way.
    #[prost(message, tag = "8")]
    Reset(Reset),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Call {
    /// Of the callee, as its presence shows it.
    #[prost(fixed64, tag = "1")]
    pub(crate) incarnation: u64,
    /// In microseconds of the callee's own clock, which began with this incarnation.
    #[prost(uint64, tag = "2")]
    pub(crate) deadline: u64,
    #[prost(string, tag = "3")]
    pub(crate) from_component: String,
    #[prost(string, tag = "4")]
    pub(crate) link: String,
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) values: Bytes,
    #[prost(bytes = "bytes", optional, tag = "6")]
    pub(crate) body: Option<Bytes>,
    /// The body follows as [`Data`], once the callee grants credit.
    #[prost(bool, tag = "7")]
    pub(crate) streamed: bool,
    #[prost(string, optional, tag = "8")]
    pub(crate) traceparent: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Answer {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) values: Bytes,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(crate) body: Option<Bytes>,
    /// The body follows as [`Data`], once the caller grants credit.
    #[prost(bool, tag = "3")]
    pub(crate) streamed: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Refusal {
    #[prost(enumeration = "RefusalKind", tag = "1")]
    pub(crate) kind: i32,
    #[prost(string, tag = "2")]
    pub(crate) reason: String,
}

/// A kind that a receiver does not know reads as [`RefusalKind::Unknown`], which promises nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum RefusalKind {
    Unknown = 0,
    NotHere = 1,
    Draining = 2,
    Busy = 3,
    DeadlinePassed = 4,
    Refused = 5,
    NotLinked = 6,
    Failed = 7,
    AnswerGone = 8,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Data {
    /// Counts the frames of one body from 0.
    #[prost(uint64, tag = "1")]
    pub(crate) sequence: u64,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) bytes: Bytes,
    /// Nothing follows.
    #[prost(bool, tag = "3")]
    pub(crate) end: bool,
    /// Only with `end`.
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub(crate) trailers: Option<Bytes>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Credit {
    /// Everything that may be sent in total since the beginning; so a repeated or late one does no harm.
    #[prost(uint64, tag = "1")]
    pub(crate) up_to: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Reset {
    #[prost(bool, tag = "1")]
    pub(crate) request: bool,
    #[prost(bool, tag = "2")]
    pub(crate) answer: bool,
    #[prost(string, tag = "3")]
    pub(crate) reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A change here is a change of the protocol: hosts of the release before could not read it.
    #[test]
    fn golden() {
        let call = Call {
            incarnation: 2,
            deadline: 300,
            from_component: "a".into(),
            link: "b".into(),
            values: Bytes::from_static(b"v"),
            body: Some(Bytes::new()),
            streamed: false,
            traceparent: None,
        };
        let refusal = Refusal { kind: RefusalKind::Busy as i32, reason: "x".into() };
        let data = Data { sequence: 1, bytes: Bytes::from_static(b"d"), end: true, trailers: None };
        let answer = Answer { values: Bytes::from_static(b"v"), body: None, streamed: true };
        // A version byte, the low half of the id (the high half is zero and so not written), the kind.
        let frames = [
            (Kind::Call(call), "1a170902000000000000 0010ac021a01612201622a01763200"),
            (Kind::Answer(answer), "22050a01761801"),
            (Kind::Refusal(refusal), "2a050803120178"),
            (Kind::Data(data), "32070801120164 1801"),
            (Kind::Credit(Credit { up_to: 5 }), "3a020805"),
            (Kind::Reset(Reset { request: true, answer: false, reason: "r".into() }), "4205 08011a0172"),
        ];
        for (kind, expected) in frames {
            let expected: String = expected.split_whitespace().collect();
            let frame = Frame::new(1, kind);
            let bytes = wire::encode(&frame);
            assert_eq!(hex(&bytes), format!("01110100000000000000{expected}"));
            assert_eq!(wire::decode::<Frame>(bytes), Ok(frame));
        }
    }

    #[test]
    fn bytes_are_shared_not_copied() {
        let data = Data { sequence: 0, bytes: Bytes::from(vec![7; 1000]), end: false, trailers: None };
        let frame = wire::encode(&Frame::new(u128::MAX, Kind::Data(data)));
        let range = frame.as_ptr_range();
        let Some(Kind::Data(data)) = wire::decode::<Frame>(frame.clone()).unwrap().kind else { panic!() };
        assert!(range.contains(&data.bytes.as_ptr()));
    }
}
