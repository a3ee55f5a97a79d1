//! A real Redis.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{Process, free_port};
use crate::wait::eventually;

/// A running redis-server that keeps every write on disk before it answers; ends with the test.
#[derive(Debug)]
pub struct RedisServer {
    /// Its process, to be frozen or killed.
    pub process: Process,
    arguments: Vec<String>,
    port: u16,
    folder: tempfile::TempDir,
}

impl RedisServer {
    /// A server on a free port of loopback with further `arguments`, such as `["--requirepass", "…"]`.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let port = free_port();
        let server = Self { process: run(port, &arguments, folder.path()), arguments, port, folder };
        server.wait();
        server
    }

    /// Starts it again after a kill, at the same port with the same data.
    pub fn revive(&mut self) {
        self.process = run(self.port, &self.arguments, self.folder.path());
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
        eventually("redis-server", Duration::from_secs(10), || TcpStream::connect(self.address()).ok());
    }
}

fn run(port: u16, arguments: &[String], folder: &Path) -> Process {
    let mut command = Command::new(redis_server());
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]);
    command.args(["--appendonly", "yes", "--appendfsync", "always", "--dir"]).arg(folder).args(arguments);
    Process::start(command, &folder.join("redis-server.log"))
}

/// The redis-server to use: `DUNLIN_REDIS_SERVER`, or the path's.
#[must_use]
pub fn redis_server() -> PathBuf {
    std::env::var_os("DUNLIN_REDIS_SERVER").map_or_else(|| "redis-server".into(), PathBuf::from)
}
