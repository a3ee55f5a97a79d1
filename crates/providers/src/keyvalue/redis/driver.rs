//! The task of one connection: hands commands in and replies out, asks for the server's time, and notices silence.
//!
//! A server that falls silent gets no further commands: what is under way may still be answered on this connection
//! while a new one is tried.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::command::{Answer, Command, Failure};
use super::connection::Shared;
use super::handshake::{Role, server_time};
use super::pipe::{Pending, Pipe};
use super::protocol::{Reply, encode};

/// How often the task looks at the time.
const TICK: Duration = Duration::from_millis(100);

/// How often the server is asked for its time and its role.
const REFRESH: Duration = Duration::from_secs(2);

/// How long a server may say nothing while it owes an answer.
const SILENCE: Duration = Duration::from_secs(1);

/// The same, once the deadline of a caller has passed.
const SILENCE_OVERDUE: Duration = Duration::from_millis(250);

pub(super) struct Driver {
    pipe: Pipe,
    commands: mpsc::UnboundedReceiver<Command>,
    shared: Arc<Shared>,
    /// When the server was last asked for its time, and whether it has still to answer.
    asked: Option<Instant>,
    asking: bool,
}

impl Driver {
    pub(super) fn new(pipe: Pipe, commands: mpsc::UnboundedReceiver<Command>, shared: Arc<Shared>) -> Self {
        Self { pipe, commands, shared, asked: None, asking: false }
    }

    /// Works until the connection is lost, or was given up and nobody waits for anything on it.
    pub(super) async fn run(mut self) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut end = self.shared.watch();
        let mut ended = None;
        loop {
            tokio::select! {
                reply = poll_fn(|context| self.pipe.poll(context)) => match reply {
                    Ok((pending, reply)) => self.deliver(pending, reply),
                    Err(error) => {
                        let reason = format!("the connection to Redis was lost: {error}");
                        self.shared.end(&reason, true);
                        self.refuse(&reason);
                        return self.pipe.fail(&reason);
                    }
                },
                command = self.commands.recv(), if self.pipe.has_room() && ended.is_none() => match command {
                    Some(command) => self.accept(command),
                    None => self.shared.end("the connection to Redis is closed", false),
                },
                _ = end.changed(), if ended.is_none() => {}
                _ = tick.tick() => self.look(),
            }
            if ended.is_none() {
                ended = end.borrow_and_update().as_ref().map(|end| end.reason.clone());
            }
            if let Some(reason) = &ended {
                self.refuse(reason);
                if !self.pipe.is_awaited() {
                    return self.pipe.fail(reason);
                }
            }
        }
    }

    /// Takes a command, and those behind it, so that one write takes them all.
    fn accept(&mut self, command: Command) {
        self.pipe.push(command);
        while self.pipe.has_room()
            && let Ok(command) = self.commands.try_recv()
        {
            self.pipe.push(command);
        }
    }

    /// Gives back everything that was not begun, and takes nothing more.
    fn refuse(&mut self, reason: &str) {
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            command.answer.fail(Failure::NotWritten(reason.to_owned()));
        }
        self.pipe.refuse(reason);
    }

    fn deliver(&mut self, pending: Pending, reply: Reply) {
        // It speaks, so that nobody needs to wonder.
        self.shared.overdue.store(false, Ordering::Release);
        match pending.answer {
            // An error says that the caller is gone.
            Answer::Caller(caller) => drop(caller.send(Ok(reply))),
            Answer::Time => {
                self.asking = false;
                if let Some(time) = server_time(&reply)
                    && self.shared.clock.observe(pending.written, self.pipe.heard, time)
                {
                    tracing::warn!("the clock of the Redis server was set");
                }
            }
            Answer::Role => {
                if let Some(words) = Role::of(&reply).and_then(|role| role.trouble()) {
                    self.shared.end(words, false);
                }
            }
        }
    }

    /// Looks whether the server fell silent, and at its clock when it is time.
    fn look(&mut self) {
        let now = Instant::now();
        let silence = self.pipe.waits_since().map_or(Duration::ZERO, |since| now - since);
        let overdue = self.shared.overdue.load(Ordering::Acquire);
        if silence >= SILENCE || overdue && silence >= SILENCE_OVERDUE {
            self.shared.end("Redis does not answer", false);
        }
        let due = self.asked.is_none_or(|asked| now - asked >= REFRESH);
        if !self.asking && (due || self.shared.doubted.swap(false, Ordering::AcqRel)) {
            (self.asked, self.asking) = (Some(now), true);
            for (word, answer) in [("TIME", Answer::Time), ("HELLO", Answer::Role)] {
                let bytes = encode(&[Bytes::from_static(word.as_bytes())]);
                self.pipe.push(Command { bytes, ticket: Arc::default(), answer });
            }
        }
    }
}
