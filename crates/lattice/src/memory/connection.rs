//! One host's connections to the in-process bus: the [`Bus`] and [`Connection`] that the rest of the crate sees.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bytes::Bytes;
use dunlin_manifest::HostId;
use tokio::sync::{mpsc, watch};

use super::MAX_PAYLOAD;
use super::shared::{Core, Life, Shared};
use crate::bus::{Bus, BusError, Connection, ConnectionState, Subscription};
use crate::spelling::{check_head, check_pattern};

/// The bus as one host sees it during one life.
#[derive(Debug)]
pub(super) struct MemoryBus {
    shared: Arc<Shared>,
    life: Arc<Life>,
}

impl MemoryBus {
    pub(super) fn new(shared: Arc<Shared>, life: Arc<Life>) -> Self {
        Self { shared, life }
    }
}

#[async_trait]
impl Bus for MemoryBus {
    async fn connect(&self, purpose: &str) -> Result<Arc<dyn Connection>, BusError> {
        let core = self.shared.connect(&self.life).ok_or(BusError::Disconnected)?;
        tracing::debug!(host = %self.life.host, purpose, connection = core.id, "connected");
        Ok(Arc::new(MemoryConnection { shared: Arc::clone(&self.shared), core }))
    }
}

/// A connection; dropping it ends its subscriptions.
#[derive(Debug)]
struct MemoryConnection {
    shared: Arc<Shared>,
    core: Arc<Core>,
}

#[async_trait]
impl Connection for MemoryConnection {
    async fn publish(&self, subject: &str, reply: Option<&str>, payload: Bytes) -> Result<(), BusError> {
        if self.core.connected().is_none() {
            return Err(BusError::Disconnected);
        }
        if payload.len() > MAX_PAYLOAD {
            return Err(BusError::TooLarge { size: payload.len(), limit: MAX_PAYLOAD });
        }
        check_head(subject, reply)?;
        self.shared.publish(&self.core, subject, reply, payload);
        // Nothing here ever waits; without this, one busy publisher would starve its subscribers.
        tokio::task::consume_budget().await;
        Ok(())
    }

    async fn subscribe(&self, pattern: &str) -> Result<Subscription, BusError> {
        check_pattern(pattern)?;
        let (sender, receiver) = mpsc::channel(Subscription::QUEUE);
        if !self.shared.listen(&self.core, pattern, sender) {
            return Err(BusError::Disconnected);
        }
        Ok(Subscription::new(receiver))
    }

    fn max_payload(&self) -> usize {
        MAX_PAYLOAD
    }

    fn state(&self) -> watch::Receiver<ConnectionState> {
        self.core.state.subscribe()
    }

    fn dropped(&self) -> u64 {
        self.core.dropped.load(Ordering::Relaxed)
    }

    async fn linked(&self, _reply: &str) -> Option<bool> {
        let me = &self.core.life.host;
        let others: Vec<HostId> =
            self.shared.living().into_iter().filter(|other| other.site != me.site).collect();
        let reaches = others.is_empty() || self.shared.flights.reach(me, &others);
        Some(self.core.connected().is_some() && reaches)
    }
}

impl Drop for MemoryConnection {
    fn drop(&mut self) {
        self.shared.close(&self.core);
    }
}
