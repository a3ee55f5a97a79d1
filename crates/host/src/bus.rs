//! The bus with a list of the connections that this host made, so that their health can be shown.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use dunlin_lattice::{Bus, BusError, Connection};

/// The connections of one host by purpose. It keeps none of them open.
#[derive(Default)]
pub(crate) struct Connections {
    made: Mutex<Vec<(String, Weak<dyn Connection>)>>,
}

/// How the connections of one purpose are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Health {
    /// Whether all of them stand.
    pub(crate) connected: bool,
    /// Times that one was made anew.
    pub(crate) reconnects: u64,
    /// Messages that one dropped because too many waited.
    pub(crate) dropped: u64,
}

impl Connections {
    /// How they are now.
    pub(crate) fn now(&self) -> BTreeMap<String, Health> {
        let mut all = BTreeMap::new();
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        for (purpose, connection) in made.iter() {
            let health: &mut Health =
                all.entry(purpose.clone()).or_insert(Health { connected: true, reconnects: 0, dropped: 0 });
            let Some(connection) = connection.upgrade() else {
                health.connected = false;
                continue;
            };
            let state = *connection.state().borrow();
            health.connected &= state.connected;
            health.reconnects += state.generation.saturating_sub(1);
            health.dropped += connection.dropped();
        }
        all
    }
}

/// A bus that notes the connections it makes.
pub(crate) struct NotedBus {
    bus: Arc<dyn Bus>,
    connections: Arc<Connections>,
}

impl NotedBus {
    /// Notes what `bus` connects from now on.
    pub(crate) fn around(bus: Arc<dyn Bus>) -> (Arc<dyn Bus>, Arc<Connections>) {
        let connections = Arc::<Connections>::default();
        (Arc::new(Self { bus, connections: Arc::clone(&connections) }), connections)
    }
}

#[async_trait]
impl Bus for NotedBus {
    async fn connect(&self, purpose: &str) -> Result<Arc<dyn Connection>, BusError> {
        let connection = self.bus.connect(purpose).await?;
        let mut made = self.connections.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.push((purpose.to_owned(), Arc::downgrade(&connection)));
        Ok(connection)
    }

    fn trouble(&self) -> Option<String> {
        self.bus.trouble()
    }
}

#[cfg(test)]
mod tests {
    use dunlin_lattice::memory::Network;
    use dunlin_manifest::HostId;

    use super::*;

    struct Troubled(Arc<dyn Bus>);

    #[async_trait]
    impl Bus for Troubled {
        async fn connect(&self, purpose: &str) -> Result<Arc<dyn Connection>, BusError> {
            self.0.connect(purpose).await
        }

        fn trouble(&self) -> Option<String> {
            Some("it rains".to_owned())
        }
    }

    #[tokio::test]
    async fn connections_are_told_apart_by_purpose_and_kept_by_others() {
        let network = Network::new(1);
        let troubled = Troubled(network.bus(&HostId::new("gcp", "gcp-1")));
        let (bus, connections) = NotedBus::around(Arc::new(troubled));
        assert_eq!(bus.trouble().as_deref(), Some("it rains"));
        assert!(connections.now().is_empty());
        let (one, _other) = (bus.connect("calls").await.unwrap(), bus.connect("presence").await.unwrap());
        let well = Health { connected: true, reconnects: 0, dropped: 0 };
        assert_eq!(connections.now(), [("calls".to_owned(), well), ("presence".to_owned(), well)].into());
        drop(one);
        let gone = Health { connected: false, ..well };
        assert_eq!(connections.now(), [("calls".to_owned(), gone), ("presence".to_owned(), well)].into());
    }
}
