//! What the tests of the Redis store share.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use dunlin_providers::keyvalue::redis::{RedisSettings, RedisState};
use dunlin_providers::keyvalue::{Context, RedisStore};
use dunlin_testkit::RedisServer;
use tokio::time::{Instant, timeout};

/// The longest that anything here should take.
pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) fn within(time: Duration) -> Context {
    Context { deadline: Instant::now() + time, traceparent: None }
}

pub(crate) fn context() -> Context {
    within(LONG)
}

pub(crate) fn settings(address: SocketAddr) -> RedisSettings {
    RedisSettings { url: format!("redis://{address}"), ..RedisSettings::default() }
}

/// A store that is connected.
pub(crate) async fn connect(settings: RedisSettings) -> Arc<RedisStore> {
    let store = Arc::new(RedisStore::new(settings).unwrap());
    let ready = timeout(LONG, store.ready()).await;
    assert!(ready.is_ok(), "no connection: {:?}", store.trouble());
    assert_eq!((store.state(), store.trouble()), (RedisState::Ready, None));
    store
}

/// Says something to a server, as an administrator would.
pub(crate) fn say(server: &RedisServer, words: &[&str]) -> String {
    let mut command = Command::new("redis-cli");
    command.args(["-p", &server.address().port().to_string(), "--no-auth-warning"]).args(words);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
