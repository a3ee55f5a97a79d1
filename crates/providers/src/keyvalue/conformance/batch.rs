//! Many keys at a time.

use bytes::Bytes;

use super::{Bench, Case, Outcome, group, same};
use crate::keyvalue::limits::BATCH_KEYS;

pub(super) const CASES: &[Case] = group!("batch":
    get_many_answers_in_the_order_asked,
    set_many_sets_all,
    the_last_of_two_equal_keys_stands,
    delete_many_removes_all_that_are_there,
    an_empty_batch_does_nothing,
    the_largest_batch,
);

fn strings(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|&key| key.to_owned()).collect()
}

async fn get_many_answers_in_the_order_asked(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    for key in ["a", "b", "c"] {
        same!(store.set(&context, bucket, key, key.to_uppercase().into()).await, Ok(()));
    }
    let keys = strings(&["c", "x", "a", "c", "x", "b"]);
    let value = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let expected = vec![value("C"), None, value("A"), value("C"), None, value("B")];
    same!(store.get_many(&context, bucket, &keys).await, Ok(expected));
    Ok(())
}

async fn set_many_sets_all(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    same!(store.set(&context, bucket, "b", "old".into()).await, Ok(()));
    let pairs: Vec<(String, Bytes)> =
        ["a", "b", "c"].map(|key| (key.to_owned(), key.to_uppercase().into())).into();
    same!(store.set_many(&context, bucket, &pairs).await, Ok(()));
    for (key, value) in pairs {
        same!(store.get(&context, bucket, &key).await, Ok(Some(value)));
    }
    Ok(())
}

async fn the_last_of_two_equal_keys_stands(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    let pairs = [("k".to_owned(), "1".into()), ("k".to_owned(), "2".into())];
    same!(store.set_many(&context, bucket, &pairs).await, Ok(()));
    same!(store.get(&context, bucket, "k").await, Ok(Some("2".into())));
    Ok(())
}

async fn delete_many_removes_all_that_are_there(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    for key in ["a", "b", "c"] {
        same!(store.set(&context, bucket, key, key.into()).await, Ok(()));
    }
    same!(store.delete_many(&context, bucket, &strings(&["a", "x", "c", "a"])).await, Ok(()));
    same!(store.list_keys(&context, bucket, None).await.map(|page| page.keys), Ok(strings(&["b"])));
    Ok(())
}

async fn an_empty_batch_does_nothing(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    same!(store.set_many(&context, bucket, &[]).await, Ok(()));
    same!(store.delete_many(&context, bucket, &[]).await, Ok(()));
    same!(store.get_many(&context, bucket, &[]).await, Ok(vec![]));
    Ok(())
}

async fn the_largest_batch(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    let keys: Vec<String> = (0..BATCH_KEYS).map(|number| format!("key {number}")).collect();
    let pairs: Vec<(String, Bytes)> = keys.iter().map(|key| (key.clone(), key.clone().into())).collect();
    same!(store.set_many(&context, bucket, &pairs).await, Ok(()));
    let expected: Vec<Option<Bytes>> = pairs.into_iter().map(|(_, value)| Some(value)).collect();
    same!(store.get_many(&context, bucket, &keys).await, Ok(expected));
    same!(store.delete_many(&context, bucket, &keys).await, Ok(()));
    same!(store.list_keys(&context, bucket, None).await.map(|page| page.keys), Ok(vec![]));
    Ok(())
}
