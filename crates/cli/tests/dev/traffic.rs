//! Requests that go on while something happens, with every outcome counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dunlin_testkit::eventually;

use crate::http::{get, post};

/// Tells the todos of one traffic from those of others at the same list.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// What became of the requests.
#[derive(Debug, Default)]
pub struct Tally {
    /// What the titles of all its todos begin with.
    name: String,
    /// Answered as they should.
    pub well: u64,
    /// Titles of todos whose POST was acknowledged.
    pub acknowledged: Vec<String>,
    /// Titles of todos whose POST has an unknown outcome: perhaps there, perhaps not, never twice.
    pub unknown: Vec<String>,
    /// What went wrong, in words, with the time since the start.
    pub failures: Vec<(Duration, String)>,
    /// When requests succeeded, since the start, and at which of the addresses.
    pub successes: Vec<(Duration, usize)>,
    /// The longest that any request took, whatever became of it.
    pub slowest: Duration,
}

/// Threads that send one request after the other until they are stopped.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    tally: Arc<Mutex<Tally>>,
    threads: Vec<JoinHandle<()>>,
    /// When it began.
    pub begun: Instant,
}

impl Traffic {
    /// Two threads for each address: GETs and POSTs in turn.
    pub fn start(addresses: &[String]) -> Self {
        let (stop, tally) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Tally::default())));
        let begun = Instant::now();
        let name = format!("{:08x}", COUNT.fetch_add(1, Ordering::Relaxed));
        tally.lock().unwrap().name.clone_from(&name);
        let sites = addresses.len();
        let thread = |index: usize| {
            let (stop, tally) = (Arc::clone(&stop), Arc::clone(&tally));
            let name = name.clone();
            let url = format!("{}/api", addresses[index % addresses.len()]);
            std::thread::spawn(move || {
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    let title = format!("{name}-{index}-{number}");
                    one(&url, &title, number % 2 == 0, index % sites, begun, &tally);
                    number += 1;
                }
            })
        };
        let threads = (0..addresses.len() * 2).map(thread).collect();
        Self { stop, tally, threads, begun }
    }

    /// Requests that ended so far.
    pub fn count(&self) -> u64 {
        let tally = self.tally.lock().unwrap();
        tally.well + tally.failures.len() as u64
    }

    /// How long after `since` the first request succeeded, if one did.
    pub fn first_success_after(&self, since: Instant) -> Option<Duration> {
        let since = since - self.begun;
        let tally = self.tally.lock().unwrap();
        tally.successes.iter().find(|(time, _)| *time > since).map(|(time, _)| *time - since)
    }

    /// How long after `since` a request had succeeded at every address, if it has.
    pub fn success_everywhere_after(&self, since: Instant, addresses: usize) -> Option<Duration> {
        let since = since - self.begun;
        let tally = self.tally.lock().unwrap();
        let first = |address| {
            let found = tally.successes.iter().find(|(time, at)| *time > since && *at == address);
            found.map(|(time, _)| *time - since)
        };
        (0..addresses).map(first).collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// Stops and gives the outcomes.
    pub fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        std::mem::take(&mut *self.tally.lock().unwrap())
    }
}

fn one(url: &str, title: &str, write: bool, address: usize, begun: Instant, tally: &Mutex<Tally>) {
    let sent = Instant::now();
    let outcome = if write { post(url, &format!(r#"{{"title":"{title}"}}"#)) } else { get(url) };
    let mut tally = tally.lock().unwrap();
    tally.slowest = tally.slowest.max(sent.elapsed());
    match outcome {
        Ok(answer) if answer.status == if write { 201 } else { 200 } => {
            tally.well += 1;
            tally.successes.push((begun.elapsed(), address));
            if write {
                tally.acknowledged.push(title.to_owned());
            }
        }
        other => {
            // 503 says that nothing was executed; everything else leaves it open.
            if write && !matches!(&other, Ok(answer) if answer.status == 503) {
                tally.unknown.push(title.to_owned());
            }
            tally.failures.push((begun.elapsed(), format!("{other:?}")));
        }
    }
}

impl Tally {
    /// Every acknowledged todo is listed exactly once, one with an unknown outcome at most once, and no other is there.
    pub fn check_list(&self, address: &str) {
        // A connection that was cut off may be noticed as late as after the first success.
        let list = eventually("the list", Duration::from_secs(10), || {
            get(&format!("{address}/api")).ok().filter(|list| list.status == 200)
        });
        let list = list.json();
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        for todo in list.as_array().unwrap() {
            let title = todo["title"].as_str().unwrap();
            if title.starts_with(&format!("{}-", self.name)) {
                *seen.entry(title.to_owned()).or_default() += 1;
            }
        }
        for title in &self.acknowledged {
            assert_eq!(seen.remove(title), Some(1), "acknowledged todo {title}");
        }
        for title in &self.unknown {
            assert!(seen.remove(title).unwrap_or(0) <= 1, "todo {title} of unknown outcome is there twice");
        }
        assert!(seen.is_empty(), "todos that nobody was promised: {seen:?}");
    }
}
