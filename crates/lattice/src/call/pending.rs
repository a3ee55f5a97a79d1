//! Calls of one connection that wait for their reply.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dunlin_manifest::HostId;
use tokio::sync::oneshot;

use super::frames;
use crate::stream::{BodyBroken, Reader, Route};

/// A power of two; ids are random, so their low bits spread evenly.
const SHARDS: usize = 16;

/// What came back for a call.
pub(crate) enum Heard {
    /// An answer; of a streamed body its reader, or why there is none.
    Answer(frames::Answer, Option<Result<Reader, BodyBroken>>),
    Refusal(frames::Refusal),
    NoResponders,
    Reset(String),
    ConnectionLost,
}

/// One call that waits.
pub(crate) struct Waiting {
    pub(crate) peer: Arc<HostId>,
    pub(crate) route: Route,
    /// Which making of the connection it was sent on.
    pub(crate) generation: u64,
    pub(crate) heard: oneshot::Sender<Heard>,
}

/// By call id. Locks are held for one lookup.
#[derive(Default)]
pub(crate) struct Pending {
    shards: [Mutex<HashMap<u128, Waiting>>; SHARDS],
}

impl Pending {
    pub(crate) fn insert(&self, id: u128, waiting: Waiting) {
        self.shard(id).insert(id, waiting);
    }

    pub(crate) fn take(&self, id: u128) -> Option<Waiting> {
        self.shard(id).remove(&id)
    }

    /// Fails every call that was sent on a making of the connection up to `generation`.
    pub(crate) fn lose(&self, generation: u64) {
        for shard in &self.shards {
            let lost: Vec<Waiting> = {
                let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
                shard
                    .extract_if(|_, waiting| waiting.generation <= generation)
                    .map(|(_, lost)| lost)
                    .collect()
            };
            for waiting in lost {
                let _gone = waiting.heard.send(Heard::ConnectionLost);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    fn shard(&self, id: u128) -> MutexGuard<'_, HashMap<u128, Waiting>> {
        let index = (id as usize) % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
