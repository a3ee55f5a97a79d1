//! What the suites share: engines, requests, and small guests written by hand.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use dunlin_providers::logging::{LogSink, Record};
use dunlin_runtime::{
    Bindings, BodyError, Engine, EngineConfig, HandleError, Limits, RequestContext, ResponseBody, Workload,
};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tokio::time::Instant;

/// A few instances are enough, and reserve less.
pub fn engine() -> Engine {
    Engine::new(EngineConfig { instances: 100, ..EngineConfig::default() }).unwrap()
}

/// A workload of a guest in text.
pub async fn workload(engine: &Engine, wat: &str, limits: Limits) -> Workload {
    prepare(engine, wat::parse_str(wat).unwrap(), Bindings::default(), limits).await
}

pub async fn prepare(engine: &Engine, wasm: Vec<u8>, bindings: Bindings, limits: Limits) -> Workload {
    let compiled = engine.compile(Bytes::from(wasm)).await.unwrap();
    engine.prepare(&compiled, bindings, limits).unwrap()
}

pub fn within(time: Duration) -> RequestContext {
    RequestContext { deadline: Instant::now() + time, traceparent: None, tracestate: None }
}

pub fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(path).header("host", "test.local").body(Full::default()).unwrap()
}

pub async fn ask(
    workload: &Workload,
    path: &str,
    time: Duration,
) -> Result<Response<ResponseBody>, HandleError> {
    workload.handle(get(path), within(time)).await
}

/// Status and body of an answer that is whole.
pub async fn whole(workload: &Workload, path: &str) -> (StatusCode, String) {
    let response = ask(workload, path, Duration::from_secs(10)).await.unwrap();
    let status = response.status();
    (status, text(response).await.unwrap())
}

pub async fn text(response: Response<ResponseBody>) -> Result<String, BodyError> {
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

/// Waits until `condition` holds, at most ten seconds.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < end, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Keeps what is logged.
#[derive(Default)]
pub struct Log(Mutex<Vec<Record>>);

impl Log {
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|record| record.message.clone()).collect()
    }

    pub fn records(&self) -> Vec<Record> {
        self.0.lock().unwrap().clone()
    }
}

impl LogSink for Log {
    fn log(&self, record: Record) {
        self.0.lock().unwrap().push(record);
    }
}

pub fn log() -> Arc<Log> {
    Arc::new(Log::default())
}

/// A component of WASI 0.2 that serves HTTP. `handle` is the body of its handler in WebAssembly's text form; see
/// `guest.wat` for what it may call.
pub fn guest(handle: &str) -> String {
    include_str!("guest.wat").replace(";; HANDLE", handle)
}

/// A guest that `cargo xtask guests` built.
pub fn built(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("DUNLIN_GUESTS").map_or_else(
        || {
            let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
                || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
                std::path::PathBuf::from,
            );
            target.join("guests")
        },
        std::path::PathBuf::from,
    );
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask guests`", path.display()))
}
