//! The first words on a connection: who we are, what the server is, our scripts, and its time. One round trip.

use std::fmt;

use bytes::Bytes;
use redis_protocol::resp2::types::{BytesFrame, Resp2Frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::clock::Clock;
use super::pipe::Stream;
use super::protocol::{Decoder, Reply, encode};
use super::refusal::Refusal;
use super::scripts::ALL;

/// How to get in.
#[derive(Clone, Default)]
pub(super) struct Login {
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) database: u32,
}

impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Login(..)")
    }
}

/// What is known after the first words.
pub(super) struct Greeting {
    pub(super) clock: Clock,
    /// The digests of the scripts.
    pub(super) digests: Vec<Bytes>,
    /// Why what was acknowledged might not be kept.
    pub(super) notice: Option<String>,
}

/// Says hello; an error is in words, and shows nothing of `login`.
pub(super) async fn greet(
    stream: &mut dyn Stream,
    decoder: &mut Decoder,
    login: &Login,
) -> Result<Greeting, String> {
    let words = words(login);
    let bytes: Vec<u8> = words.iter().flat_map(|words| encode(words)).collect();
    let sent = Instant::now();
    let lost = |error: std::io::Error| format!("the connection was lost while it was opened: {error}");
    stream.write_all(&bytes).await.map_err(lost)?;
    stream.flush().await.map_err(lost)?;
    let mut greeting = Greeting { clock: Clock::new(sent, sent, 0), digests: Vec::new(), notice: None };
    for words in words {
        let reply = receive(stream, decoder).await?;
        let (first, second) = (words.first().map(Bytes::as_ref), words.get(1));
        match (first, &reply) {
            (Some(b"CONFIG"), _) => greeting.notice = notice(&reply),
            (_, Reply::Frame(BytesFrame::Error(said))) => {
                return Err(refused(first, Refusal::new(said), login.database));
            }
            (Some(b"HELLO"), _) => {
                let role = Role::of(&reply).ok_or("it does not say what it is, as Redis does")?;
                role.trouble().map_or(Ok(()), |words| Err(words.to_owned()))?;
            }
            (Some(b"SCRIPT"), Reply::Frame(BytesFrame::BulkString(digest))) => {
                greeting.digests.push(digest.clone());
            }
            (Some(b"TIME"), _) => {
                let time = server_time(&reply).ok_or("it does not tell its time, as Redis does")?;
                greeting.clock = Clock::new(sent, Instant::now(), time);
            }
            (Some(b"SELECT"), _) => {}
            _ => return Err(format!("it gave no proper answer to {second:?}")),
        }
    }
    Ok(greeting)
}

fn words(login: &Login) -> Vec<Vec<Bytes>> {
    let word = |text: &'static str| Bytes::from_static(text.as_bytes());
    let mut hello = vec![word("HELLO"), word("2")];
    if let Some(password) = &login.password {
        let username = login.username.as_deref().unwrap_or("default").to_owned();
        hello.extend([word("AUTH"), username.into(), password.clone().into()]);
    }
    hello.extend([word("SETNAME"), word("dunlin")]);
    let mut all = vec![hello];
    if login.database != 0 {
        all.push(vec![word("SELECT"), login.database.to_string().into()]);
    }
    all.extend(ALL.map(|script| vec![word("SCRIPT"), word("LOAD"), word(script.text())]));
    all.push(vec![word("CONFIG"), word("GET"), word("append*")]);
    all.push(vec![word("TIME")]);
    all
}

async fn receive(stream: &mut dyn Stream, decoder: &mut Decoder) -> Result<Reply, String> {
    loop {
        if let Some(reply) = decoder.next().map_err(|error| error.to_string())? {
            return Ok(reply);
        }
        match stream.read_buf(&mut decoder.buffer).await {
            Ok(0) => return Err("it closed the connection without an answer".into()),
            Ok(_) => {}
            Err(error) => return Err(format!("the connection was lost while it was opened: {error}")),
        }
    }
}

fn refused(command: Option<&[u8]>, refusal: Refusal<'_>, database: u32) -> String {
    let Refusal { code, text } = refusal;
    match (command, refusal.words()) {
        (_, Some(words)) => format!("{words} ({code})"),
        (Some(b"HELLO"), None) if text.starts_with("unknown command") => {
            "it does not know HELLO: Redis 6 or later, or Valkey, is needed".into()
        }
        (Some(b"SELECT"), None) => format!("it has no database {database}: {text}"),
        _ => format!("it refused: {code} {text}"),
    }
}

/// The server's time in microseconds.
pub(super) fn server_time(reply: &Reply) -> Option<i64> {
    let Reply::Frame(BytesFrame::Array(parts)) = reply else { return None };
    let number = |frame: &BytesFrame| frame.as_str()?.parse::<i64>().ok();
    match parts.as_slice() {
        [seconds, micros] => number(seconds)?.checked_mul(1_000_000)?.checked_add(number(micros)?),
        _ => None,
    }
}

/// What a server is to others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Role {
    mode: String,
    role: String,
}

impl Role {
    /// From the answer to HELLO.
    pub(super) fn of(reply: &Reply) -> Option<Self> {
        let fields = pairs(reply)?;
        let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        Some(Self { mode: field("mode")?, role: field("role")? })
    }

    /// Why it is not a server for us.
    pub(super) fn trouble(&self) -> Option<&'static str> {
        let code = match (self.mode.as_str(), self.role.as_str()) {
            ("cluster", _) => "MOVED",
            ("sentinel", _) => return Some("it is a Sentinel, which knows where data is but has none"),
            (_, "master") => return None,
            _ => "READONLY",
        };
        Refusal { code, text: "" }.words()
    }
}

/// Why what is acknowledged may be lost; nothing if the server does not let us look.
fn notice(reply: &Reply) -> Option<String> {
    let fields = pairs(reply)?;
    let wanted = [("appendonly", "yes"), ("appendfsync", "always")];
    let (name, value) = wanted
        .iter()
        .find_map(|(name, value)| fields.iter().find(|(key, found)| key == name && found != value))?
        .clone();
    Some(format!(
        "Redis may lose what it has acknowledged when it stops: it runs with {name} {value}; \
         what is acknowledged is kept only with appendonly yes and appendfsync always"
    ))
}

/// A list of names and values.
fn pairs(reply: &Reply) -> Option<Vec<(String, String)>> {
    let Reply::Frame(BytesFrame::Array(parts)) = reply else { return None };
    let text = |frame: &BytesFrame| frame.as_str().unwrap_or_default().to_owned();
    let pair = |pair: &[BytesFrame]| pair.first().map(text).zip(pair.get(1).map(text));
    Some(parts.chunks(2).filter_map(pair).collect())
}
