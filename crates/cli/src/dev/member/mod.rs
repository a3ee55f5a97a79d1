//! One host of `dunlin dev`: threads of this process, or with `--real` a process of its own.

mod process;
mod thread;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dunlin_host::status::Status;

pub(crate) use self::process::{ProcessHost, Settings};
pub(crate) use self::thread::ThreadHost;

/// A running host.
#[derive(Debug)]
pub(crate) enum Member {
    Thread(Box<ThreadHost>),
    Process(ProcessHost),
}

impl Member {
    /// Where requests come in.
    pub(crate) fn http(&self) -> SocketAddr {
        match self {
            Self::Thread(host) => host.http(),
            Self::Process(host) => host.http(),
        }
    }

    /// Where status, logs and metrics are.
    pub(crate) fn admin(&self) -> SocketAddr {
        match self {
            Self::Thread(host) => host.admin(),
            Self::Process(host) => host.admin(),
        }
    }

    /// What it sees; of a process, what it said last, if that is not long ago.
    pub(crate) fn status(&self) -> Option<Arc<Status>> {
        match self {
            Self::Thread(host) => Some(Arc::new(host.status())),
            Self::Process(host) => host.status(),
        }
    }

    /// Whether whoever spreads the load should send requests here.
    pub(crate) fn is_ready(&self) -> bool {
        match self {
            Self::Thread(host) => host.is_ready(),
            Self::Process(host) => host.status().is_some_and(|status| status.own.ready),
        }
    }

    /// Requests at its ingress so far, and those that Dunlin had to fail.
    pub(crate) fn requests(&self) -> (u64, u64) {
        match self {
            Self::Thread(host) => host.requests(),
            Self::Process(host) => host.requests(),
        }
    }

    /// Ends it without a word to anybody.
    pub(crate) fn kill(self) {
        match self {
            Self::Thread(host) => host.kill(),
            Self::Process(host) => host.kill(),
        }
    }

    /// Drains it and ends it.
    pub(crate) async fn stop(self, grace: Duration) {
        match self {
            Self::Thread(host) => host.stop(grace).await,
            Self::Process(host) => host.stop(grace).await,
        }
    }

    /// Whether it ended without being told to.
    pub(crate) fn ended(&mut self) -> bool {
        match self {
            Self::Thread(_) => false,
            Self::Process(host) => host.ended(),
        }
    }

    /// The process that it is, if it is one of its own.
    pub(crate) fn process(&self) -> Option<&ProcessHost> {
        match self {
            Self::Thread(_) => None,
            Self::Process(host) => Some(host),
        }
    }
}
