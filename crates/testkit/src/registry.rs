//! A real registry of images.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{Process, free_port};
use crate::wait::eventually;

/// A running registry with nothing in it; ends with the test.
#[derive(Debug)]
pub struct Registry {
    /// Its process, to be frozen or killed.
    pub process: Process,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Registry {
    /// A registry that everybody may read and write.
    #[must_use]
    pub fn open() -> Self {
        Self::start(None)
    }

    /// A registry for those that `users` names: the text of an `htpasswd` file with bcrypt.
    #[must_use]
    pub fn with_users(users: &str) -> Self {
        Self::start(Some(users))
    }

    fn start(users: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (port, file) = (free_port(), folder.path().join("registry.yaml"));
        let mut config =
            format!("version: 0.1\nstorage: {{ inmemory: {{}} }}\nhttp: {{ addr: \"127.0.0.1:{port}\" }}\n");
        if let Some(users) = users {
            let path = folder.path().join("users");
            std::fs::write(&path, users).unwrap();
            config.push_str(&format!("auth: {{ htpasswd: {{ realm: test, path: {} }} }}\n", path.display()));
        }
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(registry_server());
        command.arg("serve").arg(&file);
        let process = Process::start(command, &folder.path().join("registry.log"));
        let registry = Self { process, port, _folder: folder };
        eventually("a registry", Duration::from_secs(10), || TcpStream::connect(registry.address()).ok());
        registry
    }

    /// Where it answers, without TLS.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }
}

/// The registry to use: `DUNLIN_REGISTRY_SERVER`, the one that `cargo xtask` installed, or the path's.
#[must_use]
pub fn registry_server() -> PathBuf {
    if let Some(named) = std::env::var_os("DUNLIN_REGISTRY_SERVER") {
        return named.into();
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"));
    let installed = target.join("tools/bin/registry");
    if installed.is_file() { installed } else { "docker-registry".into() }
}
