//! Standard output and standard error of a component: lines for its log.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use dunlin_providers::logging::Level;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::logging::{LONGEST, LogGate};

/// One of the two streams of one instance.
#[derive(Clone)]
pub(crate) struct Lines(Arc<Line>);

struct Line {
    gate: Arc<LogGate>,
    level: Level,
    context: &'static str,
    /// What was written since the last end of line.
    rest: Mutex<Vec<u8>>,
}

impl Lines {
    pub(crate) fn stdout(gate: &Arc<LogGate>) -> Self {
        Self::new(gate, Level::Info, "stdout")
    }

    pub(crate) fn stderr(gate: &Arc<LogGate>) -> Self {
        Self::new(gate, Level::Warn, "stderr")
    }

    fn new(gate: &Arc<LogGate>, level: Level, context: &'static str) -> Self {
        Self(Arc::new(Line { gate: Arc::clone(gate), level, context, rest: Mutex::default() }))
    }

    fn write(&self, mut bytes: &[u8]) {
        let mut rest = self.0.rest.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.0.take(&mut rest, &bytes[..end]);
            self.0.emit(&mut rest);
            bytes = &bytes[end + 1..];
        }
        self.0.take(&mut rest, bytes);
    }
}

impl Line {
    /// Adds to the line what still fits; the gate cuts there too.
    fn take(&self, rest: &mut Vec<u8>, bytes: &[u8]) {
        let room = LONGEST.saturating_sub(rest.len()).min(bytes.len());
        rest.extend_from_slice(&bytes[..room]);
    }

    fn emit(&self, rest: &mut Vec<u8>) {
        let line = String::from_utf8_lossy(rest);
        self.gate.log(self.level, self.context, line.trim_end_matches('\r'));
        rest.clear();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let mut rest = std::mem::take(self.rest.get_mut().unwrap_or_else(PoisonError::into_inner));
        if !rest.is_empty() {
            self.emit(&mut rest);
        }
    }
}

impl StdoutStream for Lines {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl IsTerminal for Lines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        Self::write(self, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

#[async_trait::async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Lines {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Self::write(&self, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
