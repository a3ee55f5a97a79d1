//! A host in this process, with threads of its own, so that it can be killed like a machine whose power fails.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use dunlin_host::status::Status;
use dunlin_host::{Host, HostConfig, SourceChoice};
use dunlin_lattice::Bus;

/// A running host and the threads that run it.
#[derive(Debug)]
pub(crate) struct ThreadHost {
    host: Box<Host>,
    threads: Threads,
}

/// Threads that end at once when they are dropped; a runtime's own drop would wait, which asynchronous code must not.
#[derive(Debug)]
struct Threads(Option<tokio::runtime::Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(threads) = self.0.take() {
            threads.shutdown_background();
        }
    }
}

impl ThreadHost {
    /// Starts the host; it answers on its ports when this returns.
    ///
    /// # Errors
    /// Ports, state directory or bus are not to be had.
    pub(crate) async fn start(config: HostConfig, bus: Arc<dyn Bus>, source: SourceChoice) -> Result<Self> {
        let name = config.id.to_string();
        let threads = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name(config.id.host.clone())
            .enable_all()
            .build()
            .with_context(|| format!("cannot start threads for {name}"))?;
        let starting = threads.spawn(async move { Host::start(config, bus, source).await });
        let threads = Threads(Some(threads));
        let host = starting.await.context("the host's start was cut off")?;
        let host = host.with_context(|| format!("cannot start host {name}"))?;
        Ok(Self { host: Box::new(host), threads })
    }

    /// Where requests come in.
    pub(crate) fn http(&self) -> SocketAddr {
        self.host.http()
    }

    /// Where status, logs and metrics are.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.host.admin()
    }

    /// Whether whoever spreads the load should send requests here.
    pub(crate) fn is_ready(&self) -> bool {
        self.host.is_ready()
    }

    /// What it sees.
    pub(crate) fn status(&self) -> Status {
        self.host.status()
    }

    /// Requests at its ingress so far, and those that Dunlin had to fail.
    pub(crate) fn requests(&self) -> (u64, u64) {
        self.host.metrics().requests_and_failures()
    }

    /// Ends it without a word to anybody: every task is dropped where it stands, every socket closed.
    pub(crate) fn kill(self) {
        drop(self.threads);
    }

    /// Drains it and ends it.
    pub(crate) async fn stop(self, grace: Duration) {
        let Self { host, threads } = self;
        if let Some(running) = &threads.0 {
            let draining = running.spawn(async move { host.drain(grace).await });
            // A drain that does not end is cut off; so is one that panics.
            let _ = tokio::time::timeout(grace + Duration::from_secs(1), draining).await;
        }
    }
}
