//! Many callers at once.

use std::collections::BTreeSet;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::{Bench, Case, Outcome, group, same};
use crate::keyvalue::Swap;

pub(super) const CASES: &[Case] = group!("concurrent":
    a_hundred_increments_give_a_hundred_numbers,
    one_of_many_swaps_wins,
    swaps_in_a_loop_lose_no_update,
    writers_of_different_keys_do_not_disturb_each_other,
    a_reader_sees_its_own_writes,
    a_value_is_never_seen_torn,
);

async fn a_hundred_increments_give_a_hundred_numbers(bench: Bench) -> Outcome {
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let bench = bench.clone();
        callers.spawn(async move { bench.store.increment(&bench.context(), &bench.bucket, "id", 1).await });
    }
    let results = callers.join_all().await;
    let numbers: Result<BTreeSet<i64>, _> = results.into_iter().collect();
    same!(numbers, Ok((1..=100).collect::<BTreeSet<i64>>()));
    same!(bench.store.get(&bench.context(), &bench.bucket, "id").await, Ok(Some("100".into())));
    Ok(())
}

async fn one_of_many_swaps_wins(bench: Bench) -> Outcome {
    let mut callers = JoinSet::new();
    for number in 0..50 {
        let bench = bench.clone();
        callers.spawn(async move {
            let new = Bytes::from(number.to_string());
            let context = bench.context();
            let swap = bench.store.compare_and_swap(&context, &bench.bucket, "k", None, new.clone()).await;
            (new, swap)
        });
    }
    let results = callers.join_all().await;
    let winners: Vec<_> = results.iter().filter(|(_, swap)| *swap == Ok(Swap::Swapped)).collect();
    same!(winners.len(), 1);
    let winner = Some(winners[0].0.clone());
    same!(bench.store.get(&bench.context(), &bench.bucket, "k").await, Ok(winner.clone()));
    for (new, swap) in &results {
        if Some(new) != winner.as_ref() {
            same!(swap, &Ok(Swap::Changed(winner.clone())));
        }
    }
    Ok(())
}

async fn swaps_in_a_loop_lose_no_update(bench: Bench) -> Outcome {
    let mut callers = JoinSet::new();
    for number in 0..10 {
        let bench = bench.clone();
        callers.spawn(async move {
            for round in 0..5 {
                let mut current = None;
                let mine = format!("{number}.{round} ");
                // Each time that one loses, another has won: fifty updates in all bound the loop.
                for _ in 0..=50 {
                    let text = [current.as_deref().unwrap_or_default(), mine.as_bytes()].concat();
                    let (context, new) = (bench.context(), Bytes::from(text));
                    let swap = bench
                        .store
                        .compare_and_swap(&context, &bench.bucket, "k", current.as_ref(), new)
                        .await;
                    match swap.map_err(|error| error.to_string())? {
                        Swap::Swapped => break,
                        Swap::Changed(now) => current = now,
                    }
                }
            }
            Ok::<(), String>(())
        });
    }
    callers.join_all().await.into_iter().collect::<Outcome>()?;
    let value = bench.store.get(&bench.context(), &bench.bucket, "k").await;
    let value = value.map_err(|error| error.to_string())?.unwrap_or_default();
    let text = String::from_utf8_lossy(&value).into_owned();
    let updates: BTreeSet<&str> = text.split_whitespace().collect();
    same!((updates.len(), text.split_whitespace().count()), (50, 50));
    Ok(())
}

async fn writers_of_different_keys_do_not_disturb_each_other(bench: Bench) -> Outcome {
    let mut callers = JoinSet::new();
    for number in 0..200 {
        let bench = bench.clone();
        callers.spawn(async move {
            let key = number.to_string();
            let context = bench.context();
            bench.store.set(&context, &bench.bucket, &key, key.clone().into()).await?;
            if number % 4 == 0 {
                bench.store.delete(&context, &bench.bucket, &key).await?;
            }
            Ok(())
        });
    }
    same!(callers.join_all().await.into_iter().collect::<Result<(), crate::keyvalue::Error>>(), Ok(()));
    let keys: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    let expected = (0..200).map(|number| (number % 4 != 0).then(|| number.to_string().into()));
    let expected: Vec<Option<Bytes>> = expected.collect();
    same!(bench.store.get_many(&bench.context(), &bench.bucket, &keys).await, Ok(expected));
    Ok(())
}

async fn a_reader_sees_its_own_writes(bench: Bench) -> Outcome {
    let mut callers = JoinSet::new();
    for number in 0..20 {
        let bench = bench.clone();
        callers.spawn(async move {
            let (store, bucket, context) = (&bench.store, &bench.bucket, bench.context());
            for round in 0..10 {
                let (key, value) = (number.to_string(), Bytes::from(round.to_string()));
                same!(store.set(&context, bucket, &key, value.clone()).await, Ok(()));
                same!(store.get(&context, bucket, &key).await, Ok(Some(value)));
            }
            Ok(())
        });
    }
    callers.join_all().await.into_iter().collect()
}

async fn a_value_is_never_seen_torn(bench: Bench) -> Outcome {
    let writing = bench.clone();
    let writer = tokio::spawn(async move {
        for number in 0..60_usize {
            // Of one size and one byte each: a value that is part old and part new shows.
            let value = Bytes::from(vec![number as u8; 100_000]);
            same!(writing.store.set(&writing.context(), &writing.bucket, "k", value).await, Ok(()));
        }
        Ok(())
    });
    while !writer.is_finished() {
        let value = bench.store.get(&bench.context(), &bench.bucket, "k").await;
        let value = value.map_err(|error| error.to_string())?.unwrap_or_default();
        let whole =
            value.is_empty() || (value.len() == 100_000 && value.iter().all(|byte| *byte == value[0]));
        same!(whole, true);
        tokio::task::yield_now().await;
    }
    writer.await.map_err(|error| error.to_string())?
}
