//! Compare-and-swap.

use bytes::Bytes;

use super::{Bench, Case, Outcome, group, same};
use crate::keyvalue::Swap;

pub(super) const CASES: &[Case] = group!("swap":
    swaps_what_is_as_expected,
    says_what_is_there_instead,
    absent_is_an_expectation,
    an_empty_value_is_not_absent,
    every_byte_counts,
);

async fn swaps_what_is_as_expected(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    let one = Bytes::from_static(b"1");
    same!(store.set(&context, bucket, "k", one.clone()).await, Ok(()));
    same!(store.compare_and_swap(&context, bucket, "k", Some(&one), "2".into()).await, Ok(Swap::Swapped));
    same!(store.get(&context, bucket, "k").await, Ok(Some("2".into())));
    Ok(())
}

async fn says_what_is_there_instead(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    let one = Bytes::from_static(b"1");
    let absent = store.compare_and_swap(&context, bucket, "k", Some(&one), "2".into()).await;
    same!(absent, Ok(Swap::Changed(None)));
    same!(store.exists(&context, bucket, "k").await, Ok(false));
    same!(store.set(&context, bucket, "k", "3".into()).await, Ok(()));
    let other = store.compare_and_swap(&context, bucket, "k", Some(&one), "2".into()).await;
    same!(other, Ok(Swap::Changed(Some("3".into()))));
    same!(store.get(&context, bucket, "k").await, Ok(Some("3".into())));
    Ok(())
}

async fn absent_is_an_expectation(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    same!(store.compare_and_swap(&context, bucket, "k", None, "1".into()).await, Ok(Swap::Swapped));
    let again = store.compare_and_swap(&context, bucket, "k", None, "2".into()).await;
    same!(again, Ok(Swap::Changed(Some("1".into()))));
    same!(store.delete(&context, bucket, "k").await, Ok(()));
    same!(store.compare_and_swap(&context, bucket, "k", None, "3".into()).await, Ok(Swap::Swapped));
    Ok(())
}

async fn an_empty_value_is_not_absent(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    let empty = Bytes::new();
    let absent = store.compare_and_swap(&context, bucket, "k", Some(&empty), "1".into()).await;
    same!(absent, Ok(Swap::Changed(None)));
    same!(store.set(&context, bucket, "k", empty.clone()).await, Ok(()));
    let there = store.compare_and_swap(&context, bucket, "k", None, "1".into()).await;
    same!(there, Ok(Swap::Changed(Some(Bytes::new()))));
    same!(store.compare_and_swap(&context, bucket, "k", Some(&empty), "1".into()).await, Ok(Swap::Swapped));
    Ok(())
}

async fn every_byte_counts(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    let value = Bytes::from_static(&[0, 0xff, 0]);
    same!(store.set(&context, bucket, "k", value.clone()).await, Ok(()));
    for near in [&[0, 0xff][..], &[0, 0xff, 0, 0], &[0, 0xff, 1]] {
        let near = Bytes::copy_from_slice(near);
        let result = store.compare_and_swap(&context, bucket, "k", Some(&near), "x".into()).await;
        same!(result, Ok(Swap::Changed(Some(value.clone()))));
    }
    same!(store.compare_and_swap(&context, bucket, "k", Some(&value), "x".into()).await, Ok(Swap::Swapped));
    Ok(())
}
