//! A store file that is not sound is refused with its own message, and left as it is.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use dunlin_providers::keyvalue::embedded::{OpenError, Options};
use dunlin_providers::keyvalue::{Context, EmbeddedStore, KeyValue};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::time::Instant;

const KEYS: usize = 300;

fn context() -> Context {
    Context { deadline: Instant::now() + Duration::from_secs(30), traceparent: None }
}

async fn open(path: &Path) -> Result<EmbeddedStore, OpenError> {
    EmbeddedStore::open(path, Options { lock_wait: Duration::ZERO, ..Options::default() }).await
}

/// A store file with a few hundred keys, closed properly or as a crash leaves it.
async fn sound(clean: bool) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = open(&path).await.unwrap();
    for number in 0..KEYS {
        let value = vec![number as u8; number * 7];
        store.set(&context(), "b", &format!("{number:03}"), value.into()).await.unwrap();
    }
    if clean {
        store.close().await;
    }
    fs::read(&path).unwrap()
}

/// Opens a file of this content; if that is refused, the file must not have changed.
async fn try_open(content: &[u8]) -> Result<EmbeddedStore, OpenError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    fs::write(&path, content).unwrap();
    let result = open(&path).await;
    if let Err(error) = &result {
        assert!(fs::read(&path).unwrap() == content, "the file was altered, and then: {error}");
    }
    result
}

async fn refused(content: &[u8]) -> OpenError {
    try_open(content).await.err().unwrap_or_else(|| panic!("it was opened"))
}

#[tokio::test]
async fn what_was_never_a_store() {
    for content in [&b""[..], b"x", b"not a store file, but a letter to a friend", &[0; 4096]] {
        let error = refused(content).await;
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("damaged or not a store file"), "{error}");
        assert!(error.to_string().contains("left as it is"), "{error}");
    }
}

#[tokio::test]
async fn a_database_of_something_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    redb::Database::create(&path).unwrap().close().unwrap();
    let error = open(&path).await.unwrap_err();
    assert!(error.to_string().contains("a database of something else"), "{error}");
}

#[tokio::test]
async fn another_format_of_ours() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    open(&path).await.unwrap().close().await;
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let about = redb::TableDefinition::<&str, u64>::new("dunlin");
    transaction.open_table(about).unwrap().insert("format", 2).unwrap();
    transaction.commit().unwrap();
    database.close().unwrap();
    let error = open(&path).await.unwrap_err();
    assert!(matches!(error, OpenError::Version { .. }), "{error}");
    assert!(error.to_string().contains("(format 2, this one reads format 1)"), "{error}");
}

#[tokio::test]
async fn another_version_of_the_database_library() {
    let content = sound(true).await;
    // The version is the first byte of each of the two commit slots, at 64 and 192.
    for version in [1, 2, 4, 200] {
        let mut content = content.clone();
        assert_eq!((content[64], content[192]), (3, 3));
        (content[64], content[192]) = (version, version);
        let error = refused(&content).await;
        assert!(matches!(error, OpenError::Version { .. }), "{version}: {error}");
    }
}

#[tokio::test]
async fn a_directory_in_its_place_and_a_directory_that_cannot_be() {
    let directory = tempfile::tempdir().unwrap();
    let error = open(directory.path()).await.unwrap_err();
    assert!(error.to_string().contains("it is not a file"), "{error}");
    fs::write(directory.path().join("file"), "").unwrap();
    let error = open(&directory.path().join("file/store")).await.unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "{error}");
}

#[tokio::test]
async fn a_file_cut_short() {
    let content = sound(false).await;
    for length in [1, 8, 63, 64, 319, 320, 512, 4095, 4096, 8192, content.len() / 2, content.len() - 4096] {
        let error = refused(&content[..length]).await;
        assert!(matches!(error, OpenError::Damaged { .. }), "{length}: {error}");
    }
}

/// Flips bits at random: the store either opens with everything that was in it, or is refused.
#[test]
fn flipped_bits_are_harmless_or_noticed() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for clean in [true, false] {
        let content = runtime.block_on(sound(clean));
        let end = content.len();
        let places = proptest::collection::vec((prop_oneof![0..512_usize, 0..end], 1..=255_u8), 1..4);
        let mut runner =
            TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
        let check = |flips: Vec<(usize, u8)>| {
            let mut content = content.clone();
            // Byte 9 says which of two commits is the last. No checksum covers it, and both commits are whole, so
            // that nobody can tell a flip of it from a crash within the last commit.
            flips.iter().filter(|(place, _)| *place != 9).for_each(|(place, bits)| content[*place] ^= bits);
            runtime.block_on(async {
                let store = match try_open(&content).await {
                    Err(OpenError::Damaged { .. } | OpenError::Version { .. }) => return Ok(()),
                    Err(error) => return Err(TestCaseError::fail(error.to_string())),
                    Ok(store) => store,
                };
                for number in 0..KEYS {
                    let found = store.get(&context(), "b", &format!("{number:03}")).await;
                    let expected = Some(vec![number as u8; number * 7].into());
                    prop_assert!(found == Ok(expected), "{} differs", number);
                }
                Ok(())
            })
        };
        runner.run(&places, check).unwrap();
    }
}
