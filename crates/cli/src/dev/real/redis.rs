//! A Redis for a provider, beside the hosts of the sites that open it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::free_port;
use super::server::Server;

/// A redis-server that can be ended and started again with its data.
#[derive(Debug)]
pub(crate) struct Redis {
    /// The provider that it is the backend of.
    pub(crate) provider: String,
    /// The sites whose hosts open it.
    pub(crate) sites: Vec<String>,
    pub(crate) server: Server,
}

impl Redis {
    /// Starts it with its data in `folder`. With a password, only who knows that is served.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) async fn start(
        program: PathBuf,
        provider: &str,
        sites: Vec<String>,
        folder: PathBuf,
        password: Option<&str>,
    ) -> Result<Self> {
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let port = free_port()?;
        let configuration = write_configuration(&folder, port, password)?;
        let server =
            Server::start(program, vec![configuration.into()], folder.join("redis.log"), port).await?;
        Ok(Self { provider: provider.to_owned(), sites, server })
    }
}

/// A file instead of arguments, because a password must not show in the list of processes.
fn write_configuration(folder: &Path, port: u16, password: Option<&str>) -> Result<PathBuf> {
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
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}
