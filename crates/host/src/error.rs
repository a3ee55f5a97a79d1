//! Why a host did not start.

use std::net::SocketAddr;

/// Each with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// An address cannot be listened on.
    #[error(
        "cannot listen on {address} for {purpose}: {error}; choose another address, or port 0 for a free one"
    )]
    Address {
        /// The address.
        address: SocketAddr,
        /// What it is for.
        purpose: &'static str,
        /// In the words of the operating system.
        error: std::io::Error,
    },
    /// A listener broke right after it was made.
    #[error("a listener broke: {0}")]
    Listener(std::io::Error),
    /// The bus cannot be used.
    #[error("the bus cannot be used: {0}")]
    Bus(#[from] dunlin_lattice::BusError),
    /// The lattice's name cannot be part of a subject.
    #[error("{0:?} cannot name a lattice: use a-z, 0-9 and - (a DNS label)")]
    LatticeName(String),
    /// The agent's settings are wrong.
    #[error(transparent)]
    Agent(#[from] dunlin_agent::AgentError),
    /// The source cannot be read at all.
    #[error(transparent)]
    Source(#[from] dunlin_source::SourceError),
    /// The metrics contradict each other.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}
