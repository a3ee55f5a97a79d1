//! Acts that a client can try, and how it is told that it may not.

use std::path::Path;

use dunlin_testkit::NatsServer;

use crate::client::Client;

/// What somebody tries.
#[derive(Debug, Clone)]
pub enum Act {
    Publish(String),
    Subscribe(String),
}

impl Act {
    pub async fn attempt(&self, client: &Client) {
        match self {
            Self::Publish(subject) => client.publish(subject, "forged").await,
            Self::Subscribe(pattern) => client.listen(pattern).await,
        }
    }

    /// Whether the server says no to it.
    pub async fn is_refused(&self, client: &Client) -> bool {
        match self {
            Self::Publish(subject) => client.is_refused("publish", subject).await,
            Self::Subscribe(pattern) => client.is_refused("subscription", pattern).await,
        }
    }
}

pub fn publish(subject: impl Into<String>) -> Act {
    Act::Publish(subject.into())
}

pub fn subscribe(pattern: impl Into<String>) -> Act {
    Act::Subscribe(pattern.into())
}

/// Tries to connect and gives the refusal.
pub async fn refused(server: &NatsServer, creds: &Path, authority: &Path) -> String {
    match Client::connect(server, creds, authority).await {
        Ok(_) => panic!("{} was let in", creds.display()),
        Err(refusal) => refusal,
    }
}
