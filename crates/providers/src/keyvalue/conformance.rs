//! What every store must do, as a suite to run against it: local stores, Redis, and the proxy over the lattice.
//!
//! ```
//! # use std::sync::Arc;
//! # use dunlin_providers::keyvalue::{KeyValue, MemoryStore, conformance};
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! conformance::run(async || Arc::new(MemoryStore::default()) as Arc<dyn KeyValue>).await.unwrap();
//! # })
//! ```
//!
//! Each case has a bucket of its own, so that one store may serve the whole run, and a store that keeps its data
//! may be tested again.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, timeout};

use super::{Context, KeyValue};

mod basic;
mod batch;
mod concurrent;
mod counter;
mod listing;
mod refused;
mod swap;

/// How long one case may take.
pub const CASE_TIME: Duration = Duration::from_secs(60);

/// What a case has to work with.
#[derive(Clone)]
pub struct Bench {
    /// The store under test.
    pub store: Arc<dyn KeyValue>,
    /// The bucket of this case; others must begin with it.
    pub bucket: String,
}

impl Bench {
    /// A context with time enough.
    #[must_use]
    pub fn context(&self) -> Context {
        Context { deadline: Instant::now() + CASE_TIME, traceparent: None }
    }
}

/// What a case comes to: nothing, or what was wrong.
pub type Outcome = Result<(), String>;

/// A running case.
pub type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// One thing that a store must do.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name, `group::what`.
    pub name: &'static str,
    /// Runs it.
    pub run: fn(Bench) -> Running,
}

/// Lists functions as cases.
macro_rules! group {
    ($group:literal: $($function:ident),* $(,)?) => {
        &[$($crate::keyvalue::conformance::Case {
            name: concat!($group, "::", stringify!($function)),
            run: |bench| Box::pin($function(bench)),
        }),*]
    };
}
use group;

/// Ends a case with a message unless two values are equal.
macro_rules! same {
    ($left:expr, $right:expr) => {
        $crate::keyvalue::conformance::compare(stringify!($left), $left, $right)?
    };
}
use same;

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case> {
    let groups: [&[Case]; 7] = [
        basic::CASES,
        batch::CASES,
        counter::CASES,
        swap::CASES,
        listing::CASES,
        refused::CASES,
        concurrent::CASES,
    ];
    groups.concat()
}

/// Runs every case, one after the other, each with a store from `make`.
///
/// # Errors
/// The cases that failed, by name; its display lists them all.
pub async fn run(make: impl AsyncFn() -> Arc<dyn KeyValue>) -> Result<(), Failures> {
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let mut failures = Vec::new();
    for case in cases() {
        let bucket = format!("{}-{began:x}", case.name.replace("::", "-").replace('_', "-"));
        let bench = Bench { store: make().await, bucket };
        let outcome = match timeout(CASE_TIME, (case.run)(bench)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("did not end within {CASE_TIME:?}")),
        };
        if let Err(reason) = outcome {
            failures.push((case.name, reason));
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(Failures(failures)) }
}

/// The cases that failed, and why.
pub struct Failures(pub Vec<(&'static str, String)>);

impl fmt::Display for Failures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {} cases failed", self.0.len(), cases().len())?;
        self.0.iter().try_for_each(|(name, reason)| write!(formatter, "\n  {name}: {reason}"))
    }
}

impl fmt::Debug for Failures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // So that `unwrap` in a test shows a list and not a structure.
        fmt::Display::fmt(self, formatter)
    }
}

impl std::error::Error for Failures {}

/// Says what differs, shortly.
fn compare<A: fmt::Debug + PartialEq<B>, B: fmt::Debug>(what: &str, found: A, expected: B) -> Outcome {
    if found == expected {
        return Ok(());
    }
    let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
    let short = |text: String| if text.len() > 200 { text.chars().take(200).collect() } else { text };
    let (found, expected) = (short(format!("{found:?}")), short(format!("{expected:?}")));
    Err(format!("{what}: found {found}, expected {expected}"))
}
