//! A nats-server of `dunlin dev --real`: the hub or a site's leaf.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::TcpStream;

use super::child::Process;

/// A nats-server that can be ended and started again.
#[derive(Debug)]
pub(crate) struct Server {
    program: PathBuf,
    configuration: PathBuf,
    log: PathBuf,
    port: u16,
    /// `None` while it is killed.
    pub(crate) process: Option<Process>,
}

impl Server {
    /// Starts it with a configuration that makes it listen for clients at `port` of loopback.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) async fn start(
        program: PathBuf,
        configuration: PathBuf,
        log: PathBuf,
        port: u16,
    ) -> Result<Self> {
        let mut server = Self { program, configuration, log, port, process: None };
        server.revive().await?;
        Ok(server)
    }

    /// Starts it again.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) async fn revive(&mut self) -> Result<()> {
        let arguments = ["--config".as_ref(), self.configuration.as_os_str()];
        let mut process = Process::start(&self.program, arguments, &self.log)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let ready =
            process.wait_until(Duration::from_secs(10), async || TcpStream::connect(address).await.ok());
        ready.await.context("nats-server does not start")?;
        self.process = Some(process);
        Ok(())
    }

    /// Where clients connect.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}
