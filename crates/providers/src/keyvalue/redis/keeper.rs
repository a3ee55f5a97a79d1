//! Keeps a connection: opens it, and opens another when it is lost or given up, for as long as the store is open.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::connection::Connection;
use super::driver::Driver;
use super::endpoint::Endpoint;
use crate::keyvalue::Error;

/// Least time between two attempts; less than an operation waits for a connection that was just lost.
const LEAST: Duration = Duration::from_millis(50);

/// The time between two attempts is random, at most this at first and twice as much each time.
const FIRST: Duration = Duration::from_millis(100);

/// Most time between two attempts.
const MOST: Duration = Duration::from_secs(2);

/// A connection that lived this long was a good one.
const GOOD: Duration = Duration::from_secs(1);

/// How it stands with the connection.
#[derive(Debug, Clone)]
pub(super) enum Phase {
    /// There is none.
    Connecting {
        /// Why there is none, once that is known.
        trouble: Option<String>,
        /// Whether it is worth a moment's wait: no attempt has failed since there was one.
        hopeful: bool,
    },
    /// There is one.
    Ready {
        connection: Arc<Connection>,
        /// What a user should know of this server.
        notice: Option<String>,
    },
    /// The store was closed.
    Closed,
}

/// Tries for ever. Connections end with this future.
pub(super) async fn keep(endpoint: Endpoint, phase: Arc<watch::Sender<Phase>>) {
    let mut drivers = JoinSet::new();
    let mut pause = FIRST;
    let mut known: Option<String> = None;
    loop {
        let (trouble, hopeful) = match endpoint.open().await {
            Ok((pipe, greeting)) => {
                let (connection, commands, shared) = Connection::new(greeting.digests, greeting.clock);
                drivers.spawn(Driver::new(pipe, commands, shared).run());
                let (connection, notice, began) = (Arc::new(connection), greeting.notice, Instant::now());
                match &notice {
                    Some(notice) => tracing::warn!(server = %endpoint.address, "{notice}"),
                    None => tracing::info!(server = %endpoint.address, "connected to Redis"),
                }
                phase.send_replace(Phase::Ready { connection: Arc::clone(&connection), notice });
                let end = connection.ended().await;
                if began.elapsed() >= GOOD {
                    pause = FIRST;
                }
                let reason = end.as_ref().map_or("the connection ended", |end| end.reason.as_str());
                let reason = format!("cannot use Redis at {}: {reason}", endpoint.address);
                (reason, end.is_some_and(|end| end.lost))
            }
            Err(trouble) => (trouble, false),
        };
        if known.as_ref() != Some(&trouble) {
            tracing::warn!("{trouble}");
            known = Some(trouble.clone());
        }
        phase.send_replace(Phase::Connecting { trouble: Some(trouble), hopeful });
        // Those that are done.
        while drivers.try_join_next().is_some() {}
        let some = rand::rng().random_range(LEAST..=pause);
        sleep(some).await;
        pause = (pause * 2).min(MOST);
    }
}

/// The connection, if there is one; where there is hope of one, waits for it until `until`.
pub(super) async fn connection(
    phase: &watch::Sender<Phase>,
    until: Instant,
) -> Result<Arc<Connection>, Error> {
    let mut phase = phase.subscribe();
    let decided = phase.wait_for(|phase| match phase {
        Phase::Ready { connection, .. } => connection.is_open(),
        Phase::Connecting { hopeful, .. } => !hopeful,
        Phase::Closed => true,
    });
    let found = match timeout_at(until, decided).await {
        Ok(Ok(phase)) => phase.clone(),
        Ok(Err(_)) => Phase::Closed,
        Err(_) => Phase::Connecting { trouble: None, hopeful: true },
    };
    match found {
        Phase::Ready { connection, .. } => Ok(connection),
        Phase::Closed => Err(Error::NotExecuted("the store is closed".into())),
        Phase::Connecting { trouble, .. } => {
            let trouble = trouble.or_else(|| match &*phase.borrow() {
                Phase::Connecting { trouble, .. } => trouble.clone(),
                _ => None,
            });
            Err(Error::NotExecuted(trouble.unwrap_or_else(|| "there is no connection to Redis yet".into())))
        }
    }
}
