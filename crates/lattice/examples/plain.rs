//! Request and reply with the NATS client alone: what `cargo xtask bench call` compares the calls of hosts with.
//!
//! `plain answer SERVER AUTHORITY CREDENTIALS PATTERN BYTES` answers every request with so many bytes.
//! `plain ask SERVER AUTHORITY CREDENTIALS INBOX SUBJECT TIMES AT_ONCE` asks that often from each of so many tasks, and
//! prints in nanoseconds what half of the requests took at most, and all together.

use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

use async_nats::{Client, ConnectOptions, Subject};
use bytes::Bytes;
use futures::StreamExt;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// As long as a host's request for a key of some letters.
const REQUEST: &[u8] = &[b'x'; 96];

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["answer", server, authority, credentials, pattern, bytes] => {
            let client = connect(server, authority, credentials, None).await?;
            answer(&client, (*pattern).to_owned(), bytes.parse()?).await
        }
        ["ask", server, authority, credentials, inbox, subject, times, at_once] => {
            let client = connect(server, authority, credentials, Some(inbox)).await?;
            let subject = Subject::from((*subject).to_owned());
            ready(&client, &subject).await?;
            let (middle, total) = ask(&client, &subject, times.parse()?, at_once.parse()?).await?;
            writeln!(std::io::stdout(), "{} {}", middle.as_nanos(), total.as_nanos())?;
            Ok(())
        }
        _ => Err("say `answer` or `ask`, with what the first lines of this file list".into()),
    }
}

async fn connect(server: &str, authority: &str, credentials: &str, inbox: Option<&str>) -> Outcome<Client> {
    let mut options = ConnectOptions::with_credentials_file(credentials).await?;
    options = options.add_root_certificates(authority.into());
    if let Some(inbox) = inbox {
        options = options.custom_inbox_prefix(inbox);
    }
    Ok(options.connect(server).await?)
}

async fn answer(client: &Client, pattern: String, bytes: usize) -> Outcome<()> {
    let answer = Bytes::from(vec![b'x'; bytes]);
    let mut requests = client.subscribe(pattern).await?;
    while let Some(request) = requests.next().await {
        if let Some(reply) = request.reply {
            client.publish(reply, answer.clone()).await?;
        }
    }
    Ok(())
}

/// Waits until somebody answers, and a little of the way is warm.
async fn ready(client: &Client, subject: &Subject) -> Outcome<()> {
    let begun = Instant::now();
    let mut answered = 0;
    while answered < 50 {
        match client.request(subject.clone(), Bytes::from_static(REQUEST)).await {
            Ok(_) => answered += 1,
            Err(error) if begun.elapsed() > Duration::from_secs(10) => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    Ok(())
}

async fn ask(
    client: &Client,
    subject: &Subject,
    times: usize,
    at_once: usize,
) -> Outcome<(Duration, Duration)> {
    let begun = Instant::now();
    let asking = (0..at_once).map(|_| {
        let (client, subject) = (client.clone(), subject.clone());
        tokio::spawn(async move {
            let mut durations = Vec::with_capacity(times);
            for _ in 0..times {
                let asked = Instant::now();
                client.request(subject.clone(), Bytes::from_static(REQUEST)).await?;
                durations.push(asked.elapsed());
            }
            Ok::<_, async_nats::RequestError>(durations)
        })
    });
    let mut durations = Vec::new();
    for task in asking.collect::<Vec<_>>() {
        durations.extend(task.await??);
    }
    let total = begun.elapsed();
    durations.sort_unstable();
    Ok((durations.get(durations.len() / 2).copied().unwrap_or_default(), total))
}
