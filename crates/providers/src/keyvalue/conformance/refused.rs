//! What is over a limit or too late changes nothing and says so.

use bytes::Bytes;
use tokio::time::Instant;

use super::{Bench, Case, Outcome, group, same};
use crate::keyvalue::limits::{BATCH_KEYS, BUCKET_BYTES, KEY_BYTES, VALUE_BYTES};
use crate::keyvalue::{Context, Error};

pub(super) const CASES: &[Case] = group!("refused":
    a_key_too_long,
    a_value_too_long,
    too_many_keys_at_once,
    one_bad_pair_of_many,
    an_answer_too_large,
    a_bucket_without_a_proper_name,
    what_comes_after_its_deadline,
);

/// Whether it is an error that says what is allowed.
fn refused<T>(result: Result<T, Error>, allowed: usize) -> bool {
    matches!(result, Err(Error::Other(reason)) if reason.contains(&allowed.to_string()))
}

async fn a_key_too_long(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    let key = "k".repeat(KEY_BYTES + 1);
    let keys = [key.clone()];
    same!(refused(store.get(&context, bucket, &key).await, KEY_BYTES), true);
    same!(refused(store.exists(&context, bucket, &key).await, KEY_BYTES), true);
    same!(refused(store.set(&context, bucket, &key, Bytes::new()).await, KEY_BYTES), true);
    same!(refused(store.delete(&context, bucket, &key).await, KEY_BYTES), true);
    same!(refused(store.increment(&context, bucket, &key, 1).await, KEY_BYTES), true);
    let swap = store.compare_and_swap(&context, bucket, &key, None, Bytes::new()).await;
    same!(refused(swap, KEY_BYTES), true);
    same!(refused(store.get_many(&context, bucket, &keys).await, KEY_BYTES), true);
    same!(refused(store.delete_many(&context, bucket, &keys).await, KEY_BYTES), true);
    Ok(())
}

async fn a_value_too_long(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    let value = Bytes::from(vec![0; VALUE_BYTES + 1]);
    same!(refused(store.set(&context, bucket, "k", value.clone()).await, VALUE_BYTES), true);
    let swap = store.compare_and_swap(&context, bucket, "k", None, value).await;
    same!(refused(swap, VALUE_BYTES), true);
    same!(store.exists(&context, bucket, "k").await, Ok(false));
    Ok(())
}

async fn too_many_keys_at_once(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    let keys: Vec<String> = (0..=BATCH_KEYS).map(|number| number.to_string()).collect();
    let pairs: Vec<(String, Bytes)> = keys.iter().map(|key| (key.clone(), Bytes::new())).collect();
    same!(refused(store.set_many(&context, bucket, &pairs).await, BATCH_KEYS), true);
    same!(refused(store.get_many(&context, bucket, &keys).await, BATCH_KEYS), true);
    same!(refused(store.delete_many(&context, bucket, &keys).await, BATCH_KEYS), true);
    same!(store.list_keys(&context, bucket, None).await.map(|page| page.keys.len()), Ok(0));
    Ok(())
}

async fn one_bad_pair_of_many(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    let pairs = [("good".to_owned(), "1".into()), ("k".repeat(KEY_BYTES + 1), "2".into())];
    same!(refused(store.set_many(&context, bucket, &pairs).await, KEY_BYTES), true);
    same!(store.exists(&context, bucket, "good").await, Ok(false));
    Ok(())
}

async fn an_answer_too_large(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    same!(store.set(&context, bucket, "k", vec![7; VALUE_BYTES].into()).await, Ok(()));
    let keys = vec!["k".to_owned(); 100];
    let result = store.get_many(&context, bucket, &keys).await.map(|values| values.len());
    same!(matches!(result, Err(Error::Other(_))), true);
    same!(store.delete(&context, bucket, "k").await, Ok(()));
    Ok(())
}

async fn a_bucket_without_a_proper_name(bench: Bench) -> Outcome {
    let (store, context) = (&bench.store, bench.context());
    for bucket in [String::new(), "b".repeat(BUCKET_BYTES + 1)] {
        let get = store.get(&context, &bucket, "k").await;
        same!(matches!(get, Err(Error::NoSuchStore(_))), true);
        let set = store.set(&context, &bucket, "k", Bytes::new()).await;
        same!(matches!(set, Err(Error::NoSuchStore(_))), true);
        let list = store.list_keys(&context, &bucket, None).await;
        same!(matches!(list, Err(Error::NoSuchStore(_))), true);
    }
    Ok(())
}

async fn what_comes_after_its_deadline(bench: Bench) -> Outcome {
    fn late<T>(result: Result<T, Error>) -> bool {
        matches!(result, Err(Error::NotExecuted(_)))
    }
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    same!(store.set(&context, bucket, "k", "1".into()).await, Ok(()));
    let past = Context { deadline: Instant::now(), traceparent: None };
    let keys = ["k".to_owned()];
    let pairs = [("k".to_owned(), Bytes::new())];
    same!(late(store.get(&past, bucket, "k").await), true);
    same!(late(store.exists(&past, bucket, "k").await), true);
    same!(late(store.list_keys(&past, bucket, None).await), true);
    same!(late(store.get_many(&past, bucket, &keys).await), true);
    same!(late(store.set(&past, bucket, "k", "2".into()).await), true);
    same!(late(store.delete(&past, bucket, "k").await), true);
    same!(late(store.increment(&past, bucket, "k", 1).await), true);
    same!(late(store.compare_and_swap(&past, bucket, "k", None, "2".into()).await), true);
    same!(late(store.set_many(&past, bucket, &pairs).await), true);
    same!(late(store.delete_many(&past, bucket, &keys).await), true);
    same!(store.get(&context, bucket, "k").await, Ok(Some("1".into())));
    Ok(())
}
