//! A real nats-server.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{Process, free_port};
use crate::wait::eventually;

/// A running nats-server; ends with the test.
#[derive(Debug)]
pub struct NatsServer {
    /// Its process, to be frozen or killed.
    pub process: Process,
    config: PathBuf,
    port: u16,
    folder: tempfile::TempDir,
}

impl NatsServer {
    /// A server that lets everybody do everything.
    #[must_use]
    pub fn open() -> Self {
        Self::start("")
    }

    /// A server with `config` (in its own language, without `port` and `host`) on a free port of loopback.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (port, file) = (free_port(), folder.path().join("server.conf"));
        std::fs::write(&file, format!("host: 127.0.0.1\nport: {port}\n{config}")).unwrap();
        let process = run(&file, folder.path());
        let server = Self { process, config: file, port, folder };
        server.wait();
        server
    }

    /// A server that reads the configuration file `config`, which makes it listen for clients at `port` of loopback.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn with_file(config: &Path, port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Self { process: run(config, folder.path()), config: config.to_owned(), port, folder };
        server.wait();
        server
    }

    /// Starts it again after a kill, at the same port with the same configuration.
    pub fn revive(&mut self) {
        self.process = run(&self.config, self.folder.path());
        self.wait();
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// What it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.printed()
    }

    fn wait(&self) {
        eventually(&format!("nats-server; its log:\n{}", self.log()), Duration::from_secs(10), || {
            TcpStream::connect(self.address()).ok()
        });
    }
}

fn run(config: &Path, folder: &Path) -> Process {
    let mut command = Command::new(nats_server());
    command.arg("--config").arg(config);
    Process::start(command, &folder.join("nats-server.log"))
}

/// The nats-server to use: `DUNLIN_NATS_SERVER`, the one that `cargo xtask` installed, or the path's.
#[must_use]
pub fn nats_server() -> PathBuf {
    if let Some(named) = std::env::var_os("DUNLIN_NATS_SERVER") {
        return named.into();
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"));
    let installed = target.join("tools/bin/nats-server");
    if installed.is_file() { installed } else { "nats-server".into() }
}
