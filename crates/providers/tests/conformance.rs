//! The local stores pass the suite that every store passes.
#![allow(missing_docs)]

use std::sync::Arc;

use dunlin_providers::keyvalue::embedded::Options;
use dunlin_providers::keyvalue::{EmbeddedStore, KeyValue, MemoryStore, conformance};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory() {
    conformance::run(async || Arc::new(MemoryStore::default()) as Arc<dyn KeyValue>).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = Arc::new(EmbeddedStore::open(&path, Options::default()).await.unwrap());
    conformance::run(async || Arc::clone(&store) as Arc<dyn KeyValue>).await.unwrap();
}
