//! `dunlin calls`: calls in words as they pass, from all hosts; what they are about, never what they carry.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use bytes::BytesMut;
use dunlin_host::status::Status;
use dunlin_host::watch::{Call, Line};
use dunlin_manifest::is_dns_label;
use dunlin_providers::logging::escape;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::printer::{self, BAD, Columns, DIM, GOOD, Output, WARN, WrongInput, styled};
use crate::whom::{Hosts, Whom};
use crate::{ask, client, logs};

/// Which calls to show.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  dunlin calls -f\n  dunlin calls --for 30s --component todo\n  \
    dunlin calls -f --output json | jq 'select(.attempts > 1)'\n  \
    dunlin calls --admin 10.0.0.7:8081\n\n\
    Each line: when it ended, who called → what, from which host → to which, milliseconds, outcome.")]
pub(crate) struct Options {
    /// Goes on until interrupted.
    #[arg(long, short, conflicts_with = "duration")]
    follow: bool,
    /// Looks on for so long.
    #[arg(long = "for", value_name = "DURATION", default_value = "5s", value_parser = parse_duration)]
    duration: Duration,
    /// Only calls by this component, and to this component or provider.
    #[arg(long, value_name = "NAME")]
    component: Option<String>,
    /// Text for people, or one JSON object a line.
    #[arg(long, short, default_value = "text")]
    output: Output,
    #[command(flatten)]
    whom: Whom,
}

/// How long until hosts are looked for again, after the one that told has gone.
const AGAIN: Duration = Duration::from_millis(500);
/// No call takes so many bytes to tell of; what comes is something else.
const LONGEST: usize = 64 << 10;

fn parse_duration(text: &str) -> Result<Duration, String> {
    dunlin_manifest::parse_duration(text).ok_or_else(|| "expected a duration, such as 30s or 2m".to_owned())
}

/// Prints calls until the time is over.
///
/// # Errors
/// No host is found, or none can tell.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    if let Some(name) = options.component.as_ref().filter(|name| !is_dns_label(name)) {
        return Err(
            WrongInput(format!("{name:?} names no component: use a-z, 0-9 and - (a DNS label)")).into()
        );
    }
    if let Some(name) = &options.component {
        not_there(&options.whom.find().await?, name).await;
    }
    let mut shown = Shown::new(options.output);
    let mut begun = false;
    let following = async {
        loop {
            match begin(&options).await {
                Ok(body) => {
                    begun = true;
                    shown.all(body).await;
                }
                // While one follows, all hosts may be killed and revived.
                Err(error) if !begun => return error,
                Err(_) => {}
            }
            tokio::time::sleep(AGAIN).await;
        }
    };
    let over = async {
        if options.follow { std::future::pending().await } else { tokio::time::sleep(options.duration).await }
    };
    tokio::select! {
        error = following => Err(error),
        () = over => Ok(ExitCode::SUCCESS),
    }
}

/// Tells if there is nothing of this name, which may come later.
async fn not_there(hosts: &Hosts, name: &str) {
    let status: Result<Status> = ask::first(hosts, "/v1/status").await;
    let is_provider = status.is_ok_and(|status| status.providers.contains_key(name));
    if let Err(error) = ask::known(hosts, name).await
        && error.is::<WrongInput>()
        && !is_provider
    {
        printer::note(format!("{error}; it may come later"));
    }
}

/// Asks the first host that answers; it looks on at all of them.
async fn begin(options: &Options) -> Result<Incoming> {
    let hosts = options.whom.find().await?;
    let component = options.component.as_ref().map(|name| format!("&component={name}")).unwrap_or_default();
    let mut reason = String::new();
    for address in &hosts.admin {
        match client::stream(*address, &format!("/v1/calls?follow=true{component}")).await {
            Ok(body) => return Ok(body),
            Err(error) => reason = format!(": {error:#}"),
        }
    }
    bail!("no host of {} tells of calls{reason}; {}", hosts.words, hosts.remedy)
}

/// What is printed.
struct Shown {
    output: Output,
    columns: Columns,
}

impl Shown {
    fn new(output: Output) -> Self {
        // Wide enough from the start for short names; it grows with longer ones.
        Self { output, columns: Columns::of(&[12, 26, 21, 9, 8]) }
    }

    /// Prints one line after the other until the host stops telling.
    async fn all(&mut self, mut body: Incoming) {
        let mut buffer = BytesMut::new();
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(data) = frame.into_data() else { continue };
            buffer.extend_from_slice(&data);
            while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                if let Ok(line) = serde_json::from_slice(&buffer.split_to(end + 1)) {
                    printer::line(self.one(&line));
                }
            }
            if buffer.len() > LONGEST {
                return;
            }
        }
    }

    fn one(&mut self, line: &Line) -> String {
        match (self.output, line) {
            (Output::Json, line) => serde_json::to_string(line).unwrap_or_default(),
            (Output::Text, Line::Call(call)) => self.columns.row(&cells(call)),
            (Output::Text, Line::Missed { missed: 1 }) => {
                styled(WARN, "one call is not shown: there were too many")
            }
            (Output::Text, Line::Missed { missed }) => {
                styled(WARN, format!("{missed} calls are not shown: there were too many"))
            }
        }
    }
}

/// One call for people. Names come from other hosts: control characters show as escapes.
fn cells(call: &Call) -> Vec<String> {
    let caller = if call.link.is_empty() { "client" } else { &call.component };
    let what = format!("{} → {} {}", escape(caller), escape(&call.target), escape(&call.function));
    let to = match (call.place.as_deref(), &call.to) {
        (Some("here"), _) => "here",
        (_, Some(to)) => to,
        (_, None) => "nobody",
    };
    let style = match call.outcome.as_str() {
        "answered" => GOOD,
        "unknown" | "failed" => BAD,
        _ => WARN,
    };
    let retries = match call.attempts {
        0 | 1 => String::new(),
        2 => styled(WARN, "1 retry"),
        more => styled(WARN, format!("{} retries", more - 1)),
    };
    let milliseconds = format!("{}.{}", call.microseconds / 1000, call.microseconds / 100 % 10);
    vec![
        styled(DIM, logs::time_of_day(call.time)),
        what,
        format!("{} → {}", escape(&call.from), escape(to)),
        format!("{milliseconds:>6} ms"),
        styled(style, escape(&call.outcome)),
        retries,
    ]
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn call(function: &str) -> Call {
        Call {
            time: 47_109_123_456,
            component: "todo".into(),
            link: "store".into(),
            target: "redis".into(),
            function: function.into(),
            from: "aws/aws-1".into(),
            to: Some("gcp/gcp-1".into()),
            place: Some("other-site".into()),
            attempts: 1,
            microseconds: 41_257,
            outcome: "answered".into(),
            bytes_asked: 10,
            bytes_answered: 20,
            trace: None,
        }
    }

    #[test]
    fn calls_in_words() {
        let mut shown = Shown::new(Output::Text);
        let here = Call {
            link: String::new(),
            target: "todo".into(),
            place: Some("here".into()),
            microseconds: 920,
            to: Some("aws/aws-1".into()),
            ..call("http")
        };
        let nobody = Call {
            to: None,
            place: None,
            attempts: 0,
            microseconds: 7,
            outcome: "not-executed".into(),
            ..call("keyvalue-set")
        };
        let late = Call {
            attempts: 3,
            microseconds: 2_000_120,
            outcome: "unknown".into(),
            ..call("keyvalue-\u{1b}[2J")
        };
        let lines = [
            Line::Call(call("keyvalue-get").into()),
            Line::Call(here.into()),
            Line::Call(nobody.into()),
            Line::Call(late.into()),
            Line::Missed { missed: 7 },
            Line::Call(call("keyvalue-get").into()),
        ];
        let text: Vec<_> = lines.iter().map(|line| shown.one(line)).collect();
        expect![[r#"
            13:05:09.123  todo → redis keyvalue-get   aws/aws-1 → gcp/gcp-1    41.2 ms  answered
            13:05:09.123  client → todo http          aws/aws-1 → here          0.9 ms  answered
            13:05:09.123  todo → redis keyvalue-set   aws/aws-1 → nobody        0.0 ms  not-executed
            13:05:09.123  todo → redis keyvalue-\u{1b}[2J  aws/aws-1 → gcp/gcp-1  2000.1 ms  unknown       2 retries
            7 calls are not shown: there were too many
            13:05:09.123  todo → redis keyvalue-get        aws/aws-1 → gcp/gcp-1    41.2 ms  answered"#]]
        .assert_eq(&anstream::adapter::strip_str(&text.join("\n")).to_string());
        let mut json = Shown::new(Output::Json);
        assert_eq!(json.one(&Line::Missed { missed: 7 }), r#"{"missed":7}"#);
        assert_eq!(serde_json::from_str::<Line>(&json.one(&lines[0])).unwrap(), lines[0]);
    }
}
