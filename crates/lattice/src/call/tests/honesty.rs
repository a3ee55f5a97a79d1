//! On a network that loses, delays, freezes and cuts: what a caller is told of an execution is true.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::sleep;

use super::harness::{Host, client, id, request};
use crate::memory::{Link, Network, Place as Everywhere};
use crate::{Answer, Body, BodyStream, Executed, Piece, Place, Refusal, Request, Safety};

type Log = Arc<Mutex<HashMap<Bytes, usize>>>;

/// A host that executes most calls, slowly or not, and refuses the rest for good reasons.
async fn moody(network: &Network, name: &str, seed: u64, log: &Log) -> Host {
    let (log, random) = (Arc::clone(log), Arc::new(Mutex::new(StdRng::seed_from_u64(seed))));
    Host::start(network, name, move |call| {
        let (log, mood) = (Arc::clone(&log), random.lock().unwrap().random_range(0..10));
        async move {
            match mood {
                0 => return Err(Refusal::Busy),
                1 => return Err(Refusal::Draining),
                2 => return Err(Refusal::NotHere),
                _ => {}
            }
            *log.lock().unwrap().entry(call.values.clone()).or_default() += 1;
            match mood {
                3 => sleep(Duration::from_secs(1)).await,
                4 => return Err(Refusal::Failed("guest's own error".into())),
                _ => {}
            }
            let body = Body::Whole(call.body.collect(1 << 20).await.unwrap_or_default());
            Ok(Answer { values: call.values, body })
        }
        .boxed()
    })
    .await
}

async fn trouble(network: &Network, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let hosts = [id("gcp-1"), id("gcp-2"), id("aws-1")];
    let faults = network.faults();
    loop {
        sleep(Duration::from_millis(random.random_range(50..2000))).await;
        let host = &hosts[random.random_range(0..hosts.len())];
        match random.random_range(0..4) {
            0 => faults.freeze(host),
            1 => faults.disconnect(host),
            2 => faults.partition(&hosts[0], host),
            _ => {}
        }
        sleep(Duration::from_millis(random.random_range(10..1500))).await;
        faults.thaw(host);
        faults.reconnect(host);
        faults.heal(&hosts[0], host);
    }
}

async fn run(seed: u64) -> [usize; 3] {
    let network = Network::new(seed);
    let link = Link { delay: Duration::from_millis(1), jitter: Duration::from_millis(30), drop: 0.03 };
    let client = client(&network, "gcp-1").await;
    let log = Log::default();
    let hosts = [moody(&network, "gcp-2", seed, &log).await, moody(&network, "aws-1", seed + 1, &log).await];
    network.faults().link(Everywhere::Anywhere, Everywhere::Anywhere, link);
    let calls = (0..150u32).map(|number| {
        let (client, hosts) = (&client, &hosts);
        async move {
            sleep(Duration::from_millis(u64::from(number) * 100)).await;
            let safety = if number % 2 == 0 { Safety::Read } else { Safety::Write };
            let values = Bytes::from(format!("{number}"));
            let body = match number % 3 {
                0 => Body::Empty,
                1 => Body::Whole(Bytes::from(vec![1; 200_000])),
                _ => Body::Stream(BodyStream::new(futures::stream::iter(
                    (0..4).map(|_| Ok(Piece::Data(Bytes::from(vec![1; 50_000])))),
                ))),
            };
            let places = [Place::OwnSite, Place::OtherSite];
            let candidates: Vec<_> =
                hosts.iter().zip(places).map(|(host, place)| host.candidate(place)).collect();
            let request = Request { values: values.clone(), body, ..request(safety) };
            let told = match client.call(&candidates, request).await {
                Ok(_) => Executed::Yes,
                Err(error) => error.executed(),
            };
            (safety, values, told)
        }
    });
    let all = futures::future::join_all(calls);
    let told = tokio::select! {
        told = all => told,
        () = trouble(&network, seed) => unreachable!(),
    };
    network.faults().calm();
    sleep(Duration::from_secs(60)).await; // Whatever was under way or frozen arrives.
    let mut counts = [0; 3];
    for (safety, values, told) in told {
        let times = log.lock().unwrap().get(&values).copied().unwrap_or(0);
        match told {
            Executed::No => assert_eq!(times, 0, "seed {seed}: {values:?} {safety:?} was executed"),
            Executed::Yes => assert!(times >= 1, "seed {seed}: {values:?} {safety:?} was not executed"),
            Executed::Unknown => {}
        }
        assert!(safety == Safety::Read || times <= 1, "seed {seed}: write {values:?} ran {times} times");
        counts[told as usize] += 1;
    }
    assert_eq!((client.in_flight(), client.streams()), (0, 0), "seed {seed}");
    for host in &hosts {
        assert_eq!((host.server().in_flight(), host.server().streams()), (0, 0), "seed {seed}");
    }
    counts
}

#[tokio::test(start_paused = true)]
async fn what_is_said_of_an_execution_is_true() {
    let mut sum = [0; 3];
    for seed in 0..30 {
        let counts = run(seed).await;
        for (sum, count) in sum.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    assert!(sum.iter().all(|&count| count > 20), "every kind of outcome was seen: {sum:?}");
}
