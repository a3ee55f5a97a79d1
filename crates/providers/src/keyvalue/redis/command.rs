//! A command on its way, and who decides whether it goes: the connection that begins to write it, or its caller, who
//! withdraws it. So a caller always knows whether a byte of it was written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::protocol::Reply;

/// Why a command has no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The connection ended before a byte of it was written.
    NotWritten(String),
    /// Its deadline passed before a byte of it was written, and none will be.
    Late,
    /// It was written, at least in part.
    Unknown(String),
}

/// What a caller waits for.
pub(super) type Outcome = Result<Reply, Failure>;

/// Who waits for a reply.
#[derive(Debug)]
pub(super) enum Answer {
    /// A caller.
    Caller(oneshot::Sender<Outcome>),
    /// The connection itself asks for the server's time.
    Time,
    /// The connection itself asks for the server's part in a replication.
    Role,
}

impl Answer {
    /// Says that there is no reply.
    pub(super) fn fail(self, failure: Failure) {
        if let Self::Caller(caller) = self {
            // An error says that the caller is gone.
            let _ = caller.send(Err(failure));
        }
    }
}

/// A command with its bytes.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) bytes: Bytes,
    pub(super) ticket: Arc<Ticket>,
    pub(super) answer: Answer,
}

const WAITING: u8 = 0;
const WRITING: u8 = 1;
const WITHDRAWN: u8 = 2;

/// The one thing that caller and connection decide on.
#[derive(Debug, Default)]
pub(super) struct Ticket(AtomicU8);

impl Ticket {
    /// For the connection: may it write the first byte?
    pub(super) fn take(&self) -> bool {
        self.0.compare_exchange(WAITING, WRITING, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// For the connection: the socket took no byte of it.
    pub(super) fn give_back(&self) {
        // Not if the caller came meanwhile, was told "unknown", and is gone.
        let _ = self.0.compare_exchange(WRITING, WAITING, Ordering::AcqRel, Ordering::Acquire);
    }

    /// For the caller: it must not be written any more. Says whether that is so.
    pub(super) fn withdraw(&self) -> bool {
        self.0.swap(WITHDRAWN, Ordering::AcqRel) == WAITING
    }
}

/// Withdraws the command of a caller who is gone.
pub(super) struct WithdrawOnDrop(pub(super) Arc<Ticket>);

impl Drop for WithdrawOnDrop {
    fn drop(&mut self) {
        self.0.withdraw();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_two_decides() {
        let ticket = Ticket::default();
        assert!(ticket.take() && !ticket.take());
        assert!(!ticket.withdraw(), "it is being written");
        let ticket = Ticket::default();
        assert!(ticket.withdraw() && !ticket.take());
        let ticket = Ticket::default();
        assert!(ticket.take());
        ticket.give_back();
        assert!(ticket.withdraw(), "the socket did not take it");
        let ticket = Ticket::default();
        assert!(ticket.take() && !ticket.withdraw());
        ticket.give_back();
        assert!(!ticket.take(), "its caller was told that nobody knows, and it must not be written now");
    }
}
