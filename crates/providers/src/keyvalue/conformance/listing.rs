//! Keys, page by page.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Bench, Case, Outcome, group, same};
use crate::keyvalue::Error;
use crate::keyvalue::limits::{BATCH_KEYS, KEY_BYTES};

pub(super) const CASES: &[Case] = group!("listing":
    an_absent_bucket_is_empty,
    every_key_once_over_many_pages,
    a_page_of_exactly_all_keys_is_the_last,
    long_keys_make_shorter_pages,
    keys_that_stay_are_listed_once_while_others_come_and_go,
    a_cursor_outlives_its_key,
    a_strange_cursor_is_an_error,
);

/// Lists all keys of the bucket, and how often each; with `changes`, others come and go between any two pages.
/// Ends with an error rather than never.
async fn list(bench: &Bench, changes: Option<i32>) -> Result<BTreeMap<String, usize>, String> {
    let mut seen = BTreeMap::new();
    let mut cursor = None;
    for page in 0..1000 {
        if let (1.., Some(round)) = (page, changes) {
            change(bench, round + page).await?;
        }
        let page = bench.store.list_keys(&bench.context(), &bench.bucket, cursor.as_deref()).await;
        let page = page.map_err(|error| error.to_string())?;
        for key in page.keys {
            *seen.entry(key).or_insert(0) += 1;
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(seen);
        }
    }
    Err("a thousand pages and no end".into())
}

async fn fill(bench: &Bench, keys: &[String]) -> Outcome {
    for keys in keys.chunks(BATCH_KEYS) {
        let pairs: Vec<(String, Bytes)> = keys.iter().map(|key| (key.clone(), Bytes::new())).collect();
        same!(bench.store.set_many(&bench.context(), &bench.bucket, &pairs).await, Ok(()));
    }
    Ok(())
}

async fn an_absent_bucket_is_empty(bench: Bench) -> Outcome {
    let page = bench.store.list_keys(&bench.context(), &bench.bucket, None).await;
    same!(page, Ok(crate::keyvalue::Page::default()));
    Ok(())
}

async fn every_key_once_over_many_pages(bench: Bench) -> Outcome {
    let keys: Vec<String> = (0..3500).map(|number| format!("key {number}")).collect();
    fill(&bench, &keys).await?;
    let first = bench.store.list_keys(&bench.context(), &bench.bucket, None).await;
    same!(first.is_ok_and(|page| page.cursor.is_some()), true);
    let expected: BTreeMap<String, usize> = keys.into_iter().map(|key| (key, 1)).collect();
    same!(list(&bench, None).await?, expected);
    Ok(())
}

async fn a_page_of_exactly_all_keys_is_the_last(bench: Bench) -> Outcome {
    for count in [999, 1000, 1001, 2000] {
        let bench = Bench { bucket: format!("{}-{count}", bench.bucket), ..bench.clone() };
        let keys: Vec<String> = (0..count).map(|number| format!("{number}")).collect();
        fill(&bench, &keys).await?;
        same!(list(&bench, None).await?.len(), count);
    }
    Ok(())
}

async fn long_keys_make_shorter_pages(bench: Bench) -> Outcome {
    let keys: Vec<String> = (0..1500).map(|number| format!("{number:0>KEY_BYTES$}")).collect();
    fill(&bench, &keys).await?;
    let page = bench.store.list_keys(&bench.context(), &bench.bucket, None).await;
    let page = page.map_err(|error| error.to_string())?;
    // One message on the lattice.
    same!(page.keys.iter().map(String::len).sum::<usize>() <= 1024 * 1024, true);
    let expected: BTreeMap<String, usize> = keys.into_iter().map(|key| (key, 1)).collect();
    same!(list(&bench, None).await?, expected);
    Ok(())
}

/// Sets some keys among those that stay, everywhere, and removes others.
async fn change(bench: &Bench, round: i32) -> Outcome {
    let key = |index: i32| format!("{:04} goes", (round * 37 + index * 251) % 2500);
    let pairs: Vec<(String, Bytes)> = (0..10).map(|index| (key(index), Bytes::new())).collect();
    let keys: Vec<String> = (5..15).map(key).collect();
    same!(bench.store.set_many(&bench.context(), &bench.bucket, &pairs).await, Ok(()));
    same!(bench.store.delete_many(&bench.context(), &bench.bucket, &keys).await, Ok(()));
    Ok(())
}

async fn keys_that_stay_are_listed_once_while_others_come_and_go(bench: Bench) -> Outcome {
    let stay: Vec<String> = (0..2500).map(|number| format!("{number:04} stays")).collect();
    fill(&bench, &stay).await?;
    let writing = bench.clone();
    let writer = tokio::spawn(async move {
        for round in 0.. {
            change(&writing, round).await?;
            tokio::task::yield_now().await;
        }
        Ok::<(), String>(())
    });
    let mut outcome = Ok(());
    for round in 0..5 {
        // Between any two pages as well: a store that never waits would not be interrupted.
        let seen = list(&bench, Some(round * 100)).await?;
        let often = |key: &String| seen.get(key).copied().unwrap_or(0);
        if let Some(key) = stay.iter().find(|key| often(key) != 1) {
            outcome = Err(format!("{key:?} was there all the time and was listed {} times", often(key)));
        }
    }
    let ended_early = writer.is_finished();
    writer.abort();
    outcome?;
    same!(ended_early, false);
    Ok(())
}

async fn a_cursor_outlives_its_key(bench: Bench) -> Outcome {
    let keys: Vec<String> = (0..1500).map(|number| format!("{number:04}")).collect();
    fill(&bench, &keys).await?;
    let (store, bucket) = (&bench.store, &bench.bucket);
    let first = store.list_keys(&bench.context(), bucket, None).await.map_err(|error| error.to_string())?;
    same!(store.delete_many(&bench.context(), bucket, &first.keys).await, Ok(()));
    let rest = store.list_keys(&bench.context(), bucket, first.cursor.as_deref()).await;
    let rest = rest.map_err(|error| error.to_string())?;
    same!(rest.cursor.is_none(), true);
    let mut all = [first.keys, rest.keys].concat();
    all.sort_unstable();
    same!(all, keys);
    Ok(())
}

async fn a_strange_cursor_is_an_error(bench: Bench) -> Outcome {
    fill(&bench, &["a".into(), "b".into()]).await?;
    let long = "x".repeat(10_000);
    for cursor in ["", "0", "-1", "nonsense", "18446744073709551616", "\0", "after", &long] {
        let result = bench.store.list_keys(&bench.context(), &bench.bucket, Some(cursor)).await;
        same!((cursor, matches!(result, Err(Error::Other(_)))), (cursor, true));
    }
    Ok(())
}
