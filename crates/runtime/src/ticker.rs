//! Moves the engine's epoch on while guests run, so that one that never yields is made to.
//!
//! A thread of its own, since the threads that serve are what a looping guest would hold. It sleeps for good while
//! nothing runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

/// How long a guest computes before others get their turn.
pub(crate) const TICK: Duration = Duration::from_millis(5);

#[derive(Debug, Default)]
struct Shared {
    /// Instances alive.
    running: AtomicUsize,
    stopped: AtomicBool,
}

/// The ticking thread of one engine; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

/// Keeps the epoch moving for as long as it lives.
#[derive(Debug)]
pub(crate) struct Running(Arc<Shared>);

impl Ticker {
    /// Starts the thread.
    pub(crate) fn start(engine: &wasmtime::Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let engine = engine.weak();
        let seen = Arc::clone(&shared);
        let handle = thread::Builder::new().name("dunlin-epoch".to_owned()).spawn(move || {
            while !seen.stopped.load(Ordering::Relaxed) {
                if seen.running.load(Ordering::SeqCst) == 0 {
                    // `unpark` before `park` makes it return at once, so no start is missed.
                    thread::park();
                    continue;
                }
                thread::sleep(TICK);
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
            }
        })?;
        Ok(Self { shared, thread: handle.thread().clone() })
    }

    /// Tells that an instance is alive until the answer is dropped.
    pub(crate) fn running(&self) -> Running {
        if self.shared.running.fetch_add(1, Ordering::SeqCst) == 0 {
            self.thread.unpark();
        }
        Running(Arc::clone(&self.shared))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.thread.unpark();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}
