//! Watches and records as they are on the bus. Who tells, and of which component, is in the subject.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use dunlin_manifest::{HostId, is_dns_label};

use super::Record;
use crate::call::Ending;
use crate::router::Place;
use crate::subjects::Subjects;
use crate::wire::{self, WireError};

/// The longest name in a record, in bytes.
const LONGEST: usize = 300;
/// The largest record, in bytes.
const LARGEST: usize = 4096;

/// Why a message was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The subject is none of this lattice's.
    #[error("not a subject of this lattice")]
    Subject,
    /// The payload is no frame.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// What the frame says cannot be.
    #[error("a record with {0}")]
    Content(&'static str),
}

/// A viewer asks all hosts to tell for a while.
#[derive(Clone, PartialEq, prost::Message)]
struct WatchFrame {}

#[derive(Clone, PartialEq, prost::Message)]
struct RecordFrame {
    /// Of the telling, so that numbers of a former life are not compared with those of this one.
    #[prost(fixed64, tag = "1")]
    incarnation: u64,
    #[prost(uint64, tag = "2")]
    number: u64,
    #[prost(string, tag = "3")]
    trace: String,
    #[prost(string, tag = "4")]
    link: String,
    #[prost(string, tag = "5")]
    target: String,
    #[prost(string, tag = "6")]
    function: String,
    #[prost(string, tag = "7")]
    to_site: String,
    #[prost(string, tag = "8")]
    to_host: String,
    /// 1 the same process, 2 the same site, 3 another site.
    #[prost(uint32, tag = "9")]
    place: u32,
    #[prost(uint32, tag = "10")]
    attempts: u32,
    /// Microseconds.
    #[prost(uint64, tag = "11")]
    took: u64,
    /// One more than the place in [`Ending::ALL`].
    #[prost(uint32, tag = "12")]
    ending: u32,
    #[prost(uint64, tag = "13")]
    asked: u64,
    #[prost(uint64, tag = "14")]
    answered: u64,
    /// Microseconds since 1970.
    #[prost(uint64, tag = "15")]
    at: u64,
}

const PLACES: [Place; 3] = [Place::SameProcess, Place::OwnSite, Place::OtherSite];

pub(super) fn encode_watch() -> Bytes {
    wire::encode(&WatchFrame {})
}

/// Reads a viewer's request as its name.
///
/// # Errors
/// [`Refused`].
pub fn read_watch(subjects: &Subjects, subject: &str, payload: Bytes) -> Result<String, Refused> {
    let viewer = subjects.parse_watch(subject).ok_or(Refused::Subject)?;
    let WatchFrame {} = wire::decode(payload)?;
    Ok(viewer)
}

pub(super) fn encode(record: &Record, incarnation: u64, number: u64) -> Bytes {
    let place = record.place.and_then(|place| PLACES.iter().position(|known| *known == place));
    let ending = Ending::ALL.iter().position(|known| *known == record.ending);
    let code = |index: Option<usize>| index.map_or(0, |index| index as u32 + 1);
    let since = record.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let to = record.to.as_ref();
    wire::encode(&RecordFrame {
        incarnation,
        number,
        trace: record.trace.clone().unwrap_or_default(),
        link: record.link.clone(),
        target: record.target.clone(),
        function: record.function.clone(),
        to_site: to.map(|to| to.site.clone()).unwrap_or_default(),
        to_host: to.map(|to| to.host.clone()).unwrap_or_default(),
        place: code(place),
        attempts: record.attempts,
        took: micros(record.took),
        ending: code(ending),
        asked: record.asked,
        answered: record.answered,
        at: micros(since),
    })
}

/// Reads a record with the incarnation of its telling and its number in it.
///
/// # Errors
/// [`Refused`].
pub fn read(subjects: &Subjects, subject: &str, payload: Bytes) -> Result<(Record, u64, u64), Refused> {
    let (from, component) = subjects.parse_trace(subject).ok_or(Refused::Subject)?;
    if payload.len() > LARGEST {
        return Err(Refused::Content("more than 4 KiB"));
    }
    let frame: RecordFrame = wire::decode(payload)?;
    let RecordFrame { trace, link, target, function, to_site, to_host, .. } = frame;
    if [&link, &target, &function].iter().any(|name| name.len() > LONGEST) || !is_dns_label(&target) {
        return Err(Refused::Content("a name that is none"));
    }
    if !trace.is_empty() && (trace.len() != 32 || !trace.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Err(Refused::Content("a trace id that is none"));
    }
    let to = match (to_site.as_str(), to_host.as_str()) {
        ("", "") => None,
        (site, host) if is_dns_label(site) && is_dns_label(host) => Some(HostId::new(site, host)),
        _ => return Err(Refused::Content("a host that is none")),
    };
    let index = |code: u32| (code as usize).checked_sub(1);
    let ending = index(frame.ending).ok_or(Refused::Content("no ending"))?;
    let record = Record {
        at: UNIX_EPOCH.checked_add(Duration::from_micros(frame.at)).unwrap_or(SystemTime::UNIX_EPOCH),
        trace: Some(trace).filter(|trace| !trace.is_empty()),
        from,
        component,
        link,
        target,
        function,
        to,
        place: index(frame.place).and_then(|index| PLACES.get(index).copied()),
        attempts: frame.attempts,
        took: Duration::from_micros(frame.took),
        // One that a newer host knows promises nothing here.
        ending: Ending::ALL.get(ending).copied().unwrap_or(Ending::Unknown),
        asked: frame.asked,
        answered: frame.answered,
    };
    Ok((record, frame.incarnation, frame.number))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change here is a change of the protocol.
    #[test]
    fn golden() {
        let subjects = Subjects::new("todo").unwrap();
        let record = Record {
            at: UNIX_EPOCH + Duration::from_micros(7),
            trace: None,
            from: HostId::new("aws", "aws-1"),
            component: "todo".into(),
            link: "store".into(),
            target: "redis".into(),
            function: "get".into(),
            to: Some(HostId::new("gcp", "g")),
            place: Some(Place::OtherSite),
            attempts: 1,
            took: Duration::from_micros(300),
            ending: Ending::Answered,
            asked: 5,
            answered: 6,
        };
        let frame = encode(&record, 1, 2);
        let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = "01 090100000000000000 1002 220573746f7265 2a057265646973 3203676574 3a03676370 420167 \
                        4803 5001 58ac02 6001 6805 7006 7807";
        assert_eq!(hex, expected.split_whitespace().collect::<String>());
        let subject = subjects.trace(&record.from, &record.component);
        assert_eq!(read(&subjects, &subject, frame), Ok((record, 1, 2)));
        assert_eq!(read_watch(&subjects, "todo.watch.me", encode_watch()), Ok("me".to_owned()));
        assert_eq!(encode_watch()[..], [wire::VERSION]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let subjects = Subjects::new("todo").unwrap();
        let good = RecordFrame { target: "redis".into(), ending: 1, ..RecordFrame::default() };
        let read = |subject: &str, payload: Bytes| read(&subjects, subject, payload).map(drop);
        let subject = "todo.trace.aws.aws-1.todo";
        assert_eq!(read(subject, wire::encode(&good)), Ok(()));
        for bad in [
            RecordFrame { target: "Re.dis".into(), ..good.clone() },
            RecordFrame { function: "f".repeat(301), ..good.clone() },
            RecordFrame { trace: "abc".into(), ..good.clone() },
            RecordFrame { to_site: "gcp".into(), ..good.clone() },
            RecordFrame { ending: 0, ..good.clone() },
        ] {
            assert!(matches!(read(subject, wire::encode(&bad)), Err(Refused::Content(_))), "{bad:?}");
        }
        assert_eq!(read("todo.trace.aws.aws-1", wire::encode(&good)), Err(Refused::Subject));
        assert!(matches!(read(subject, Bytes::from_static(&[1, 0xff])), Err(Refused::Wire(_))));
        assert_eq!(read(subject, Bytes::from(vec![1; 5000])), Err(Refused::Content("more than 4 KiB")));
        assert_eq!(read_watch(&subjects, "todo.watch.a.b", encode_watch()), Err(Refused::Subject));
        assert!(matches!(read_watch(&subjects, "todo.watch.a", Bytes::new()), Err(Refused::Wire(_))));
        // A newer host may know another ending; what it means nobody here can say.
        let newer = wire::encode(&RecordFrame { ending: 99, ..good });
        assert_eq!(super::read(&subjects, subject, newer).unwrap().0.ending, Ending::Unknown);
    }
}
