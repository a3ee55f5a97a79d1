//! Random operations: all stores answer as a map would, and the one on disk still does when it was reopened.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use dunlin_providers::keyvalue::embedded::Options;
use dunlin_providers::keyvalue::redis::RedisSettings;
use dunlin_providers::keyvalue::{Context, EmbeddedStore, Error, KeyValue, MemoryStore, RedisStore, Swap};
use dunlin_testkit::RedisServer;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::time::Instant;

#[derive(Debug, Clone)]
enum Operation {
    Get(String),
    Set(String, Bytes),
    Delete(String),
    Exists(String),
    List,
    Increment(String, i64),
    Swap(String, Option<Bytes>, Bytes),
    GetMany(Vec<String>),
    SetMany(Vec<(String, Bytes)>),
    DeleteMany(Vec<String>),
    /// Closes the store on disk and opens it again.
    Reopen,
}

/// What an operation answered; errors only by kind.
#[derive(Debug, PartialEq)]
enum Answer {
    Done,
    Value(Option<Bytes>),
    Exists(bool),
    Keys(Vec<String>),
    Sum(i64),
    Swap(Swap),
    Values(Vec<Option<Bytes>>),
    Failed,
}

fn keys() -> impl Strategy<Value = String> {
    // Few, so that operations meet; some that are prefixes of others.
    prop_oneof![8 => "[ab]{0,2}", 1 => "\\PC{0,8}"]
}

fn values() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        4 => any::<i8>().prop_map(|number| Bytes::from(number.to_string())),
        1 => Just(Bytes::from(i64::MAX.to_string())),
        2 => proptest::collection::vec(any::<u8>(), 0..12).prop_map(Bytes::from),
        1 => (0..20_000_usize).prop_map(|length| Bytes::from(vec![7; length])),
    ]
}

fn operations() -> impl Strategy<Value = Vec<(String, Operation)>> {
    let deltas = prop_oneof![8 => -5..5_i64, 1 => any::<i64>()];
    let many = || proptest::collection::vec(keys(), 0..6);
    let operation = prop_oneof![
        4 => keys().prop_map(Operation::Get),
        6 => (keys(), values()).prop_map(|(key, value)| Operation::Set(key, value)),
        3 => keys().prop_map(Operation::Delete),
        2 => keys().prop_map(Operation::Exists),
        3 => Just(Operation::List),
        4 => (keys(), deltas).prop_map(|(key, delta)| Operation::Increment(key, delta)),
        4 => (keys(), proptest::option::of(values()), values()).prop_map(|(k, e, n)| Operation::Swap(k, e, n)),
        2 => many().prop_map(Operation::GetMany),
        2 => proptest::collection::vec((keys(), values()), 0..6).prop_map(Operation::SetMany),
        2 => many().prop_map(Operation::DeleteMany),
        1 => Just(Operation::Reopen),
    ];
    let buckets = prop_oneof![Just("a".to_owned()), Just("ab".to_owned())];
    proptest::collection::vec((buckets, operation), 1..60)
}

/// What a map answers.
fn model(rows: &mut BTreeMap<(String, String), Bytes>, bucket: &str, operation: &Operation) -> Answer {
    let at = |key: &String| (bucket.to_owned(), key.clone());
    match operation {
        Operation::Get(key) => Answer::Value(rows.get(&at(key)).cloned()),
        Operation::Set(key, value) => {
            rows.insert(at(key), value.clone());
            Answer::Done
        }
        Operation::Delete(key) => {
            rows.remove(&at(key));
            Answer::Done
        }
        Operation::Exists(key) => Answer::Exists(rows.contains_key(&at(key))),
        Operation::List => {
            Answer::Keys(rows.keys().filter(|(of, _)| of == bucket).map(|(_, key)| key.clone()).collect())
        }
        Operation::Increment(key, delta) => {
            let number = match rows.get(&at(key)) {
                None => Some(0),
                Some(value) => std::str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.parse().ok().filter(|number: &i64| number.to_string() == text)),
            };
            match number.and_then(|number| number.checked_add(*delta)) {
                Some(sum) => {
                    rows.insert(at(key), sum.to_string().into());
                    Answer::Sum(sum)
                }
                None => Answer::Failed,
            }
        }
        Operation::Swap(key, expected, new) => {
            let current = rows.get(&at(key)).cloned();
            if current != *expected {
                return Answer::Swap(Swap::Changed(current));
            }
            rows.insert(at(key), new.clone());
            Answer::Swap(Swap::Swapped)
        }
        Operation::GetMany(keys) => {
            Answer::Values(keys.iter().map(|key| rows.get(&at(key)).cloned()).collect())
        }
        Operation::SetMany(pairs) => {
            rows.extend(pairs.iter().map(|(key, value)| (at(key), value.clone())));
            Answer::Done
        }
        Operation::DeleteMany(keys) => {
            keys.iter().for_each(|key| drop(rows.remove(&at(key))));
            Answer::Done
        }
        Operation::Reopen => Answer::Done,
    }
}

async fn run(store: &dyn KeyValue, bucket: &str, operation: &Operation) -> Answer {
    let context = Context { deadline: Instant::now() + Duration::from_secs(30), traceparent: None };
    let context = &context;
    let answer = match operation {
        Operation::Get(key) => store.get(context, bucket, key).await.map(Answer::Value),
        Operation::Set(key, value) => {
            store.set(context, bucket, key, value.clone()).await.map(|()| Answer::Done)
        }
        Operation::Delete(key) => store.delete(context, bucket, key).await.map(|()| Answer::Done),
        Operation::Exists(key) => store.exists(context, bucket, key).await.map(Answer::Exists),
        Operation::List => store.list_keys(context, bucket, None).await.map(|page| Answer::Keys(page.keys)),
        Operation::Increment(key, delta) => {
            store.increment(context, bucket, key, *delta).await.map(Answer::Sum)
        }
        Operation::Swap(key, expected, new) => {
            let swap = store.compare_and_swap(context, bucket, key, expected.as_ref(), new.clone());
            swap.await.map(Answer::Swap)
        }
        Operation::GetMany(keys) => store.get_many(context, bucket, keys).await.map(Answer::Values),
        Operation::SetMany(pairs) => store.set_many(context, bucket, pairs).await.map(|()| Answer::Done),
        Operation::DeleteMany(keys) => store.delete_many(context, bucket, keys).await.map(|()| Answer::Done),
        Operation::Reopen => Ok(Answer::Done),
    };
    answer.unwrap_or_else(|error| match error {
        Error::Other(_) => Answer::Failed,
        other => panic!("{other}"),
    })
}

#[test]
fn stores_answer_as_a_map_would() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = RedisServer::start(&[]);
    let settings = RedisSettings { url: format!("redis://{}", server.address()), ..RedisSettings::default() };
    let redis = runtime.block_on(async {
        let store = RedisStore::new(settings).unwrap();
        store.ready().await;
        store
    });
    let case = Cell::new(0);
    let mut runner = TestRunner::new(Config { cases: 32, failure_persistence: None, ..Config::default() });
    let check = |operations: Vec<(String, Operation)>| {
        runtime.block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("store");
            let open = || EmbeddedStore::open(&path, Options::default());
            let (memory, mut disk) = (MemoryStore::default(), open().await.unwrap());
            let mut rows = BTreeMap::new();
            // One server for all: each case has buckets of its own.
            case.set(case.get() + 1);
            for (bucket, operation) in &operations {
                if matches!(operation, Operation::Reopen) {
                    disk.close().await;
                    disk = open().await.unwrap();
                }
                let expected = model(&mut rows, bucket, operation);
                prop_assert_eq!(&run(&memory, bucket, operation).await, &expected, "memory: {:?}", operation);
                prop_assert_eq!(&run(&disk, bucket, operation).await, &expected, "disk: {:?}", operation);
                let bucket = format!("{bucket}:{}", case.get());
                prop_assert_eq!(&run(&redis, &bucket, operation).await, &expected, "redis: {:?}", operation);
            }
            disk.close().await;
            disk = open().await.unwrap();
            for ((bucket, key), value) in rows {
                let found = run(&disk, &bucket, &Operation::Get(key)).await;
                prop_assert_eq!(found, Answer::Value(Some(value)));
            }
            Ok(())
        })
    };
    runner.run(&operations(), check).unwrap();
}
