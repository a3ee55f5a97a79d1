//! Two sites on real servers with a guest that asks a store, and what else may talk over the same servers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::dev::Dev;
use super::servers::wait;

/// Sites that run; they end when dropped.
pub(crate) struct Sites {
    dev: Dev,
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
        let (manifests, wasm) = (manifests.display().to_string(), format!("calls={}", wasm.display()));
        let arguments = [manifests.as_str(), "--hosts", "3", "--wasm", &wasm];
        let sites = Self {
            dev: Dev::start(program, &[("DUNLIN_NATS_SERVER", nats.to_owned())], folder, &arguments, HOSTS)?,
        };
        for unused in UNUSED {
            sites.dev.dunlin(sites.dev.folder.path(), &["kill", unused])?;
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
        self.dev.address(host)
    }

    /// What connects to the NATS server of `site` as `host`: server, authority, credentials.
    ///
    /// # Errors
    /// There is no such site.
    pub(crate) fn identity(&self, site: &str, host: &str) -> Result<[String; 3]> {
        let viewers = self.dev.announced("viewers").as_array().into_iter().flatten();
        let viewer = viewers.into_iter().find(|entry| entry[0] == site).map(|entry| &entry[1]);
        let text = |field: &str| viewer.and_then(|viewer| viewer[field].as_str()).map(str::to_owned);
        let (server, authority) =
            text("server").zip(text("authority")).with_context(|| format!("no {site}"))?;
        let hosts = self.dev.folder.path().join("data/credentials/hosts");
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
