//! Whether the server has a link to others, as it tells each of its users.
//!
//! Every nats-server counts the leaf connections of an account, incoming and outgoing alike, and answers an account's
//! own users. A site's leaf has one, its link to the hub; a hub has one for each site; a single server has none ever.
//! So a server that had exactly one and has none now has lost its link, and of any other nothing is concluded.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::bus::Connection;
use crate::permissions::SERVER_LINKS;

/// How long servers may take to answer. Those of one site answer each for itself.
const WAIT: Duration = Duration::from_millis(500);
/// How many servers are remembered; a site has a few.
const SERVERS: usize = 64;

/// What servers told before.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// The most leaf connections that each server had.
    most: Mutex<BTreeMap<String, u64>>,
}

impl Links {
    /// Asks the servers; `reply` is where this user may hear answers. `None` if nothing can be concluded.
    pub(super) async fn ask(&self, connection: &dyn Connection, reply: &str) -> Option<bool> {
        let mut answers = connection.subscribe(reply).await.ok()?;
        connection.publish(SERVER_LINKS, Some(reply), Bytes::new()).await.ok()?;
        let until = Instant::now() + WAIT;
        let mut linked = None;
        while let Ok(Some(answer)) = timeout_at(until, answers.next()).await {
            match read(&answer.payload).and_then(|(server, links)| self.conclude(server, links)) {
                Some(true) => return Some(true),
                Some(false) => linked = Some(false),
                None => {}
            }
        }
        linked
    }

    /// What one server's answer says.
    fn conclude(&self, server: String, links: u64) -> Option<bool> {
        let mut most = self.most.lock().unwrap_or_else(PoisonError::into_inner);
        if most.len() >= SERVERS && !most.contains_key(&server) {
            most.clear();
        }
        let before = most.entry(server).or_default();
        *before = links.max(*before);
        match (links, *before) {
            (0, 1) => Some(false),
            (0, _) => None,
            _ => Some(true),
        }
    }
}

/// The server's id and how many leaf connections our account has there.
fn read(answer: &[u8]) -> Option<(String, u64)> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let server = answer.pointer("/server/id")?.as_str()?.to_owned();
    let accounts = answer.pointer("/data/account_statz")?.as_array()?;
    let links = accounts.iter().filter_map(|account| account.get("leafnodes")?.as_u64());
    Some((server, links.sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_leaf_loses_its_link() {
        let links = Links::default();
        let says = |server: &str, count| links.conclude(server.to_owned(), count);
        assert_eq!(says("alone", 0), None, "no leaf, or none that was ever linked");
        assert_eq!(
            [says("leaf", 1), says("leaf", 0), says("leaf", 1)],
            [Some(true), Some(false), Some(true)]
        );
        assert_eq!([says("hub", 1), says("hub", 2), says("hub", 0)], [Some(true), Some(true), None]);
        for server in 0..1000 {
            says(&server.to_string(), 1);
        }
        assert!(links.most.lock().unwrap().len() <= SERVERS);
    }

    #[test]
    fn answers_are_read_as_servers_write_them() {
        let answer = br#"{"server":{"name":"n","id":"NA1","ver":"2.14.9"},"data":{"server_id":"NA1",
            "account_statz":[{"acc":"AA2","name":"todo","conns":3,"leafnodes":1,"total_conns":4}]}}"#;
        assert_eq!(read(answer), Some(("NA1".to_owned(), 1)));
        assert_eq!(read(b""), None);
        assert_eq!(read(br#"{"server":{"id":"NA1"},"error":{"code":500}}"#), None);
    }
}
