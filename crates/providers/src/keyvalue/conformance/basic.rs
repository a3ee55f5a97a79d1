//! One key at a time.

use bytes::Bytes;

use super::{Bench, Case, Outcome, group, same};
use crate::keyvalue::limits::{KEY_BYTES, VALUE_BYTES};

pub(super) const CASES: &[Case] = group!("basic":
    an_absent_key_is_none,
    what_is_set_is_there,
    set_replaces,
    delete_removes,
    deleting_what_is_absent_is_no_error,
    an_empty_value_is_not_an_absent_one,
    any_byte_is_a_value,
    any_text_is_a_key,
    the_largest_key_and_value,
    buckets_are_apart,
);

async fn an_absent_key_is_none(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    same!(store.get(&context, bucket, "k").await, Ok(None));
    same!(store.exists(&context, bucket, "k").await, Ok(false));
    Ok(())
}

async fn what_is_set_is_there(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    same!(store.set(&context, bucket, "k", "v".into()).await, Ok(()));
    same!(store.get(&context, bucket, "k").await, Ok(Some("v".into())));
    same!(store.exists(&context, bucket, "k").await, Ok(true));
    same!(store.get(&context, bucket, "K").await, Ok(None));
    Ok(())
}

async fn set_replaces(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    for value in ["a longer value", "v", "", "again"] {
        same!(store.set(&context, bucket, "k", value.into()).await, Ok(()));
        same!(store.get(&context, bucket, "k").await, Ok(Some(value.into())));
    }
    Ok(())
}

async fn delete_removes(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    same!(store.set(&context, bucket, "k", "v".into()).await, Ok(()));
    same!(store.set(&context, bucket, "l", "w".into()).await, Ok(()));
    same!(store.delete(&context, bucket, "k").await, Ok(()));
    same!(store.get(&context, bucket, "k").await, Ok(None));
    same!(store.exists(&context, bucket, "k").await, Ok(false));
    same!(store.get(&context, bucket, "l").await, Ok(Some("w".into())));
    Ok(())
}

async fn deleting_what_is_absent_is_no_error(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    same!(store.delete(&context, bucket, "k").await, Ok(()));
    same!(store.delete(&context, bucket, "k").await, Ok(()));
    Ok(())
}

async fn an_empty_value_is_not_an_absent_one(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    same!(store.set(&context, bucket, "k", Bytes::new()).await, Ok(()));
    same!(store.get(&context, bucket, "k").await, Ok(Some(Bytes::new())));
    same!(store.exists(&context, bucket, "k").await, Ok(true));
    Ok(())
}

async fn any_byte_is_a_value(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    let value: Bytes = (0..=u8::MAX).chain((0..=u8::MAX).rev()).collect();
    same!(store.set(&context, bucket, "k", value.clone()).await, Ok(()));
    same!(store.get(&context, bucket, "k").await, Ok(Some(value)));
    Ok(())
}

async fn any_text_is_a_key(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    let keys = [
        "",
        " ",
        "a b",
        "ä",
        "a\u{308}",
        "日本語/🦀",
        "*",
        "k?[x]",
        "a.b.>",
        "..",
        "a/../b",
        "line\nbreak",
        "nul\0nul",
        "a",
        "a\0",
        "{slot}",
        "\u{10ffff}",
        "after:",
    ];
    for (number, key) in keys.iter().enumerate() {
        same!(store.set(&context, bucket, key, number.to_string().into()).await, Ok(()));
    }
    for (number, key) in keys.iter().enumerate() {
        let value = store.get(&context, bucket, key).await;
        same!((key, value), (key, Ok(Some(number.to_string().into()))));
    }
    let mut listed = store.list_keys(&context, bucket, None).await.map_err(|error| error.to_string())?.keys;
    let mut expected = keys.to_vec();
    listed.sort_unstable();
    expected.sort_unstable();
    same!(listed, expected);
    Ok(())
}

async fn the_largest_key_and_value(bench: Bench) -> Outcome {
    let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
    let key = "k".repeat(KEY_BYTES);
    let value: Bytes = (0..VALUE_BYTES).map(|index| (index % 251) as u8).collect();
    same!(store.set(&context, bucket, &key, value.clone()).await, Ok(()));
    // Not with `same`: the message would be 8 MiB.
    same!(store.get(&context, bucket, &key).await.map(|found| found.as_ref() == Some(&value)), Ok(true));
    same!(store.list_keys(&context, bucket, None).await.map(|page| page.keys), Ok(vec![key.clone()]));
    same!(store.delete(&context, bucket, &key).await, Ok(()));
    Ok(())
}

async fn buckets_are_apart(bench: Bench) -> Outcome {
    let (store, context) = (&bench.store, bench.context());
    // Names and keys that run into each other where they are only put side by side.
    let buckets = ["", "a", "ab", "a:", "a:b", "a/b", "a.b", "a\u{fe}"].map(|end| bench.bucket.clone() + end);
    let keys = ["c", "bc", ":c", "b:c", "/c"];
    for bucket in &buckets {
        for key in keys {
            let value = format!("{bucket} {key}");
            same!(store.set(&context, bucket, key, value.into()).await, Ok(()));
        }
    }
    for bucket in &buckets {
        for key in keys {
            let value = format!("{bucket} {key}");
            same!(store.get(&context, bucket, key).await, Ok(Some(value.into())));
        }
        let page = store.list_keys(&context, bucket, None).await.map_err(|error| error.to_string())?;
        let mut listed = page.keys;
        listed.sort_unstable();
        same!(
            (bucket, listed),
            (bucket, vec!["/c".into(), ":c".into(), "b:c".into(), "bc".into(), "c".into()])
        );
    }
    same!(store.delete(&context, &buckets[1], "bc").await, Ok(()));
    same!(store.exists(&context, &buckets[2], "c").await, Ok(true));
    same!(store.exists(&context, &buckets[1], "bc").await, Ok(false));
    Ok(())
}
