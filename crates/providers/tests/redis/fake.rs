//! A server that is not one: it speaks as Redis does, misbehaves as it is told, and remembers every byte it got.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What it does about a command after the first words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Deed {
    Answer,
    /// Closes the connection.
    Close,
    /// Closes the connection in the middle of the answer.
    CloseWithin,
    /// Says that it does not know the script.
    NoScript,
    /// Answers with what is no answer.
    Babble,
    /// Reads nothing more until it is woken, and then answers.
    Sleep,
}

/// What all its connections share.
struct State {
    deed: Box<dyn Fn(usize) -> Deed + Send + Sync>,
    /// What came in over each connection that has ended.
    received: Mutex<Vec<Vec<u8>>>,
    awake: watch::Sender<bool>,
    connections: AtomicUsize,
    commands: AtomicUsize,
    /// Its clock shows this many microseconds, and what has passed since.
    clock: AtomicI64,
    began: Instant,
}

#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

impl Fake {
    /// Does `deed(n)` about the n-th command of all connections.
    pub(crate) async fn start(deed: impl Fn(usize) -> Deed + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = Arc::new(State {
            deed: Box::new(deed),
            received: Mutex::default(),
            awake: watch::Sender::new(false),
            connections: AtomicUsize::new(0),
            commands: AtomicUsize::new(0),
            clock: AtomicI64::new(1_700_000_000_000_000),
            began: Instant::now(),
        });
        let fake = Self { address: listener.local_addr().unwrap(), state };
        let serving = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.state.connections.fetch_add(1, Ordering::Relaxed);
                let fake = serving.clone();
                tokio::spawn(async move {
                    let mut bytes = Vec::new();
                    // An error says that the other end closed it first.
                    let _ = fake.serve(stream, &mut bytes).await;
                    fake.state.received.lock().unwrap().push(bytes);
                });
            }
        });
        fake
    }

    /// The marks (`<mark>`) that came in, over all connections that have ended, and how often each.
    pub(crate) fn marks(&self) -> BTreeMap<String, usize> {
        let mut marks = BTreeMap::new();
        for bytes in self.state.received.lock().unwrap().iter() {
            for part in bytes.split(|byte| *byte == b'<').skip(1) {
                let end = part.iter().take(20).position(|byte| *byte == b'>');
                let mark = end.map(|end| String::from_utf8_lossy(&part[..end]).into_owned());
                *marks.entry(mark.unwrap_or_default()).or_default() += 1;
            }
        }
        marks
    }

    /// Ends all [`Deed::Sleep`].
    pub(crate) fn wake(&self) {
        self.state.awake.send_replace(true);
    }

    /// Sets its clock, by so many seconds.
    pub(crate) fn set_clock(&self, seconds: i64) {
        self.state.clock.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    /// Commands that came in, after the first words.
    pub(crate) fn commands(&self) -> usize {
        self.state.commands.load(Ordering::Relaxed)
    }

    /// Whether all connections have ended, and how many there were.
    pub(crate) fn ended(&self) -> Option<usize> {
        let ended = self.state.received.lock().unwrap().len();
        (ended == self.state.connections.load(Ordering::Relaxed)).then_some(ended)
    }

    fn time(&self) -> i64 {
        let passed = i64::try_from(self.state.began.elapsed().as_micros()).unwrap();
        self.state.clock.load(Ordering::Relaxed) + passed
    }

    async fn serve(&self, mut stream: TcpStream, bytes: &mut Vec<u8>) -> std::io::Result<()> {
        let mut done = 0;
        loop {
            while let Some((words, length)) = command(&bytes[done..]) {
                done += length;
                let Some(answer) = self.answer(&words).await else { return Ok(()) };
                stream.write_all(answer.as_bytes()).await?;
                if answer == HALF {
                    return Ok(());
                }
            }
            if stream.read_buf(bytes).await? == 0 {
                return Ok(());
            }
        }
    }

    async fn answer(&self, words: &[String]) -> Option<String> {
        let value = |text: String| format!("${}\r\n{text}\r\n", text.len());
        Some(match words[0].as_str() {
            "HELLO" => "*4\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n".into(),
            "SCRIPT" => value("a".repeat(40)),
            "CONFIG" => "*0\r\n".into(),
            "TIME" => {
                let time = self.time();
                let (seconds, micros) = (time / 1_000_000, time % 1_000_000);
                format!("*2\r\n{}{}", value(seconds.to_string()), value(micros.to_string()))
            }
            _ => match (self.state.deed)(self.state.commands.fetch_add(1, Ordering::Relaxed)) {
                // A write: digest, one key, its name, the latest moment to begin.
                Deed::Answer if words[4].parse::<i64>().is_ok_and(|latest| latest < self.time()) => {
                    "-LATE the deadline passed before the command began\r\n".into()
                }
                Deed::Answer => "+OK\r\n".into(),
                Deed::Sleep => {
                    let _ = self.state.awake.subscribe().wait_for(|awake| *awake).await;
                    "+OK\r\n".into()
                }
                Deed::Close => return None,
                Deed::CloseWithin => HALF.into(),
                Deed::NoScript => "-NOSCRIPT No matching script. Please use EVAL.\r\n".into(),
                Deed::Babble => "HTTP/1.1 400 Bad Request\r\n\r\n".into(),
            },
        })
    }
}

/// Half an answer.
const HALF: &str = "+O";

/// The first command of `bytes`, if it is there as a whole, and its length.
fn command(bytes: &[u8]) -> Option<(Vec<String>, usize)> {
    let mut at = 0;
    let number = |at: &mut usize| -> Option<usize> {
        let length = bytes.get(*at..)?.windows(2).position(|end| end == b"\r\n")?;
        let text = std::str::from_utf8(&bytes[*at + 1..*at + length]).unwrap();
        *at += length + 2;
        Some(text.parse().unwrap())
    };
    let mut words = Vec::new();
    for _ in 0..number(&mut at)? {
        let length = number(&mut at)?;
        words.push(String::from_utf8_lossy(bytes.get(at..at + length)?).into_owned());
        at += length + 2;
    }
    (at <= bytes.len()).then_some((words, at))
}
