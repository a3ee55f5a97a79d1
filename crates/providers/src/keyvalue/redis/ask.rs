//! One question to the server: from a request to a reply, or to an error that says whether anything was executed.

use redis_protocol::resp2::types::BytesFrame;
use tokio::time::Instant;

use super::command::Failure;
use super::connection::{Connection, Request};
use super::protocol::Reply;
use super::refusal::{Refusal, too_long};
use crate::keyvalue::Error;

/// Why a question has no answer.
#[derive(Debug)]
pub(super) enum Stop {
    /// Not a byte of it was written: another connection may be asked.
    NotWritten(String),
    /// That is the end of it.
    Error(Error),
}

impl From<Stop> for Error {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::NotWritten(reason) => Self::NotExecuted(reason),
            Stop::Error(error) => error,
        }
    }
}

/// Asks on this connection and no other.
pub(super) async fn ask(
    connection: &Connection,
    request: &Request,
    deadline: Instant,
) -> Result<BytesFrame, Stop> {
    match ask_once(connection, request, deadline, false).await {
        // The server said that it executed nothing, so that this is no second time.
        Err(Stop::Error(Error::NotExecuted(reason))) if reason == UNKNOWN_SCRIPT => {
            ask_once(connection, request, deadline, true).await
        }
        result => result,
    }
}

/// Says to [`ask`] that the script has to be told in full.
const UNKNOWN_SCRIPT: &str = "Redis has forgotten our scripts";

async fn ask_once(
    connection: &Connection,
    request: &Request,
    deadline: Instant,
    whole: bool,
) -> Result<BytesFrame, Stop> {
    match connection.call(request, deadline, whole).await {
        Ok(Reply::Frame(BytesFrame::Error(said))) => {
            let refusal = Refusal::new(&said);
            if refusal.is_late() {
                connection.doubt_clock();
            }
            if refusal.is_of_server() {
                connection.give_up(refusal.words().unwrap_or(refusal.code));
            }
            let unknown = refusal.is_unknown_script();
            Err(Stop::Error(if unknown {
                Error::NotExecuted(UNKNOWN_SCRIPT.into())
            } else {
                refusal.error()
            }))
        }
        Ok(Reply::Frame(frame)) => Ok(frame),
        Ok(Reply::TooLong(length)) => Err(Stop::Error(Error::Other(too_long(length)))),
        Err(Failure::NotWritten(reason)) => Err(Stop::NotWritten(reason)),
        Err(Failure::Late) => Err(Stop::Error(late())),
        Err(Failure::Unknown(reason)) => Err(Stop::Error(Error::Unknown(reason))),
    }
}

/// For what its deadline overtook before anything of it was written.
pub(super) fn late() -> Error {
    Error::NotExecuted("the deadline has passed".into())
}

/// For a reply of another kind than the question asks for.
pub(super) fn strange(frame: &BytesFrame) -> Error {
    let kind = match frame {
        BytesFrame::SimpleString(_) => "a word",
        BytesFrame::Error(_) => "an error",
        BytesFrame::Integer(_) => "a number",
        BytesFrame::BulkString(_) => "a value",
        BytesFrame::Array(_) => "a list",
        BytesFrame::Null => "nothing",
    };
    Error::Unknown(format!("Redis gave an answer of another kind than was asked for: {kind}"))
}
