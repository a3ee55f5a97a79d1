//! A Redis for a provider, beside the hosts of one site.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::TcpStream;

use super::child::Process;
use super::free_port;

/// A redis-server that can be ended and started again with its data.
#[derive(Debug)]
pub(crate) struct Redis {
    /// The provider that it is the backend of.
    pub(crate) provider: String,
    /// The site whose hosts open it.
    pub(crate) site: String,
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    /// `None` while it is killed.
    pub(crate) process: Option<Process>,
}

impl Redis {
    /// Starts it with its data in `folder`. With a password, only who knows that is served.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) async fn start(
        program: PathBuf,
        provider: &str,
        site: &str,
        folder: PathBuf,
        password: Option<&str>,
    ) -> Result<Self> {
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let port = free_port()?;
        write_configuration(&folder, port, password)?;
        let (provider, site) = (provider.to_owned(), site.to_owned());
        let mut redis = Self { provider, site, program, folder, port, process: None };
        redis.revive().await?;
        Ok(redis)
    }

    /// Starts it again.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub(crate) async fn revive(&mut self) -> Result<()> {
        let configuration = self.folder.join("redis.conf");
        let mut process = Process::start(&self.program, [configuration], &self.folder.join("redis.log"))?;
        let address = self.address();
        let ready =
            process.wait_until(Duration::from_secs(10), async || TcpStream::connect(address).await.ok());
        ready.await.context("redis-server does not start")?;
        self.process = Some(process);
        Ok(())
    }

    /// Where it answers.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }
}

/// A file instead of arguments, because a password must not show in the list of processes.
fn write_configuration(folder: &Path, port: u16, password: Option<&str>) -> Result<()> {
    let mut text = format!(
        "bind 127.0.0.1\nport {port}\ndir {:?}\nsave \"\"\nappendonly yes\nappendfsync always\n",
        folder.display().to_string()
    );
    if let Some(password) = password {
        text.push_str(&format!("requirepass {password:?}\n"));
    }
    let file = folder.join("redis.conf");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(&file)
        .and_then(|mut opened| std::io::Write::write_all(&mut opened, text.as_bytes()))
        .with_context(|| format!("cannot write {}", file.display()))
}
