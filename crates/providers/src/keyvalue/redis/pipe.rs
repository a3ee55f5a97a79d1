//! Bytes of one connection: commands out, replies back in the same order.
//!
//! A command is taken from its caller when the socket takes its first byte, and given back if the socket took none.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::Instant;

use super::command::{Answer, Command, Failure};
use super::protocol::{Decoder, Garbled, Reply};

/// A TCP or TLS connection.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Most commands that are written and not answered; further ones can still be withdrawn.
const PIPELINE: usize = 512;

/// Most commands that wait here, and that one write to the socket takes.
const BATCH: usize = 64;

/// Least room for what one read brings.
const READ_BYTES: usize = 64 * 1024;

/// A command that is written as a whole.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) answer: Answer,
    /// Just before its last byte was written.
    pub(super) written: Instant,
}

/// What ends a connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The network, or the server's end.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What came is no reply.
    #[error("{0}")]
    Garbled(#[from] Garbled),
    /// Nobody asked.
    #[error("it said something without being asked")]
    Unasked,
}

pub(super) struct Pipe {
    stream: Box<dyn Stream>,
    decoder: Decoder,
    outgoing: VecDeque<Command>,
    /// Bytes of the first of `outgoing` that are written.
    begun: usize,
    /// The stream may hold back what it took.
    unflushed: bool,
    pending: VecDeque<Pending>,
    /// When bytes last came.
    pub(super) heard: Instant,
    /// When bytes last came or went.
    moved: Instant,
}

impl Pipe {
    pub(super) fn new(stream: Box<dyn Stream>, decoder: Decoder) -> Self {
        let (outgoing, pending, now) = (VecDeque::new(), VecDeque::new(), Instant::now());
        Self { stream, decoder, outgoing, begun: 0, unflushed: false, pending, heard: now, moved: now }
    }

    /// Whether to give it more.
    pub(super) fn has_room(&self) -> bool {
        self.outgoing.len() < BATCH
    }

    pub(super) fn push(&mut self, command: Command) {
        self.outgoing.push_back(command);
    }

    /// Since when the server owes something: an answer, or to take the rest of a command.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        let begun = (self.begun > 0).then_some(self.moved);
        self.pending.front().map(|pending| pending.written.max(self.heard)).or(begun)
    }

    /// Whether a caller still waits for what was written, at least in part.
    pub(super) fn is_awaited(&self) -> bool {
        let begun = self.outgoing.iter().take(usize::from(self.begun > 0)).map(|command| &command.answer);
        let mut answers = self.pending.iter().map(|pending| &pending.answer).chain(begun);
        answers.any(|answer| matches!(answer, Answer::Caller(caller) if !caller.is_closed()))
    }

    /// Gives back what was not begun.
    pub(super) fn refuse(&mut self, reason: &str) {
        for command in self.outgoing.drain(usize::from(self.begun > 0).min(self.outgoing.len())..) {
            command.answer.fail(Failure::NotWritten(reason.to_owned()));
        }
    }

    /// Ends everything.
    pub(super) fn fail(mut self, reason: &str) {
        self.refuse(reason);
        let begun = self.outgoing.drain(..).map(|command| command.answer);
        for answer in self.pending.drain(..).map(|pending| pending.answer).chain(begun) {
            answer.fail(Failure::Unknown(reason.to_owned()));
        }
    }

    /// The next reply and who waits for it; moves bytes both ways meanwhile.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(Pending, Reply), Broken>> {
        loop {
            if let Some(reply) = self.decoder.next()? {
                return Poll::Ready(self.pending.pop_front().map(|of| (of, reply)).ok_or(Broken::Unasked));
            }
            let written = self.poll_write(context)?;
            if self.unflushed && Pin::new(&mut self.stream).poll_flush(context)?.is_ready() {
                self.unflushed = false;
            }
            if self.poll_read(context)?.is_pending() && written.is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let count = self.take();
        if count == 0 {
            return Poll::Pending;
        }
        let mut slices: Vec<IoSlice<'_>> =
            self.outgoing.iter().take(count).map(|command| IoSlice::new(&command.bytes)).collect();
        let mut all = slices.as_mut_slice();
        IoSlice::advance_slices(&mut all, self.begun);
        // Before the write: the server may have read it before we look at the time again.
        let now = Instant::now();
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, all);
        let taken = if let Poll::Ready(Ok(bytes)) = &result { *bytes } else { 0 };
        if taken > 0 {
            (self.moved, self.unflushed) = (now, true);
        }
        self.begun += taken;
        let mut rest = count;
        while let Some(command) = self.outgoing.pop_front_if(|command| command.bytes.len() <= self.begun) {
            self.begun -= command.bytes.len();
            self.pending.push_back(Pending { answer: command.answer, written: now });
            rest -= 1;
        }
        for command in self.outgoing.iter().take(rest).skip(usize::from(self.begun > 0)) {
            command.ticket.give_back();
        }
        match result {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            other => other.map_ok(drop),
        }
    }

    /// Takes the commands that may go now from their callers, and drops those whose callers are gone. They are the
    /// first so many of `outgoing`.
    fn take(&mut self) -> usize {
        // What is begun must go on.
        let begun = usize::from(self.begun > 0);
        let most = PIPELINE.saturating_sub(self.pending.len()).clamp(begun, BATCH);
        let mut count = begun;
        while count < most
            && let Some(command) = self.outgoing.get(count)
        {
            if command.ticket.take() {
                count += 1;
            } else {
                self.outgoing.remove(count);
            }
        }
        count
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.decoder.buffer.reserve(READ_BYTES);
        let read = pin!(self.stream.read_buf(&mut self.decoder.buffer)).poll(context);
        match read {
            Poll::Ready(Ok(0)) => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed it")))
            }
            Poll::Ready(Ok(_)) => {
                self.heard = Instant::now();
                self.moved = self.heard;
                Poll::Ready(Ok(()))
            }
            other => other.map_ok(drop),
        }
    }
}
