//! One connection as its callers see it: many at once, each with a deadline, and none is ever written twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::clock::Clock;
use super::command::{Answer, Command, Failure, Outcome, Ticket, WithdrawOnDrop};
use super::protocol::encode;
use super::scripts::Script;

/// What to ask of the server.
#[derive(Debug, Clone)]
pub(super) enum Request {
    /// A command, word by word.
    Plain(Vec<Bytes>),
    /// A script with its keys and arguments; for a write without the deadline, which the connection adds.
    Script { script: Script, keys: Vec<Bytes>, arguments: Vec<Bytes> },
}

/// Why a connection takes no more commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// In words.
    pub(super) reason: String,
    /// It was lost, and the next may be there at once; otherwise it was given up, for a reason that may last.
    pub(super) lost: bool,
}

/// What the connection's task and its callers tell each other.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Clock,
    /// Set by a caller whose deadline passed; cleared when the server says anything.
    pub(super) overdue: AtomicBool,
    /// Set by whoever has reason to doubt the clock.
    pub(super) doubted: AtomicBool,
    end: watch::Sender<Option<End>>,
}

impl Shared {
    /// Lets no further command on the connection; the first reason stands.
    pub(super) fn end(&self, reason: &str, lost: bool) {
        self.end.send_if_modified(|end| {
            let first = end.is_none();
            end.get_or_insert_with(|| End { reason: reason.to_owned(), lost });
            first
        });
    }

    pub(super) fn watch(&self) -> watch::Receiver<Option<End>> {
        self.end.subscribe()
    }
}

/// The way to a connection's task.
#[derive(Debug)]
pub(super) struct Connection {
    /// Bounded by what the store lets its callers do at once.
    commands: mpsc::UnboundedSender<Command>,
    /// The digests of [`super::scripts::ALL`], as the server told them.
    digests: Vec<Bytes>,
    shared: Arc<Shared>,
}

impl Connection {
    /// A connection, and the end at which its task takes commands.
    pub(super) fn new(
        digests: Vec<Bytes>,
        clock: Clock,
    ) -> (Self, mpsc::UnboundedReceiver<Command>, Arc<Shared>) {
        let (commands, receiver) = mpsc::unbounded_channel();
        let (overdue, doubted) = (AtomicBool::new(false), AtomicBool::new(false));
        let shared = Arc::new(Shared { clock, overdue, doubted, end: watch::Sender::new(None) });
        (Self { commands, digests, shared: Arc::clone(&shared) }, receiver, shared)
    }

    /// Whether it takes commands, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        self.shared.end.borrow().is_none()
    }

    /// Waits until it takes none.
    pub(super) async fn ended(&self) -> Option<End> {
        self.shared.watch().wait_for(Option::is_some).await.ok()?.clone()
    }

    /// Gives it up: what is under way may still be answered, and nothing more goes on it.
    pub(super) fn give_up(&self, reason: &str) {
        self.shared.end(reason, false);
    }

    /// Has the server's clock looked at soon.
    pub(super) fn doubt_clock(&self) {
        self.shared.doubted.store(true, Ordering::Release);
    }

    /// Asks the server and waits for its reply, at most until `deadline`. With `whole`, a script goes as text.
    pub(super) async fn call(&self, request: &Request, deadline: Instant, whole: bool) -> Outcome {
        let bytes = encode(&self.words(request, deadline, whole));
        let ticket = Arc::new(Ticket::default());
        let waiting = WithdrawOnDrop(Arc::clone(&ticket));
        let (sender, answered) = oneshot::channel();
        let command = Command { bytes, ticket, answer: Answer::Caller(sender) };
        if self.commands.send(command).is_err() {
            return Err(Failure::NotWritten(self.reason()));
        }
        match timeout_at(deadline, answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) if waiting.0.withdraw() => Err(Failure::NotWritten(self.reason())),
            Ok(Err(_)) => Err(Failure::Unknown(self.reason())),
            Err(_) if waiting.0.withdraw() => Err(Failure::Late),
            Err(_) => {
                self.shared.overdue.store(true, Ordering::Release);
                Err(Failure::Unknown("the deadline passed before Redis answered".into()))
            }
        }
    }

    /// Why nobody works on it any more.
    fn reason(&self) -> String {
        self.shared.end("the connection to Redis is closed", false);
        self.shared.end.borrow().as_ref().map(|end| end.reason.clone()).unwrap_or_default()
    }

    fn words(&self, request: &Request, deadline: Instant, whole: bool) -> Vec<Bytes> {
        let (script, keys, arguments) = match request {
            Request::Plain(words) => return words.clone(),
            Request::Script { script, keys, arguments } => (*script, keys, arguments),
        };
        let digest = self.digests.get(script as usize).filter(|_| !whole);
        let mut words = Vec::with_capacity(4 + keys.len() + arguments.len());
        match digest {
            Some(digest) => words.extend([Bytes::from_static(b"EVALSHA"), digest.clone()]),
            None => words.extend([Bytes::from_static(b"EVAL"), Bytes::from_static(script.text().as_bytes())]),
        }
        words.push(keys.len().to_string().into());
        words.extend(keys.iter().cloned());
        if script.is_write() {
            words.push(self.shared.clock.deadline(deadline).to_string().into());
        }
        words.extend(arguments.iter().cloned());
        words
    }
}
