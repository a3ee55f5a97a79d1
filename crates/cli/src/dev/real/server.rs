//! A server of `dunlin dev --real`: the hub, a site's leaf, or a provider's Redis.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::TcpStream;

use super::child::Process;

/// A server that can be ended and started again.
#[derive(Debug)]
pub(crate) struct Server {
    program: PathBuf,
    arguments: Vec<OsString>,
    log: PathBuf,
    port: u16,
    /// `None` while it is killed.
    pub(crate) process: Option<Process>,
}

impl Server {
    /// Starts it with arguments that make it listen for clients at `port` of loopback.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) async fn start(
        program: PathBuf,
        arguments: Vec<OsString>,
        log: PathBuf,
        port: u16,
    ) -> Result<Self> {
        let mut server = Self { program, arguments, log, port, process: None };
        server.revive().await?;
        Ok(server)
    }

    /// Starts it again.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) async fn revive(&mut self) -> Result<()> {
        let mut process = Process::start(&self.program, &self.arguments, &self.log)?;
        let address = self.address();
        let ready =
            process.wait_until(Duration::from_secs(10), async || TcpStream::connect(address).await.ok());
        let name = self.program.file_name().unwrap_or_default().to_string_lossy();
        ready.await.with_context(|| format!("{name} does not start"))?;
        self.process = Some(process);
        Ok(())
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }
}
