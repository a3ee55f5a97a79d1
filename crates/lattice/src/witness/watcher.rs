//! The viewer's side: keeps asking, hears what all hosts tell, and knows how much it missed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dunlin_manifest::{HostId, is_dns_label};

use super::{AGAIN, Record, frames};
use crate::subjects::Subjects;
use crate::{BusError, Connection, Subscription};

/// How often hosts are asked again: a few times within [`super::WATCHED`], as a word may be lost.
const ASK: Duration = Duration::from_secs(3);
/// So many hosts are followed by number; of others nothing is known to be missed.
const HOSTS: usize = 10_000;

/// What a viewer hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Of a call.
    Record(Box<Record>),
    /// That so many records did not arrive: they were too many for their host, for the bus, or for the viewer.
    Missed(u64),
}

/// Hears of the calls of all hosts until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    connection: Hidden,
    subjects: Subjects,
    records: Option<Subscription>,
    /// The incarnation and the next number of every host.
    numbers: HashMap<HostId, (u64, u64)>,
    waiting: Option<Record>,
    refused: u64,
    asking: tokio::task::AbortHandle,
}

struct Hidden(Arc<dyn Connection>);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Connection")
    }
}

impl Watcher {
    /// Begins to watch in the name of `viewer`, a DNS label: a host's own name, or that of a viewer's user.
    ///
    /// # Errors
    /// No connection, or the bus refuses to let this user look on.
    pub async fn start(
        connection: Arc<dyn Connection>,
        subjects: Subjects,
        viewer: &str,
    ) -> Result<Self, BusError> {
        let subject = subjects.watch(viewer);
        if !is_dns_label(viewer) {
            let reason = "a viewer's name is a DNS label".to_owned();
            return Err(BusError::Refused { subject, reason });
        }
        let records = Some(connection.subscribe(&subjects.traces()).await?);
        connection.publish(&subject, None, frames::encode_watch()).await?;
        let asker = Arc::clone(&connection);
        let asking = tokio::spawn(async move {
            loop {
                tokio::time::sleep(ASK).await;
                if let Err(error) = asker.publish(&subject, None, frames::encode_watch()).await {
                    tracing::debug!(%error, "hosts are not asked to tell of their calls");
                }
            }
        });
        Ok(Self {
            connection: Hidden(connection),
            subjects,
            records,
            numbers: HashMap::new(),
            waiting: None,
            refused: 0,
            asking: asking.abort_handle(),
        })
    }

    /// The next thing told. Waits for as long as it takes, also for a connection that is down.
    pub async fn next(&mut self) -> Told {
        loop {
            if let Some(record) = self.waiting.take() {
                return Told::Record(Box::new(record));
            }
            let Some(records) = &mut self.records else {
                self.records = self.connection.0.subscribe(&self.subjects.traces()).await.ok();
                if self.records.is_none() {
                    tokio::time::sleep(AGAIN).await;
                }
                continue;
            };
            let Some(message) = records.next().await else {
                self.records = None;
                continue;
            };
            match frames::read(&self.subjects, &message.subject, message.payload) {
                Ok((record, incarnation, number)) => {
                    let missed = self.missed(&record.from, incarnation, number);
                    self.waiting = Some(record);
                    if missed > 0 {
                        return Told::Missed(missed);
                    }
                }
                Err(refused) => {
                    self.refused += 1;
                    tracing::debug!(subject = %message.subject, %refused, "refused a record");
                }
            }
        }
    }

    /// Messages that were refused because they are no records.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    fn missed(&mut self, from: &HostId, incarnation: u64, number: u64) -> u64 {
        let next = (incarnation, number.saturating_add(1));
        match self.numbers.get_mut(from) {
            Some(known) => match std::mem::replace(known, next) {
                (same, expected) if same == incarnation => number.saturating_sub(expected),
                _ => 0,
            },
            None => {
                if self.numbers.len() < HOSTS {
                    self.numbers.insert(from.clone(), next);
                }
                0
            }
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.asking.abort();
    }
}
