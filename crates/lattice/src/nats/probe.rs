//! What the server lets this user do, asked before anything depends on it: a denied subject is an error in words then,
//! and not silence.

use std::time::Duration;

use async_nats::{Client, Event, ServerError};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::dial::dial;
use super::violation::Violation;
use super::{Borrowed, NatsBus, NatsError};
use crate::permissions::Permissions;

/// Stands for every wildcard of a pattern: nobody is called so.
const NOBODY: &str = "permission-probe";
/// Servers keep these reply subjects for themselves. They look at them after the permission and before anybody
/// receives the message, and say so: thus every probe has an answer, and no receiver.
const RESERVED: &str = "_R_.permission-probe";
/// The number under which the bus keeps what was denied: no connection has it.
const PROBE: u64 = u64::MAX;
/// How long the server may take to answer all of it.
const WAIT: Duration = Duration::from_secs(2);

/// Something that the server does not let this user do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// Publishing, or listening.
    pub what: Deed,
    /// Where: a subject, or a pattern of them.
    pub subject: String,
    /// In the words of the server.
    pub reason: String,
}

/// What one does with a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Sending messages to it.
    Publish,
    /// Receiving those sent to it.
    Subscribe,
}

impl std::fmt::Display for Denied {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, subject, reason } = self;
        let deed = match what {
            Deed::Publish => "publish to",
            Deed::Subscribe => "listen to",
        };
        write!(formatter, "this user may not {deed} {subject}: {reason}")
    }
}

impl NatsBus {
    /// Asks a server which of `permissions` it denies, on a connection of its own. Takes a round trip, at most some
    /// seconds, and disturbs nobody: what it publishes has no receiver, though the server logs each of it.
    ///
    /// What is denied is a trouble of the bus until it is asked again and is not.
    ///
    /// It learns only what this server denies: a leaf's user at the hub is refused silently.
    ///
    /// # Errors
    /// [`NatsError::Unreachable`], and [`NatsError::Silent`] if nothing was denied but not everything answered.
    pub async fn probe(&self, permissions: &Permissions) -> Result<Vec<Denied>, NatsError> {
        let questions = permissions.publish.len() + permissions.subscribe.len() + 1;
        let (heard, mut words) = mpsc::channel(questions);
        let (client, _gone) = self.dial_any(heard).await.map_err(NatsError::Unreachable)?;
        let until = Instant::now() + WAIT;
        let subjects: Vec<String> = permissions.publish.iter().map(|pattern| concrete(pattern)).collect();
        let asking = ask(&client, permissions, &subjects);
        if timeout(WAIT, asking).await.ok().flatten().is_none() {
            return Err(NatsError::Unreachable("the connection was lost".to_owned()));
        }
        let (mut denied, mut answered) = (Vec::new(), 0);
        // The server answers in order, so the last question's answer is the last of all.
        while answered < subjects.len() {
            let Ok(Some(reason)) = timeout_at(until, words.recv()).await else { break };
            match Violation::read(&reason) {
                Some(Violation::Subscribe(subject)) => {
                    denied.push(Denied { what: Deed::Subscribe, subject, reason });
                }
                Some(Violation::Publish(subject)) => {
                    answered += 1;
                    let asked = subjects.iter().position(|asked| *asked == subject);
                    let pattern = asked.and_then(|index| permissions.publish.get(index));
                    let subject = pattern.cloned().unwrap_or(subject);
                    denied.push(Denied { what: Deed::Publish, subject, reason });
                }
                Some(Violation::Reply(_)) => answered += 1,
                None => {}
            }
        }
        let _ended = timeout(WAIT, client.drain()).await;
        if denied.is_empty() && answered < subjects.len() {
            return Err(NatsError::Silent(WAIT));
        }
        self.common.troubles.forget(PROBE);
        for denied in &denied {
            self.common.troubles.refused(PROBE, denied.to_string());
        }
        Ok(denied)
    }

    async fn dial_any(
        &self,
        heard: mpsc::Sender<String>,
    ) -> Result<(Client, tokio_util::sync::CancellationToken), String> {
        let mut reasons = Vec::new();
        for server in &self.target.servers {
            let heard = heard.clone();
            let hear = move |event| {
                if let Event::ServerError(ServerError::Other(words)) = event {
                    // There is room for one answer to each question.
                    let _room = heard.try_send(words);
                }
            };
            match dial(&self.target, server, format!("{} probe", self.target.name).trim(), hear).await {
                Ok(dialled) => return Ok(dialled),
                Err(reason) => reasons.push(reason),
            }
        }
        Err(reasons.join("; "))
    }
}

/// Subscriptions first, and each ends at once; `None` if the connection is lost.
async fn ask(client: &Client, permissions: &Permissions, subjects: &[String]) -> Option<()> {
    for pattern in &permissions.subscribe {
        drop(client.subscribe(Borrowed(pattern)).await.ok()?);
    }
    for subject in subjects {
        client.publish_with_reply(Borrowed(subject), Borrowed(RESERVED), Bytes::new()).await.ok()?;
    }
    Some(())
}

/// A subject that the pattern matches and that nobody uses.
fn concrete(pattern: &str) -> String {
    let tokens: Vec<&str> =
        pattern.split('.').map(|token| if matches!(token, "*" | ">") { NOBODY } else { token }).collect();
    tokens.join(".")
}
