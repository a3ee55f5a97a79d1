//! Listing out of SCAN: every key that stays exactly once, in a database that others use and that grows meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use dunlin_providers::keyvalue::limits::{KEY_BYTES, VALUE_BYTES};
use dunlin_providers::keyvalue::{Error, KeyValue, RedisStore};
use dunlin_testkit::RedisServer;
use tokio::sync::watch;

use crate::common::{connect, context, say, settings};

async fn fill(store: &RedisStore, bucket: &str, keys: impl Iterator<Item = String>) {
    let pairs: Vec<(String, Bytes)> = keys.map(|key| (key, Bytes::from_static(b"v"))).collect();
    for pairs in pairs.chunks(1000) {
        store.set_many(&context(), bucket, pairs).await.unwrap();
    }
}

async fn list(store: &RedisStore, bucket: &str) -> BTreeMap<String, usize> {
    let (mut seen, mut cursor) = (BTreeMap::new(), None);
    loop {
        let page = store.list_keys(&context(), bucket, cursor.as_deref()).await.unwrap();
        assert!(page.keys.is_sorted());
        page.keys.into_iter().for_each(|key| *seen.entry(key).or_default() += 1);
        cursor = page.cursor;
        if cursor.is_none() {
            return seen;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stays_is_listed_once_while_tables_grow_and_shrink() {
    let server = RedisServer::start(&["--appendfsync", "no"]);
    let store = connect(settings(server.address())).await;
    fill(&store, "stay", (0..5000).map(|number| format!("{number:05}"))).await;
    let stop = watch::Sender::new(false);
    let (writing, stopped) = (Arc::clone(&store), stop.subscribe());
    // Doubles the table and lets it shrink again, over and over, in this bucket and in another one.
    let writer = tokio::spawn(async move {
        let mut rounds = 0;
        while !*stopped.borrow() {
            for bucket in ["stay", "other"] {
                let keys: Vec<String> = (0..8000).map(|number| format!("{number:05} {rounds}")).collect();
                fill(&writing, bucket, keys.iter().cloned()).await;
                for keys in keys.chunks(1000) {
                    writing.delete_many(&context(), bucket, keys).await.unwrap();
                }
            }
            rounds += 1;
        }
        rounds
    });
    for _ in 0..8 {
        let seen = list(&store, "stay").await;
        for number in 0..5000 {
            assert_eq!(seen.get(&format!("{number:05}")), Some(&1), "{number}");
        }
        assert!(seen.values().all(|times| *times == 1));
    }
    stop.send_replace(true);
    assert!(writer.await.unwrap() > 0);
}

#[tokio::test]
async fn what_others_keep_in_the_same_redis_can_be_used_and_does_no_harm() {
    let server = RedisServer::start(&[]);
    let store = connect(settings(server.address())).await;
    let set = |name: &str, value: &str| say(&server, &["SET", name, value]);
    set("todo:1", "milk");
    set("todo", "no bucket");
    set("todos:1", "another bucket");
    set("odd*?[a]:1", "pattern");
    set("oddly:1", "no match");
    set("a%3Ab:1", "escaped");
    set(&format!("todo:{}", "k".repeat(KEY_BYTES + 1)), "too long to be asked for");
    say(&server, &["EVAL", r"redis.call('SET', 'todo:\255\254', 'no text')", "0"]);
    say(&server, &["RPUSH", "todo:list", "x"]);

    let keys = async |bucket: &str| list(&store, bucket).await.into_keys().collect::<Vec<_>>();
    assert_eq!(keys("todo").await, ["1", "list"]);
    assert_eq!(keys("odd*?[a]").await, ["1"]);
    assert_eq!(keys("a:b").await, ["1"]);
    assert_eq!(store.get(&context(), "todo", "1").await, Ok(Some("milk".into())));
    assert_eq!(store.get(&context(), "a:b", "1").await, Ok(Some("escaped".into())));

    let many = ["1".to_owned(), "list".to_owned()];
    let kinds = [
        store.get(&context(), "todo", "list").await.map(drop),
        store.get_many(&context(), "todo", &many).await.map(drop),
        store.increment(&context(), "todo", "list", 1).await.map(drop),
        store.compare_and_swap(&context(), "todo", "list", None, "v".into()).await.map(drop),
    ];
    for kind in kinds {
        assert!(matches!(&kind, Err(Error::Other(reason)) if reason.contains("no string")), "{kind:?}");
    }
    assert_eq!(say(&server, &["LLEN", "todo:list"]), "1");
    store.set(&context(), "todo", "list", "v".into()).await.unwrap();
    assert_eq!(say(&server, &["GET", "todo:list"]), "v");
}

#[tokio::test]
async fn a_value_of_another_program_that_is_too_long_is_an_error_and_not_held() {
    let server = RedisServer::start(&[]);
    let store = connect(settings(server.address())).await;
    say(&server, &["SETRANGE", "b:long", &VALUE_BYTES.to_string(), "x"]);
    let many = ["long".to_owned()];
    let results = [
        store.get(&context(), "b", "long").await.map(drop),
        store.get_many(&context(), "b", &many).await.map(drop),
        store.compare_and_swap(&context(), "b", "long", None, "v".into()).await.map(drop),
    ];
    for result in results {
        let expected = format!("too long: {} bytes", VALUE_BYTES + 1);
        assert!(matches!(&result, Err(Error::Other(reason)) if reason.contains(&expected)), "{result:?}");
    }
    // The connection is none the worse for it.
    assert_eq!(store.exists(&context(), "b", "long").await, Ok(true));
}
