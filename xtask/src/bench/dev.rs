//! A `dunlin dev --real` to measure, and what it says of itself.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use super::servers::wait;
use crate::shell::run;

/// A running `dunlin dev --real`; ends when dropped.
pub(crate) struct Dev {
    child: Child,
    program: PathBuf,
    announced: Value,
    /// Where it keeps everything.
    pub(crate) folder: tempfile::TempDir,
}

impl Drop for Dev {
    fn drop(&mut self) {
        // It ends what it started when it is gone, however that happens.
        let _ = (self.child.kill(), self.child.wait());
    }
}

impl Dev {
    /// Starts it in `folder` on these servers (the variable that names each, and its program), and waits until as many
    /// hosts run as there are to be.
    ///
    /// # Errors
    /// Something does not start in time.
    pub(crate) fn start(
        program: &Path,
        servers: &[(&str, PathBuf)],
        folder: tempfile::TempDir,
        arguments: &[&str],
        hosts: usize,
    ) -> Result<Self> {
        let mut command = Command::new(program);
        command
            .args(["dev", "--real", "--port", "0", "--data"])
            .arg(folder.path().join("data"))
            .args(arguments);
        command.env("XDG_RUNTIME_DIR", folder.path());
        command.envs(servers.iter().map(|(variable, program)| (variable, program)));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().context("cannot start dunlin dev")?;
        let mut dev = Self { child, program: program.to_owned(), announced: Value::Null, folder };
        dev.read(hosts)?;
        Ok(dev)
    }

    /// Reads again what it says of itself, once it says that so many hosts run: addresses change with every start.
    ///
    /// # Errors
    /// They do not run within a minute.
    pub(crate) fn read(&mut self, hosts: usize) -> Result<()> {
        let file = self.folder.path().join("dunlin").join(format!("dev-{}.json", self.child.id()));
        self.announced = wait("dunlin dev --real", || {
            let announced: Value = serde_json::from_str(&std::fs::read_to_string(&file).ok()?).ok()?;
            // It is written before the hosts are started, and again after.
            (announced["hosts"].as_array()?.len() == hosts).then_some(announced)
        })?;
        Ok(())
    }

    /// Runs another command of `dunlin` against it, in `folder`.
    ///
    /// # Errors
    /// It fails.
    pub(crate) fn dunlin(&self, folder: &Path, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(folder).env("XDG_RUNTIME_DIR", self.folder.path());
        run(command.stdout(Stdio::null()).stderr(Stdio::null()))
    }

    /// What it says of itself under `name`.
    pub(crate) fn announced(&self, name: &str) -> &Value {
        &self.announced[name]
    }

    /// Where a host answers, past the site's balancer.
    ///
    /// # Errors
    /// There is no such host.
    pub(crate) fn address(&self, host: &str) -> Result<SocketAddr> {
        self.of_host(host, 2)
    }

    /// Where a host's admin port is.
    ///
    /// # Errors
    /// There is no such host.
    pub(crate) fn admin(&self, host: &str) -> Result<SocketAddr> {
        self.of_host(host, 1)
    }

    /// Where a site answers.
    ///
    /// # Errors
    /// There is no such site.
    pub(crate) fn site(&self, name: &str) -> Result<SocketAddr> {
        let sites = self.announced["sites"].as_array().into_iter().flatten();
        let found = sites.into_iter().find(|entry| entry[0] == name);
        let address = found.and_then(|entry| entry[1].as_str()?.parse().ok());
        address.with_context(|| format!("dunlin dev says nothing of {name}"))
    }

    fn of_host(&self, host: &str, which: usize) -> Result<SocketAddr> {
        let hosts = self.announced["hosts"].as_array().into_iter().flatten();
        let found = hosts.into_iter().find(|entry| entry[0]["host"] == host);
        let address = found.and_then(|entry| entry[which].as_str()?.parse().ok());
        address.with_context(|| format!("dunlin dev says nothing of {host}"))
    }
}
