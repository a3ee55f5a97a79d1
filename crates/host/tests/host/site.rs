//! A few hosts in one process, each on threads of its own, following one directory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use dunlin_host::images::{Code, Images};
use dunlin_host::status::Status;
use dunlin_host::{Engine, EngineConfig, Host, HostConfig, SourceChoice};
use dunlin_lattice::memory::Network;
use dunlin_manifest::HostId;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Compiling is slow; all tests share what was compiled.
fn engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(EngineConfig::default()).unwrap()).clone()
}

/// A guest that `cargo xtask guests` built.
pub fn guest(name: &str) -> PathBuf {
    let folder = std::env::var_os("DUNLIN_GUESTS").map(PathBuf::from).unwrap_or_else(|| {
        let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target")).join("guests")
    });
    let file = folder.join(format!("{name}.wasm"));
    assert!(file.is_file(), "{} is missing: run `cargo xtask guests`", file.display());
    file
}

/// What the hosts of one test share.
pub struct World {
    pub network: Network,
    pub folder: tempfile::TempDir,
    images: Images,
}

impl World {
    /// A lattice with sites `a` and `b`, the given objects, and code for the named components.
    pub fn new(objects: &str, code: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let code: BTreeMap<_, _> =
            code.iter().map(|(name, file)| ((*name).to_owned(), Code::File(guest(file)))).collect();
        let world = Self { network: Network::new(1), folder, images: Images::new(code) };
        std::fs::create_dir(world.manifests()).unwrap();
        world.write(objects);
        world
    }

    pub fn manifests(&self) -> PathBuf {
        self.folder.path().join("manifests")
    }

    /// Replaces all objects but the lattice.
    pub fn write(&self, objects: &str) {
        let lattice = "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: { name: test }\nspec: { sites: { a: {}, b: {} } }\n";
        let objects = objects.replace("---\n", "---\napiVersion: dunlin.dev/v1alpha1\n");
        std::fs::write(self.manifests().join("all.yaml"), format!("{lattice}{objects}")).unwrap();
    }

    pub async fn host(&self, site: &str, name: &str) -> Host {
        self.host_of(site, name, self.manifests().as_path()).await
    }

    /// A host that follows something else than the directory.
    pub async fn host_of(&self, site: &str, name: &str, source: impl Into<SourceChoice>) -> Host {
        let id = HostId::new(site, name);
        let config = HostConfig {
            memory: 1 << 30,
            stand_ins: true,
            first: name.ends_with('1'),
            linger: Duration::from_millis(300),
            ..HostConfig::new(
                id.clone(),
                "test".into(),
                self.folder.path().join(name),
                engine(),
                self.images.clone(),
            )
        };
        Host::start(config, self.network.bus(&id), source).await.unwrap()
    }
}

/// Waits, at most half a minute, until `good` holds of what the host sees.
pub async fn sees(host: &Host, what: &str, good: impl Fn(&Status) -> bool) {
    let begun = Instant::now();
    while !good(&host.status()) {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain for {what}: {:#?}", host.status());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Ready slots of a component in a site.
pub fn ready(status: &Status, component: &str, site: &str) -> u32 {
    let component = status.components.get(component);
    component.and_then(|component| component.sites.get(site)).map_or(0, |count| count.ready)
}

/// One request on a connection of its own.
pub async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let stream = TcpStream::connect(address).await.map_err(|error| words(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| words(&error))?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(|error| words(&error))?;
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| words(&error))?.to_bytes();
    Ok(Response::from_parts(head, body))
}

pub async fn get(address: SocketAddr, path: &str) -> Result<Response<Bytes>, String> {
    let request = Request::get(path).header("host", "test.example").body(Full::default()).unwrap();
    send(address, request).await
}
