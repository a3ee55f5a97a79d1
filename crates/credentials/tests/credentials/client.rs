//! A client of NATS that collects what it hears and what the server refuses it.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::{ConnectOptions, Event, Message, Subscriber};
use dunlin_testkit::NatsServer;
use futures::StreamExt;
use tokio::sync::mpsc;

/// How long silence must last to be believed: many times what a message over three servers takes.
pub const SILENCE: Duration = Duration::from_millis(400);

pub struct Client {
    pub nats: async_nats::Client,
    heard: mpsc::UnboundedReceiver<Message>,
    sender: mpsc::UnboundedSender<Message>,
    refusals: Arc<Mutex<Vec<String>>>,
    passed_over: Vec<String>,
}

impl Client {
    pub async fn connect(server: &NatsServer, creds: &Path, authority: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(creds).unwrap();
        let options = ConnectOptions::with_credentials(&text).unwrap().require_tls(true);
        Self::with(options.add_root_certificates(authority.to_owned()), server).await
    }

    pub async fn with(options: ConnectOptions, server: &NatsServer) -> Result<Self, String> {
        let refusals = Arc::new(Mutex::new(Vec::new()));
        let note = refusals.clone();
        let options = options
            .connection_timeout(Duration::from_secs(5))
            .ignore_discovered_servers()
            .max_reconnects(1)
            .event_callback(move |event| {
                let note = note.clone();
                async move {
                    if let Event::ServerError(error) = event {
                        note.lock().unwrap().push(error.to_string().to_lowercase());
                    }
                }
            });
        let address = format!("localhost:{}", server.address().port());
        let nats = options.connect(address).await.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            format!("{error}: {cause}").to_lowercase()
        })?;
        let (sender, heard) = mpsc::unbounded_channel();
        Ok(Self { nats, heard, sender, refusals, passed_over: Vec::new() })
    }

    /// Subscribes and waits until the server has taken it.
    pub async fn listen(&self, pattern: &str) {
        let mut subscriber: Subscriber = self.nats.subscribe(pattern.to_owned()).await.unwrap();
        self.nats.flush().await.unwrap();
        let sender = self.sender.clone();
        tokio::spawn(async move {
            while let Some(message) = subscriber.next().await {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
    }

    pub async fn publish(&self, subject: &str, text: &str) {
        self.nats.publish(subject.to_owned(), text.to_owned().into()).await.unwrap();
        self.nats.flush().await.unwrap();
    }

    pub async fn ask(&self, subject: &str, reply: &str, text: &str) {
        let (subject, reply) = (subject.to_owned(), reply.to_owned());
        self.nats.publish_with_reply(subject, reply, text.to_owned().into()).await.unwrap();
        self.nats.flush().await.unwrap();
    }

    /// The next message on `subject`, if one comes; others are passed over.
    pub async fn next(&mut self, subject: &str) -> Option<Message> {
        self.within(Duration::from_secs(5), subject).await
    }

    /// Whether a message on `subject` comes before a long silence; others are passed over.
    pub async fn hears_of(&mut self, subject: &str) -> bool {
        self.within(SILENCE, subject).await.is_some()
    }

    /// The next message on `subject` within `bound`; others are passed over.
    pub async fn within(&mut self, bound: Duration, subject: &str) -> Option<Message> {
        let until = Instant::now() + bound;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            let message = tokio::time::timeout(left, self.heard.recv()).await.ok().flatten()?;
            if message.subject.as_str() == subject {
                return Some(message);
            }
            self.passed_over.push(message.subject.to_string());
        }
        None
    }

    /// What was heard and not waited for.
    pub fn passed_over(&self) -> Vec<String> {
        self.passed_over.clone()
    }

    /// Whether the server refused an act: `publish` or `subscription`, with this subject.
    pub async fn is_refused(&self, act: &str, subject: &str) -> bool {
        let words =
            [act.to_owned(), "permissions violation".to_owned(), format!("\"{}\"", subject.to_lowercase())];
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            let refusals = self.refusals.lock().unwrap().clone();
            if refusals.iter().any(|refusal| words.iter().all(|word| refusal.contains(word))) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }

    pub fn refusals(&self) -> Vec<String> {
        self.refusals.lock().unwrap().clone()
    }
}
