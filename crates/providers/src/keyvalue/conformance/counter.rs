//! Increments.

use bytes::Bytes;

use super::{Bench, Case, Outcome, group, same};
use crate::keyvalue::Error;

pub(super) const CASES: &[Case] = group!("counter":
    an_absent_counter_is_zero,
    a_counter_is_its_digits,
    deltas_have_signs,
    what_is_no_number_is_an_error_and_stays,
    overflow_is_an_error_and_changes_nothing,
);

async fn an_absent_counter_is_zero(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    same!(store.increment(&context, bucket, "a", 1).await, Ok(1));
    same!(store.increment(&context, bucket, "b", -7).await, Ok(-7));
    same!(store.increment(&context, bucket, "c", 0).await, Ok(0));
    same!(store.get(&context, bucket, "c").await, Ok(Some("0".into())));
    Ok(())
}

async fn a_counter_is_its_digits(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    same!(store.set(&context, bucket, "k", "41".into()).await, Ok(()));
    same!(store.increment(&context, bucket, "k", 1).await, Ok(42));
    same!(store.get(&context, bucket, "k").await, Ok(Some("42".into())));
    same!(store.delete(&context, bucket, "k").await, Ok(()));
    same!(store.increment(&context, bucket, "k", 1).await, Ok(1));
    Ok(())
}

async fn deltas_have_signs(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    let steps = [(10, 10), (-3, 7), (0, 7), (-7, 0), (-1, -1), (i64::MAX, i64::MAX - 1)];
    for (delta, sum) in steps {
        same!(store.increment(&context, bucket, "k", delta).await, Ok(sum));
    }
    Ok(())
}

async fn what_is_no_number_is_an_error_and_stays(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    for value in ["", "x", "1.5", " 1", "1 ", "1\n", "\u{661}", "9223372036854775808"] {
        same!(store.set(&context, bucket, "k", value.into()).await, Ok(()));
        let result = store.increment(&context, bucket, "k", 1).await;
        same!((value, matches!(result, Err(Error::Other(_)))), (value, true));
        same!(store.get(&context, bucket, "k").await, Ok(Some(value.into())));
    }
    same!(store.set(&context, bucket, "k", Bytes::from_static(&[0xff, 0xfe])).await, Ok(()));
    let result = store.increment(&context, bucket, "k", 1).await;
    same!(matches!(result, Err(Error::Other(_))), true);
    Ok(())
}

async fn overflow_is_an_error_and_changes_nothing(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    for (edge, delta) in [(i64::MAX, 1), (i64::MIN, -1), (i64::MAX, i64::MAX), (i64::MIN, i64::MIN)] {
        same!(store.set(&context, bucket, "k", edge.to_string().into()).await, Ok(()));
        let result = store.increment(&context, bucket, "k", delta).await;
        same!((edge, matches!(result, Err(Error::Other(_)))), (edge, true));
        same!(store.get(&context, bucket, "k").await, Ok(Some(edge.to_string().into())));
    }
    Ok(())
}
