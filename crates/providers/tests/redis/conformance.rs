//! The suite that every store passes: in the clear, with a password, over TLS, and from far away.

use std::sync::Arc;
use std::time::Duration;

use dunlin_providers::keyvalue::redis::RedisSettings;
use dunlin_providers::keyvalue::{KeyValue, conformance};
use dunlin_testkit::{Proxy, RedisServer};

use crate::common::{connect, settings};

async fn passes(settings: RedisSettings) {
    let store = connect(settings).await;
    assert_eq!(store.notice(), None);
    conformance::run(async || Arc::clone(&store) as Arc<dyn KeyValue>).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_clear() {
    let server = RedisServer::start(&[]);
    passes(settings(server.address())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_password() {
    let server = RedisServer::start(&["--requirepass", "hunter2"]);
    passes(RedisSettings { password: Some("hunter2".into()), ..settings(server.address()) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_another_database_from_far_away() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::start(server.address(), Duration::from_millis(20)).await;
    let url = format!("redis://{}/3", proxy.address());
    passes(RedisSettings { url, ..RedisSettings::default() }).await;
}
