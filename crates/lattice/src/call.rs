//! Calls between hosts: one request and its one answer, with a deadline, tried again only where that is safe.
//!
//! [`CallClient`] sends them over one or more connections; [`CallServer`] receives them for a host and hands them
//! to a [`Serve`]. Both keep what the design says of calls: the deadline is in the receiver's clock and is checked
//! before execution, a call id is executed once, and an outcome nobody knows is reported as not known.

mod attempt;
mod client;
mod dedup;
mod error;
mod execution;
pub(crate) mod frames;
mod line;
mod pending;
mod report;
mod serve;
mod server;
mod settings;
mod spans;
#[cfg(test)]
mod tests;

pub use client::{CallClient, Candidate, Reply, Request};
pub use error::{CallError, Unanswered};
pub use report::{CallCounters, Ending, Report};
pub use serve::{Answer, Incoming, Refusal, Serve};
pub use server::CallServer;
pub use settings::CallSettings;
