//! The one thread that writes: it takes what is waiting, executes it in one transaction and syncs once for all.
//!
//! So a single caller waits for one sync, and a hundred callers also wait for one. Nobody is answered before the
//! sync is done.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use redb::{Database, Durability};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::database::{Shared, closed};
use super::open::describe;
use super::rows::WriteRows;
use crate::keyvalue::operation::{Outcome, Write, apply};
use crate::keyvalue::{Context, Error};

/// Most writes in one transaction.
const BATCH_WRITES: usize = 512;

/// Bytes after which no further write joins a transaction.
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Bytes counted by one permit of the writer's budget.
const PERMIT_BYTES: usize = 1024;

/// A write in the queue. Whoever takes it out of its slot decides: the writer executes it, or the caller, who has
/// waited long enough, withdraws it. So a caller always knows whether it was begun.
#[derive(Clone)]
struct Slot(Arc<Mutex<Option<Command>>>);

struct Command {
    bucket: String,
    write: Write,
    _room: OwnedSemaphorePermit,
}

impl Slot {
    fn take(&self) -> Option<Command> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Withdraws a write whose caller is gone.
struct WithdrawOnDrop(Slot);

impl Drop for WithdrawOnDrop {
    fn drop(&mut self) {
        self.0.take();
    }
}

struct Job {
    slot: Slot,
    size: usize,
    deadline: Instant,
    answer: oneshot::Sender<Result<Outcome, Error>>,
}

enum Message {
    Write(Job),
    /// Somebody saw the file fail.
    Reopen,
}

/// The way to the writing thread.
#[derive(Debug)]
pub(super) struct Writer {
    /// `None` once closed.
    queue: Mutex<Option<SyncSender<Message>>>,
    /// Bounds the memory of what waits.
    room: Arc<Semaphore>,
    finished: watch::Receiver<bool>,
}

impl Writer {
    /// Starts the thread. It ends, and closes the file, when this is closed or dropped and the queue is empty.
    pub(super) fn start(shared: Arc<Shared>, waiting: usize, bytes: usize) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(waiting);
        let (finish, finished) = watch::channel(false);
        thread::Builder::new().name("store-writer".into()).spawn(move || {
            run(&shared, &receiver);
            shared.close();
            finish.send_replace(true);
        })?;
        let room = Arc::new(Semaphore::new(bytes.div_ceil(PERMIT_BYTES)));
        Ok(Self { queue: Mutex::new(Some(sender)), room, finished })
    }

    /// Executes a write and waits until it is on disk, or until the deadline.
    pub(super) async fn write(
        &self,
        context: &Context,
        bucket: &str,
        write: Write,
    ) -> Result<Outcome, Error> {
        write.check(bucket)?;
        // Once it is queued the thread that writes may take it up in the same moment, and nobody could say whether in time.
        if Instant::now() >= context.deadline {
            return Err(late());
        }
        let size = write.size();
        let permits = u32::try_from(size.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room);
        let room = room.try_acquire_many_owned(permits).map_err(|_| busy())?;
        let command = Command { bucket: bucket.to_owned(), write, _room: room };
        let slot = Slot(Arc::new(Mutex::new(Some(command))));
        let (answer, answered) = oneshot::channel();
        self.send(Message::Write(Job { slot: slot.clone(), size, deadline: context.deadline, answer }))?;

        let waiting = WithdrawOnDrop(slot);
        match timeout_at(context.deadline, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) if waiting.0.take().is_some() => Err(closed()),
            Ok(Err(_)) => Err(Error::Unknown("the store stopped while it wrote".into())),
            Err(_) if waiting.0.take().is_some() => Err(late()),
            Err(_) => Err(Error::Unknown("the deadline passed while the store wrote".into())),
        }
    }

    /// Has the file opened again if it failed; does nothing if the queue is full, for then the next write does it.
    pub(super) fn nudge(&self) {
        let _ = self.send(Message::Reopen);
    }

    /// Takes no more writes, finishes those that wait, closes the file; returns when its lock is free.
    pub(super) async fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        // An error says that the thread is gone, which is as good.
        let _ = self.finished.clone().wait_for(|finished| *finished).await;
    }

    /// Bytes held by writes that wait or are being executed.
    #[cfg(test)]
    pub(super) fn waiting_bytes(&self, options: &super::Options) -> usize {
        options.waiting_bytes - self.room.available_permits() * PERMIT_BYTES
    }

    fn send(&self, message: Message) -> Result<(), Error> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        match queue.as_ref().ok_or_else(closed)?.try_send(message) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(busy()),
            Err(TrySendError::Disconnected(_)) => Err(closed()),
        }
    }
}

fn busy() -> Error {
    Error::NotExecuted("the store is busy: too many writes are waiting; try again later".into())
}

pub(super) fn late() -> Error {
    Error::NotExecuted("the deadline has passed".into())
}

fn run(shared: &Shared, queue: &Receiver<Message>) {
    while let Ok(first) = queue.recv() {
        let mut jobs = Vec::new();
        let mut bytes = 0;
        let mut next = Some(first);
        while let Some(message) = next {
            if let Message::Write(job) = message {
                bytes += job.size;
                jobs.push(job);
            }
            let full = jobs.len() >= BATCH_WRITES || bytes >= BATCH_BYTES;
            next = if full { None } else { queue.try_recv().ok() };
        }
        shared.reopen_if_failed();
        if !jobs.is_empty() {
            execute(shared, jobs);
        }
    }
}

/// A write that was begun, and who waits for its answer.
struct Begun {
    answer: oneshot::Sender<Result<Outcome, Error>>,
    result: Result<Outcome, Error>,
}

/// Executes `jobs` in one transaction and answers them all.
fn execute(shared: &Shared, jobs: Vec<Job>) {
    let mut begun = Vec::with_capacity(jobs.len());
    let mut waiting = jobs.into_iter();
    let transaction = AssertUnwindSafe(|| {
        shared.with(|database| {
            transact(database, &mut waiting, &mut begun).map_err(|error| {
                shared.note(&error.cause);
                error.outcome
            })
        })
    });
    let failure = match catch_unwind(transaction) {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error),
        Err(panic) => {
            let reason = describe(panic.as_ref());
            shared.note_panic(&reason);
            Some(Error::Unknown(format!("the store failed while it wrote: {reason}")))
        }
    };
    for Begun { answer, result } in begun {
        // Nothing was kept, or nobody knows: no result of a single write stands.
        let _ = answer.send(failure.clone().map_or(result, Err));
    }
    // Those that the transaction did not come to.
    let reason = match failure {
        Some(Error::NotExecuted(reason) | Error::Unknown(reason)) => reason,
        other => format!("the store could not write ({other:?})"),
    };
    for job in waiting {
        if job.slot.take().is_some() {
            let _ = job.answer.send(Err(Error::NotExecuted(reason.clone())));
        }
    }
}

/// Why a transaction failed, and what that means for the writes in it.
struct Failure {
    outcome: Error,
    cause: redb::Error,
}

impl Failure {
    /// Nothing was committed.
    fn before(cause: impl Into<redb::Error>) -> Self {
        let cause = cause.into();
        Self { outcome: Error::NotExecuted(format!("the store could not write: {cause}")), cause }
    }

    /// It may be on disk or not.
    fn during(cause: impl Into<redb::Error>) -> Self {
        let cause = cause.into();
        Self { outcome: Error::Unknown(format!("the store failed while it wrote: {cause}")), cause }
    }
}

fn transact(
    database: &Database,
    waiting: &mut impl Iterator<Item = Job>,
    begun: &mut Vec<Begun>,
) -> Result<(), Failure> {
    let mut transaction = database.begin_write().map_err(Failure::before)?;
    transaction.set_durability(Durability::Immediate).map_err(Failure::before)?;
    // Two syncs instead of one. With one, a damaged page after a crash makes the library go back to the commit
    // before, silently; with two, it is reported as damage.
    transaction.set_two_phase_commit(true);
    let mut rows = WriteRows::open(&transaction).map_err(Failure::before)?;
    for Job { slot, deadline, answer, .. } in waiting {
        let Some(command) = slot.take() else { continue };
        if Instant::now() >= deadline {
            let _ = answer.send(Err(late()));
            continue;
        }
        begun.push(Begun { answer, result: Err(Error::NotExecuted("the store could not write".into())) });
        let result = apply(&mut rows, &command.bucket, command.write).map_err(Failure::before)?;
        if let Some(last) = begun.last_mut() {
            last.result = result;
        }
    }
    let changed = rows.changed;
    drop(rows);
    if changed {
        transaction.commit().map_err(Failure::during)
    } else {
        transaction.abort().map_err(Failure::before)
    }
}
