//! What hosts say of themselves on the wire, read and checked before anything is done with it.

use std::time::Duration;

use bytes::Bytes;
use dunlin_manifest::HostId;

use super::MAX_STATE;
use crate::subjects::{Announcement, Subjects};
use crate::wire::{self, WireError};

/// No host runs this long; more would overflow sums of times.
const MAX_UPTIME_MS: u64 = 100 * 365 * 24 * 3600 * 1000;

/// A sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// Which start of the host this is.
    pub incarnation: u64,
    /// Counts beats and states of one incarnation up.
    pub sequence: u64,
    /// The host's monotonic clock when it sent this, whole milliseconds.
    pub uptime: Duration,
    /// The number of the state that the host shows, 0 while it has none.
    pub state: u64,
    /// The protocol version that the host speaks.
    pub protocol: u32,
    /// The newest version of the rank that the host can work out.
    pub rank: u32,
}

/// An announcement, checked: well-formed, and of the host that its subject names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announced {
    /// A beat, with the host's state where it was sent along.
    Beat {
        /// The beat.
        beat: Beat,
        /// The state of number `beat.state`.
        body: Option<Bytes>,
    },
    /// The host stops.
    Goodbye {
        /// Which start of the host stops.
        incarnation: u64,
    },
}

/// Why an announcement was refused; nothing was done with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The subject is no announcement of this lattice.
    #[error("the subject is not an announcement of this lattice")]
    Subject,
    /// The frame is not one, or of another version.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The payload speaks for a host other than the subject's.
    #[error("sent by {subject}, but it speaks for {payload}")]
    Name {
        /// The host that the subject names.
        subject: HostId,
        /// The host that the payload names.
        payload: HostId,
    },
    /// A value is outside of what is allowed.
    #[error("{0}")]
    Value(&'static str),
}

#[derive(Clone, PartialEq, prost::Message)]
struct BeatFrame {
    #[prost(string, tag = "1")]
    site: String,
    #[prost(string, tag = "2")]
    host: String,
    #[prost(fixed64, tag = "3")]
    incarnation: u64,
    #[prost(uint64, tag = "4")]
    sequence: u64,
    #[prost(uint64, tag = "5")]
    uptime_ms: u64,
    #[prost(uint64, tag = "6")]
    state: u64,
    #[prost(uint32, tag = "7")]
    protocol: u32,
    #[prost(uint32, tag = "8")]
    rank: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StateFrame {
    #[prost(message, optional, tag = "1")]
    beat: Option<BeatFrame>,
    #[prost(bytes = "bytes", tag = "2")]
    body: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
struct GoodbyeFrame {
    #[prost(string, tag = "1")]
    site: String,
    #[prost(string, tag = "2")]
    host: String,
    #[prost(fixed64, tag = "3")]
    incarnation: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StateAskFrame {
    #[prost(fixed64, tag = "1")]
    incarnation: u64,
    #[prost(uint64, tag = "2")]
    state: u64,
}

/// Reads an announcement.
///
/// # Errors
/// [`Refused`], with what is wrong.
pub fn read(subjects: &Subjects, subject: &str, payload: Bytes) -> Result<(HostId, Announced), Refused> {
    let (kind, from) = subjects.parse_announcement(subject).ok_or(Refused::Subject)?;
    let announced = match kind {
        Announcement::Beat => {
            Announced::Beat { beat: check(&from, wire::decode::<BeatFrame>(payload)?)?, body: None }
        }
        Announcement::State => {
            let frame = wire::decode::<StateFrame>(payload)?;
            let beat = check(&from, frame.beat.ok_or(Refused::Value("a state without a beat"))?)?;
            if beat.state == 0 {
                return Err(Refused::Value("a state without a number"));
            }
            if frame.body.len() > MAX_STATE {
                return Err(Refused::Value("the state is larger than hosts hold of each other"));
            }
            Announced::Beat { beat, body: Some(frame.body) }
        }
        Announcement::Goodbye => {
            let frame = wire::decode::<GoodbyeFrame>(payload)?;
            same_name(&from, frame.site, frame.host)?;
            Announced::Goodbye { incarnation: frame.incarnation }
        }
    };
    Ok((from, announced))
}

/// Whether a payload is a well-formed request for a state.
pub(super) fn read_state_ask(payload: Bytes) -> Result<(), WireError> {
    wire::decode::<StateAskFrame>(payload).map(|_| ())
}

/// Writes an announcement of `from`.
pub(super) fn write(from: &HostId, announced: Announced) -> (Announcement, Bytes) {
    match announced {
        Announced::Beat { beat, body: None } => (Announcement::Beat, wire::encode(&frame(from, &beat))),
        Announced::Beat { beat, body: Some(body) } => {
            (Announcement::State, wire::encode(&StateFrame { beat: Some(frame(from, &beat)), body }))
        }
        Announced::Goodbye { incarnation } => {
            let frame = GoodbyeFrame { site: from.site.clone(), host: from.host.clone(), incarnation };
            (Announcement::Goodbye, wire::encode(&frame))
        }
    }
}

/// Writes a request for the state that a beat announced.
pub(super) fn write_state_ask(incarnation: u64, state: u64) -> Bytes {
    wire::encode(&StateAskFrame { incarnation, state })
}

fn frame(from: &HostId, beat: &Beat) -> BeatFrame {
    BeatFrame {
        site: from.site.clone(),
        host: from.host.clone(),
        incarnation: beat.incarnation,
        sequence: beat.sequence,
        uptime_ms: u64::try_from(beat.uptime.as_millis()).unwrap_or(MAX_UPTIME_MS),
        state: beat.state,
        protocol: beat.protocol,
        rank: beat.rank,
    }
}

fn check(from: &HostId, frame: BeatFrame) -> Result<Beat, Refused> {
    same_name(from, frame.site, frame.host)?;
    if frame.uptime_ms > MAX_UPTIME_MS {
        return Err(Refused::Value("an uptime of more than a century"));
    }
    Ok(Beat {
        incarnation: frame.incarnation,
        sequence: frame.sequence,
        uptime: Duration::from_millis(frame.uptime_ms),
        state: frame.state,
        protocol: frame.protocol,
        rank: frame.rank,
    })
}

fn same_name(subject: &HostId, site: String, host: String) -> Result<(), Refused> {
    let payload = HostId { site, host };
    if payload == *subject { Ok(()) } else { Err(Refused::Name { subject: subject.clone(), payload }) }
}
