//! `dunlin logs`: what components say, from all sites, in order of time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Result;
use bytes::{Buf, BytesMut};
use dunlin_providers::logging::{Entry, Level, escape};
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::printer::{self, BAD, DIM, Output, WARN, WrongInput, styled};
use crate::whom::Whom;
use crate::{ask, client};

/// Whose logs to show.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  dunlin logs\n  dunlin logs -f todo\n  dunlin logs --output json | jq -r .message\n  \
    dunlin logs -f --admin 10.0.0.7:8081,10.1.0.7:8081"
)]
pub(crate) struct Options {
    /// Only this component.
    component: Option<String>,
    /// Goes on with what comes.
    #[arg(long, short)]
    follow: bool,
    /// Text for people, or one JSON object a line.
    #[arg(long, short, default_value = "text")]
    output: Output,
    #[command(flatten)]
    whom: Whom,
}

/// How long an entry waits for earlier ones of other hosts while following.
const REORDER: Duration = Duration::from_millis(250);

/// Prints what is there, then what comes.
///
/// # Errors
/// No host is found. Wrong input: none knows the component, or what it logged.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let hosts = options.whom.find().await?;
    let unknown = match &options.component {
        // Hosts that do not answer have nothing to tell of it either.
        Some(component) => ask::known(&hosts, component).await.err().filter(|error| error.is::<WrongInput>()),
        None => None,
    };
    if let (Some(unknown), true) = (&unknown, options.follow) {
        printer::note(format!("{unknown}; it may come later"));
    }
    let (sender, mut arriving) = mpsc::channel(1024);
    for address in hosts.admin {
        tokio::spawn(read(address, options.follow, sender.clone()));
    }
    drop(sender);
    let mut waiting: BTreeMap<(u64, String, u64), (Instant, Entry)> = BTreeMap::new();
    loop {
        let patience = waiting.values().next().map_or(Duration::from_secs(3600), |(since, _)| {
            (*since + REORDER).saturating_duration_since(Instant::now())
        });
        match tokio::time::timeout(patience, arriving.recv()).await {
            Ok(Some(entry)) => {
                let key =
                    (entry.time, format!("{}/{}", entry.origin.site, entry.origin.host), entry.sequence);
                waiting.insert(key, (Instant::now(), entry));
            }
            Ok(None) => break,
            Err(_) => {}
        }
        if options.follow {
            while let Some(first) = waiting.first_entry() {
                if first.get().0.elapsed() < REORDER {
                    break;
                }
                show(&first.remove().1, &options);
            }
        }
    }
    let mut told = false;
    for (_, entry) in waiting.into_values() {
        told |= show(&entry, &options);
    }
    // It may have been removed since it logged something.
    match unknown {
        Some(unknown) if !told && !options.follow => Err(unknown),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Shows an entry, if it is wanted; says whether it was.
fn show(entry: &Entry, options: &Options) -> bool {
    if options.component.as_deref().is_some_and(|component| component != &*entry.origin.component) {
        return false;
    }
    match options.output {
        Output::Text => printer::line(render(entry)),
        Output::Json => printer::line(serde_json::to_string(entry).unwrap_or_default()),
    }
    true
}

/// One entry for people: time of day, level, component, host, message. Control characters show as escapes.
pub(crate) fn render(entry: &Entry) -> String {
    let style = match entry.level {
        Level::Error | Level::Critical => BAD,
        Level::Warn => WARN,
        _ => DIM,
    };
    let origin = format!("{} {}/{}", entry.origin.component, entry.origin.site, entry.origin.host);
    let context =
        if entry.context.is_empty() { String::new() } else { format!("{}: ", escape(&entry.context)) };
    let level = format!("{:<5}", entry.level.to_string());
    format!(
        "{} {} {} {context}{}",
        styled(DIM, time_of_day(entry.time)),
        styled(style, level),
        styled(DIM, origin),
        escape(&entry.message)
    )
}

/// `13:05:09.123` in UTC.
pub(crate) fn time_of_day(microseconds: u64) -> String {
    let since =
        (UNIX_EPOCH + Duration::from_micros(microseconds)).duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs() % 86_400;
    format!("{:02}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, since.subsec_millis())
}

/// Reads one host's log, one JSON object a line, until it ends. A host that does not answer has nothing to tell.
pub(crate) async fn read(address: SocketAddr, follow: bool, sender: mpsc::Sender<Entry>) {
    let path = if follow { "/v1/logs?follow=true" } else { "/v1/logs" };
    let Ok(mut body) = client::stream(address, path).await else { return };
    let mut buffer = BytesMut::new();
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        buffer.extend_from_slice(&data);
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line = buffer.split_to(end);
            buffer.advance(1);
            if let Ok(entry) = serde_json::from_slice(&line)
                && sender.send(entry).await.is_err()
            {
                return;
            }
        }
        // No entry is that long; what comes is no log.
        if buffer.len() > 1 << 20 {
            return;
        }
    }
}
