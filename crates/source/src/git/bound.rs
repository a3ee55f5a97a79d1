//! What one look at a repository may take: time, silence and bytes; and the program that it waits for meanwhile.

use std::io::{self, BufRead, Read};
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a look may take at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GitLimits {
    /// Until the whole look is given up.
    pub time: Duration,
    /// Until it is given up because nothing comes.
    pub silence: Duration,
    /// Bytes that a look may fetch.
    pub bytes: u64,
}

impl Default for GitLimits {
    fn default() -> Self {
        Self { time: Duration::from_secs(300), silence: Duration::from_secs(20), bytes: 512 << 20 }
    }
}

/// Why a look was stopped before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    /// It took longer than it may.
    Late,
    /// Nothing came for too long.
    Silent,
    /// More came than may.
    Large,
    /// Nobody wants its result any more.
    Unwanted,
}

/// The bound of one look, shared by the thread that looks and the task that waits for it.
#[derive(Debug)]
pub(super) struct Bound {
    limits: GitLimits,
    began: Instant,
    bytes: AtomicU64,
    stop: AtomicBool,
    now: Mutex<Now>,
}

#[derive(Debug, Default)]
struct Now {
    stopped: Option<Stopped>,
    /// Since when a read has been waited for.
    waiting: Option<Instant>,
    child: Option<Child>,
}

impl Bound {
    pub(super) fn new(limits: GitLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            began: Instant::now(),
            bytes: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            now: Mutex::default(),
        })
    }

    /// Set once the look is to end; the library looks at it between its steps.
    pub(super) fn flag(&self) -> &AtomicBool {
        &self.stop
    }

    pub(super) fn limits(&self) -> GitLimits {
        self.limits
    }

    /// Why it was stopped, if it was.
    pub(super) fn stopped(&self) -> Option<Stopped> {
        self.now().stopped
    }

    /// Stops the look if it has taken too long. To be called now and then by whoever waits for it.
    pub(super) fn check(&self) {
        let waiting = self.now().waiting;
        if self.began.elapsed() > self.limits.time {
            self.stop(Stopped::Late);
        } else if waiting.is_some_and(|since| since.elapsed() > self.limits.silence) {
            self.stop(Stopped::Silent);
        }
    }

    /// Ends the look: the program that it waits for is killed, and what it reads next fails.
    pub(super) fn stop(&self, why: Stopped) {
        let mut now = self.now();
        now.stopped.get_or_insert(why);
        self.stop.store(true, Ordering::Release);
        if let Some(child) = &mut now.child {
            kill(child);
        }
    }

    /// Keeps the program that is waited for, so that it can be killed. One at a time.
    pub(super) fn hold(&self, mut child: Child) {
        let mut now = self.now();
        if now.stopped.is_some() {
            kill(&mut child);
        }
        if let Some(mut before) = now.child.replace(child) {
            kill(&mut before);
            let _ = before.wait();
        }
    }

    /// Ends the program that is held, if it has not ended by itself within a moment.
    pub(super) fn release(&self) {
        let Some(mut child) = self.now().child.take() else { return };
        for _ in 0..20 {
            if child.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        kill(&mut child);
        let _ = child.wait();
    }

    /// Counts what a read brought.
    fn count(&self, bytes: usize) -> io::Result<usize> {
        let before = self.bytes.fetch_add(bytes as u64, Ordering::AcqRel);
        if before.saturating_add(bytes as u64) > self.limits.bytes {
            self.stop(Stopped::Large);
        }
        self.go_on()?;
        Ok(bytes)
    }

    fn go_on(&self) -> io::Result<()> {
        if self.stop.load(Ordering::Acquire) {
            return Err(io::Error::other("stopped"));
        }
        Ok(())
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Kills the program with whatever it started: `ssh` may be a script that starts another.
fn kill(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
}

/// A reader whose bytes count and whose waiting is timed.
pub(super) struct Counted<R> {
    inner: R,
    bound: Arc<Bound>,
}

impl<R> Counted<R> {
    pub(super) fn new(inner: R, bound: &Arc<Bound>) -> Self {
        Self { inner, bound: Arc::clone(bound) }
    }

    fn timed<T>(&mut self, read: impl FnOnce(&mut R) -> io::Result<T>) -> io::Result<T> {
        self.bound.go_on()?;
        self.bound.now().waiting = Some(Instant::now());
        let result = read(&mut self.inner);
        self.bound.now().waiting = None;
        self.bound.go_on()?;
        result
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.timed(|inner| inner.read(buffer))?;
        self.bound.count(bytes)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.timed(|inner| inner.fill_buf().map(drop))?;
        // What is there already is not waited for.
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        // What is over the bound shows at the next read.
        let _ = self.bound.count(amount);
        self.inner.consume(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(bytes: u64) -> GitLimits {
        GitLimits { bytes, time: Duration::from_secs(60), silence: Duration::from_millis(20) }
    }

    #[test]
    fn bytes_over_the_bound_stop_the_look() {
        let bound = Bound::new(limits(10));
        let mut text = Vec::new();
        assert!(Counted::new(&[7; 10][..], &bound).read_to_end(&mut text).is_ok());
        assert!(Counted::new(&[7; 1][..], &bound).read_to_end(&mut text).is_err());
        assert_eq!(bound.stopped(), Some(Stopped::Large));
        let bound = Bound::new(limits(3));
        let lines = Counted::new(&b"ab\ncd\nef\n"[..], &bound).lines();
        // What was there already when the bound was passed is not taken back.
        assert_eq!(lines.map(|line| line.is_ok()).take(3).collect::<Vec<_>>(), [true, true, false]);
    }

    #[test]
    fn silence_stops_the_look_and_work_does_not() {
        struct Slow;
        impl Read for Slow {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                std::thread::sleep(Duration::from_millis(100));
                Ok(1)
            }
        }
        let bound = Bound::new(limits(10));
        std::thread::sleep(Duration::from_millis(50));
        bound.check();
        assert_eq!(bound.stopped(), None, "nothing was waited for");
        let reading = Arc::clone(&bound);
        let thread = std::thread::spawn(move || Counted::new(Slow, &reading).read(&mut [0]).is_err());
        let end = Instant::now() + Duration::from_secs(10);
        while bound.stopped().is_none() && Instant::now() < end {
            bound.check();
            std::thread::yield_now();
        }
        assert_eq!((bound.stopped(), thread.join().ok()), (Some(Stopped::Silent), Some(true)));
    }
}
