//! Opens a store file, writes, reads: `cargo run -p dunlin-providers --example store -- /tmp/example.store`.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::Duration;

use dunlin_providers::keyvalue::embedded::Options;
use dunlin_providers::keyvalue::{Context, EmbeddedStore, KeyValue};
use tokio::time::Instant;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: store FILE")?;
    let store = EmbeddedStore::open(path, Options::default()).await?;
    let context = Context { deadline: Instant::now() + Duration::from_secs(2), traceparent: None };
    store.set(&context, "greetings", "en", "hello".into()).await?;
    let value = store.get(&context, "greetings", "en").await?;
    let runs = store.increment(&context, "counters", "runs", 1).await?;
    println!("{value:?}, run {runs}");
    store.close().await;
    Ok(())
}
