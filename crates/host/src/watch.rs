//! Calls as they pass, for a reader of the admin port: what all hosts tell, one JSON object a line.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use dunlin_lattice::witness::{Record, Told};
use futures::Stream;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use crate::host::Shared;
use crate::metrics::place_in_words;

/// For how long calls are shown to a reader who does not follow.
pub(crate) const A_WHILE: Duration = Duration::from_secs(5);

/// One line of `/v1/calls`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// A call.
    Call(Box<Call>),
    /// So many calls are not shown: they were too many to be told of.
    Missed {
        /// How many.
        missed: u64,
    },
}

/// A call that has ended, in metadata: nothing of what it carried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// When it ended, in microseconds since 1970, by the calling host's clock.
    pub time: u64,
    /// The component that called; for a request from outside, the one it is for.
    pub component: String,
    /// By which of its links; empty for a request from outside.
    pub link: String,
    /// The component or provider that was called.
    pub target: String,
    /// What of it.
    pub function: String,
    /// The host that called, as `site/host`.
    pub from: String,
    /// The host that answered, else the one asked last; missing if there was none to ask.
    pub to: Option<String>,
    /// `here` (nothing went over the bus), `own-site` or `other-site`.
    pub place: Option<String>,
    /// Hosts that were asked.
    pub attempts: u32,
    /// From the call to its answer.
    pub microseconds: u64,
    /// `answered`, `not-executed`, `unknown`, `failed` or `given-up`.
    pub outcome: String,
    /// Bytes of arguments, where they are known; streams are not counted.
    pub bytes_asked: u64,
    /// Bytes of results, where they are known; streams are not counted.
    pub bytes_answered: u64,
    /// The trace that it belongs to.
    pub trace: Option<String>,
}

impl Call {
    fn of(record: Record) -> Self {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self {
            time: micros(record.at.duration_since(UNIX_EPOCH).unwrap_or_default()),
            component: record.component,
            link: record.link,
            target: record.target,
            function: record.function,
            from: record.from.to_string(),
            to: record.to.map(|to| to.to_string()),
            place: record.place.map(|place| place_in_words(place).to_owned()),
            attempts: record.attempts,
            microseconds: micros(record.took),
            outcome: record.ending.word().to_owned(),
            bytes_asked: record.asked,
            bytes_answered: record.answered,
            trace: record.trace,
        }
    }
}

/// The lines that follow, for [`A_WHILE`] or, if `follow`, for as long as somebody reads; only of `component` (as
/// caller or as called), if one is given.
///
/// # Errors
/// In words: there is no bus, or it does not let this host look on.
pub(crate) async fn lines(
    shared: &Shared,
    follow: bool,
    component: Option<String>,
) -> Result<impl Stream<Item = Bytes> + Send + 'static, String> {
    let watcher = shared.calls.watch().await.map_err(|error| error.to_string())?;
    let until = (!follow).then(|| Instant::now() + A_WHILE);
    Ok(futures::stream::unfold((watcher, component), move |(mut watcher, component)| async move {
        loop {
            let told = match until {
                Some(until) => timeout_at(until, watcher.next()).await.ok()?,
                None => watcher.next().await,
            };
            let line = match told {
                Told::Missed(missed) => Line::Missed { missed },
                Told::Record(record) => {
                    let wanted = |name: &String| [&record.component, &record.target].contains(&name);
                    if !component.as_ref().is_none_or(wanted) {
                        continue;
                    }
                    Line::Call(Box::new(Call::of(*record)))
                }
            };
            // Strings and numbers: this cannot fail.
            let mut line = serde_json::to_vec(&line).unwrap_or_default();
            line.push(b'\n');
            return Some((Bytes::from(line), (watcher, component)));
        }
    }))
}
