//! The open file, as reads and the writer share it; opened again after an I/O error.
//!
//! After an I/O error (a full disk, say) the database library refuses everything until its file has been opened
//! anew. What was acknowledged is on disk then, and what was in doubt was reported as unknown.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use redb::Database;

use super::open::{OpenError, Opener};
use crate::keyvalue::Error;

/// Least time between two attempts to open the file again.
const REOPEN_EVERY: Duration = Duration::from_secs(1);

/// The open file, or why there is none.
#[derive(Debug)]
pub(super) struct Shared {
    opener: Opener,
    state: RwLock<State>,
    /// Set by whoever sees an I/O error; the writer then opens the file again.
    failed: AtomicBool,
}

#[derive(Debug)]
enum State {
    Open(Database),
    /// It could not be opened again.
    Failed {
        reason: String,
        tried: Instant,
    },
    Closed,
}

impl Shared {
    pub(super) fn open(opener: Opener) -> Result<Self, OpenError> {
        let database = opener.open()?;
        Ok(Self { opener, state: RwLock::new(State::Open(database)), failed: AtomicBool::new(false) })
    }

    /// Works with the open file.
    pub(super) fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, Error>) -> Result<T, Error> {
        match &*self.state() {
            State::Open(database) => work(database),
            State::Failed { reason, .. } => Err(Error::NotExecuted(format!(
                "the store is closed after an error and will be opened again: {reason}"
            ))),
            State::Closed => Err(closed()),
        }
    }

    /// Takes note that the library reported `error`; says whether the file has to be opened again.
    pub(super) fn note(&self, error: &redb::Error) -> bool {
        let failed = matches!(error, redb::Error::Io(_) | redb::Error::PreviousIo);
        if failed && !self.failed.swap(true, Ordering::AcqRel) {
            tracing::error!(file = %self.opener.path.display(), %error, "the store file failed; it will be opened again");
        }
        failed
    }

    /// Takes note that the library panicked, which it does on a file altered behind its back.
    pub(super) fn note_panic(&self, reason: &str) {
        tracing::error!(file = %self.opener.path.display(), reason, "the store failed; its file will be opened again");
        self.failed.store(true, Ordering::Release);
    }

    /// Opens the file again if it failed. Only the writer calls this, between two transactions.
    pub(super) fn reopen_if_failed(&self) {
        if !self.failed.load(Ordering::Acquire) {
            return;
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Failed { tried, .. } if tried.elapsed() < REOPEN_EVERY => return,
            State::Closed => return,
            State::Open(_) | State::Failed { .. } => {}
        }
        // The old one has to go first: it holds the lock on the file.
        *state = State::Failed { reason: "it is being opened".into(), tried: Instant::now() };
        match self.opener.open() {
            Ok(database) => {
                tracing::info!(file = %self.opener.path.display(), "the store file is open again");
                *state = State::Open(database);
                self.failed.store(false, Ordering::Release);
            }
            Err(error) => {
                tracing::error!(%error, "the store file could not be opened again");
                *state = State::Failed { reason: error.to_string(), tried: Instant::now() };
            }
        }
    }

    /// Closes the file and gives up its lock.
    pub(super) fn close(&self) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = State::Closed;
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        // Only a panic in `write` would poison it, and there the state is set before anything can panic.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error after [`Shared::close`].
pub(super) fn closed() -> Error {
    Error::NotExecuted("the store is closed".into())
}
