//! The servers that are measured: started on free ports, ended when dropped.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::shell::{cargo, run, say, target};

/// A server's process; dropping it ends it.
pub(crate) struct Server {
    child: Child,
    /// Where it answers.
    pub(crate) address: SocketAddr,
    /// Removed with the server.
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

impl Server {
    /// Resident memory in MiB, where the system tells.
    pub(crate) fn resident(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
    }
}

/// `dunlin dev` with one site and one host; the host's own port, past the site's balancer.
///
/// # Errors
/// It does not start or the component is not ready in time.
pub(crate) fn dunlin(program: &Path, wasm: &Path) -> Result<Server> {
    let folder = tempfile::tempdir()?;
    let manifests = folder.path().join("manifests");
    std::fs::create_dir(&manifests)?;
    std::fs::write(manifests.join("hello.yaml"), HELLO)?;
    let mut command = Command::new(program);
    command.arg("dev").arg(&manifests).args(["--port", "0", "--hosts", "1", "--wasm"]);
    command.arg(format!("hello={}", wasm.display())).env("XDG_RUNTIME_DIR", folder.path());
    let child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().context("cannot start dunlin dev")?;
    let announced = folder.path().join("dunlin").join(format!("dev-{}.json", child.id()));
    let mut server = Server { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), _folder: folder };
    let address = wait("dunlin dev", || {
        let text = std::fs::read_to_string(&announced).ok()?;
        let running: serde_json::Value = serde_json::from_str(&text).ok()?;
        running.get("hosts")?.get(0)?.get(2)?.as_str()?.parse().ok()
    })?;
    server.address = address;
    wait("hello on dunlin", || answers(address))?;
    Ok(server)
}

const HELLO: &str = "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: { name: bench }\nspec: { sites: { a: {} } }\n---\n\
    apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: { name: hello }\nspec:\n  image: example.com/hello:1\n  sites: { a: {} }\n  \
    http: { path: / }\n  maxConcurrency: 1000\n";

/// `wasmtime serve` with the same component.
///
/// # Errors
/// It does not start or answer in time.
pub(crate) fn wasmtime(program: &Path, wasm: &Path) -> Result<Server> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut command = Command::new(program);
    command.args(["serve", "-S", "cli", "--addr", &address.to_string()]).arg(wasm);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let server = Server { child, address, _folder: tempfile::tempdir()? };
    wait("wasmtime serve", || answers(address))?;
    Ok(server)
}

/// The `wasmtime` command of the line that Dunlin uses, built once into the target directory.
///
/// # Errors
/// It cannot be built.
pub(crate) fn wasmtime_program() -> Result<std::path::PathBuf> {
    let root = target().join("tools");
    let program = root.join("bin/wasmtime");
    if !program.is_file() {
        say("building wasmtime 48 to compare with; this takes some minutes, once");
        let mut install = cargo();
        install.args(["install", "--locked", "--quiet", "wasmtime-cli@48", "--root"]).arg(&root);
        install.args([
            "--no-default-features",
            "--features",
            "run,serve,wasi-http,component-model,component-model-async,cranelift,compile,backtrace,logging,pooling-allocator,parallel-compilation",
        ]);
        run(install.env("CARGO_TARGET_DIR", root.join("target")))?;
    }
    Ok(program)
}

fn answers(address: SocketAddr) -> Option<()> {
    use std::io::{Read, Write};
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.starts_with("HTTP/1.1 200").then_some(())
}

/// Waits until `ready` gives something.
///
/// # Errors
/// It does not within a minute.
pub(super) fn wait<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> Result<T> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        if let Some(value) = ready() {
            return Ok(value);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("{what} did not answer within a minute")
}
