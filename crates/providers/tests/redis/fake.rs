//! A server that is not one: it speaks as Redis does, misbehaves as it is told, and remembers every byte it got.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

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

pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Vec<u8>>>>,
    awake: watch::Sender<bool>,
    begun: Arc<AtomicUsize>,
    commands: Arc<AtomicUsize>,
}

impl Fake {
    /// Does `deed(n)` about the n-th command of all connections.
    pub(crate) async fn start(deed: impl Fn(usize) -> Deed + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let awake = watch::Sender::new(false);
        let waking = awake.subscribe();
        let (begun, commands) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (all, deed, count) = (Arc::clone(&received), Arc::new(deed), Arc::clone(&commands));
        let connections = Arc::clone(&begun);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                let (all, deed, count) = (Arc::clone(&all), Arc::clone(&deed), Arc::clone(&count));
                let waking = waking.clone();
                tokio::spawn(async move {
                    let mut bytes = Vec::new();
                    let next = || deed(count.fetch_add(1, Ordering::Relaxed));
                    let _ = serve(stream, &mut bytes, next, waking).await;
                    all.lock().unwrap().push(bytes);
                });
            }
        });
        Self { address, received, awake, begun, commands }
    }

    /// The marks (`<mark>`) that came in, over all connections that have ended, and how often each.
    pub(crate) fn marks(&self) -> BTreeMap<String, usize> {
        let mut marks = BTreeMap::new();
        for bytes in self.received.lock().unwrap().iter() {
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
        self.awake.send_replace(true);
    }

    /// Commands that came in, after the first words.
    pub(crate) fn seen(&self) -> usize {
        self.commands.load(Ordering::Relaxed)
    }

    /// Connections that were made.
    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    /// Connections that have ended.
    pub(crate) fn ended(&self) -> usize {
        self.received.lock().unwrap().len()
    }
}

async fn serve(
    mut stream: TcpStream,
    bytes: &mut Vec<u8>,
    next: impl Fn() -> Deed,
    mut waking: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let mut done = 0;
    loop {
        while let Some((words, length)) = command(&bytes[done..]) {
            done += length;
            let answer = match words[0].as_str() {
                "HELLO" => {
                    "*4\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n".to_owned()
                }
                "SCRIPT" => format!("$40\r\n{}\r\n", "a".repeat(40)),
                "CONFIG" => "*0\r\n".to_owned(),
                "TIME" => "*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n".to_owned(),
                _ => match next() {
                    Deed::Answer => "+OK\r\n".to_owned(),
                    Deed::Sleep => {
                        let _ = waking.wait_for(|awake| *awake).await;
                        "+OK\r\n".to_owned()
                    }
                    Deed::Close => return Ok(()),
                    Deed::CloseWithin => {
                        stream.write_all(b"+O").await?;
                        return Ok(());
                    }
                    Deed::NoScript => "-NOSCRIPT No matching script. Please use EVAL.\r\n".to_owned(),
                    Deed::Babble => "HTTP/1.1 400 Bad Request\r\n\r\n".to_owned(),
                },
            };
            stream.write_all(answer.as_bytes()).await?;
        }
        if stream.read_buf(bytes).await? == 0 {
            return Ok(());
        }
    }
}

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
