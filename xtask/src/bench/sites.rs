//! Two sites on real servers with a guest that asks a store, and what else may talk over the same servers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::servers::wait;
use crate::shell::run;

/// A running `dunlin dev --real`; ends when dropped.
pub(crate) struct Sites {
    child: Child,
    announced: Value,
    folder: tempfile::TempDir,
}

impl Drop for Sites {
    fn drop(&mut self) {
        // It ends what it started when it is gone, however that happens.
        let _ = (self.child.kill(), self.child.wait());
    }
}

/// The store is in memory, so that it costs nothing itself; the guest runs on every host.
const MANIFESTS: &str = "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: { name: bench }\nspec: { sites: { gcp: {}, aws: {} } }\n---\n\
    apiVersion: dunlin.dev/v1alpha1\nkind: WasmProvider\nmetadata: { name: memory }\nspec:\n  keyvalue: { memory: {} }\n  \
    sites: { gcp: { host: gcp-1 } }\n---\n\
    apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: { name: calls }\nspec:\n  image: example.com/calls:1\n  \
    sites: { gcp: {}, aws: {} }\n  http: { path: / }\n  timeouts: { request: 5m }\n  \
    links:\n    store: { import: \"wasi:keyvalue\", provider: { name: memory }, timeout: 10s }\n";

/// In both sites together.
const HOSTS: usize = 6;

/// Hosts whose names others use in this measurement.
const UNUSED: [&str; 3] = ["gcp/gcp-3", "aws/aws-2", "aws/aws-3"];

impl Sites {
    /// Starts it and waits until every host's guest answers.
    ///
    /// # Errors
    /// Something does not start in time.
    pub(crate) fn start(program: &Path, nats: &Path, wasm: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let manifests = folder.path().join("manifests");
        std::fs::create_dir(&manifests)?;
        std::fs::write(manifests.join("all.yaml"), MANIFESTS)?;
        let mut command = Command::new(program);
        command.arg("dev").arg(&manifests).args(["--real", "--port", "0", "--hosts", "3", "--data"]);
        command.arg(folder.path().join("data")).arg("--wasm").arg(format!("calls={}", wasm.display()));
        command.env("XDG_RUNTIME_DIR", folder.path()).env("DUNLIN_NATS_SERVER", nats);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().context("cannot start dunlin dev")?;
        let file = folder.path().join("dunlin").join(format!("dev-{}.json", child.id()));
        let mut sites = Self { child, announced: Value::Null, folder };
        sites.announced = wait("dunlin dev --real", || {
            let announced: Value = serde_json::from_str(&std::fs::read_to_string(&file).ok()?).ok()?;
            // It is written before the hosts are started, and again after.
            (announced["hosts"].as_array()?.len() == HOSTS).then_some(announced)
        })?;
        for unused in UNUSED {
            let mut kill = Command::new(program);
            run(kill
                .args(["kill", unused])
                .env("XDG_RUNTIME_DIR", sites.folder.path())
                .stdout(Stdio::null()))?;
        }
        for host in ["gcp-2", "aws-1"] {
            let address = sites.address(host)?;
            wait(host, || ask(address, "/set?key=ready&bytes=1").ok())?;
            wait(host, || ask(address, "/get?key=ready&times=100").ok())?;
        }
        Ok(sites)
    }

    /// Where a host answers, past the site's balancer.
    ///
    /// # Errors
    /// There is no such host.
    pub(crate) fn address(&self, host: &str) -> Result<SocketAddr> {
        let hosts = self.announced["hosts"].as_array().into_iter().flatten();
        let found = hosts.into_iter().find(|entry| entry[0]["host"] == host);
        let address = found.and_then(|entry| entry[2].as_str()?.parse().ok());
        address.with_context(|| format!("dunlin dev says nothing of {host}"))
    }

    /// What connects to the NATS server of `site` as `host`: server, authority, credentials.
    ///
    /// # Errors
    /// There is no such site.
    pub(crate) fn identity(&self, site: &str, host: &str) -> Result<[String; 3]> {
        let viewers = self.announced["viewers"].as_array().into_iter().flatten();
        let viewer = viewers.into_iter().find(|entry| entry[0] == site).map(|entry| &entry[1]);
        let text = |field: &str| viewer.and_then(|viewer| viewer[field].as_str()).map(str::to_owned);
        let (server, authority) =
            text("server").zip(text("authority")).with_context(|| format!("no {site}"))?;
        let hosts = self.folder.path().join("data/credentials/hosts");
        let credentials = hosts.join(site).join(format!("{host}.creds"));
        Ok([server, authority, credentials.display().to_string()])
    }
}

/// One GET; its answer is JSON.
///
/// # Errors
/// It is not answered 200 within a minute.
pub(crate) fn ask(address: SocketAddr, path: &str) -> Result<Value> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    match text.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(serde_json::from_str(body)?),
        _ => bail!("{path}: {text}"),
    }
}
