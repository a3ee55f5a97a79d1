//! What one component may use. Every bound has a default, so that nothing is unbounded by omission.

use std::time::Duration;

/// Bounds of one prepared component. Bytes and counts; see each field for what happens beyond it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of one instance, in bytes. Growing beyond it fails in the guest, as when a machine is full.
    pub memory: u64,
    /// Linear memory of all instances of the component together, in bytes. The same happens beyond it.
    pub memory_total: u64,
    /// Elements of all tables of one instance.
    pub table_elements: u64,
    /// Resources, handles and concurrent tasks of one instance, each. One more is a trap.
    pub handles: usize,
    /// Requests at once, and instances at once. One more is answered [`crate::HandleError::Busy`]; nothing queues.
    pub max_concurrency: u32,
    /// Longest request body, in bytes.
    pub request_body: u64,
    /// Header or trailer section that a guest may build or answer with, in bytes.
    pub headers: usize,
    /// How long a response body may stand still, and how long a guest may work on after its answer.
    ///
    /// The head of the answer is due by the deadline of the request. After it, every piece of the body must be made
    /// by the guest and taken by the client within this time of the one before; else the instance is stopped and the
    /// body breaks off visibly. A body that keeps moving may take as long as it likes. An instance of WASI 0.3 that
    /// serves several requests at once is stopped when the last of them would be.
    pub body_idle: Duration,
    /// How long an instance may take to start.
    pub start: Duration,
    /// Log lines a second that are passed on for long; the rest is counted and dropped.
    pub log_rate: u32,
    /// Log lines that are passed on at once after a silence.
    pub log_burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            memory_total: 2 << 30,
            table_elements: 100_000,
            handles: 10_000,
            max_concurrency: 200,
            request_body: 16 << 20,
            headers: 64 << 10,
            body_idle: Duration::from_secs(5),
            start: Duration::from_secs(5),
            log_rate: 500,
            log_burst: 1_000,
        }
    }
}
