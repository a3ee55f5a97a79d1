//! A plain HTTP client for tests, one connection for each request unless kept.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let line =
            self.head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")))?;
        Some(line.split_once(':')?.1.trim())
    }
}

/// One request on a connection of its own; an error is a connection that broke or a time-out of ten seconds.
pub fn send(method: &str, url: &str, body: Option<&str>) -> std::io::Result<Answer> {
    let rest = url.strip_prefix("http://").expect("an http url");
    let (authority, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    let mut stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let body = body.unwrap_or_default();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    answer(&mut BufReader::new(stream))
}

pub fn get(url: &str) -> std::io::Result<Answer> {
    send("GET", url, None)
}

pub fn post(url: &str, body: &str) -> std::io::Result<Answer> {
    send("POST", url, Some(body))
}

/// Reads one answer and nothing beyond it.
pub fn answer(reader: &mut impl BufRead) -> std::io::Result<Answer> {
    let broken = || std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the answer broke off");
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(broken());
        }
    }
    let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
    let mut answer = Answer { status, head, body: String::new() };
    let mut bytes = Vec::new();
    if let Some(length) = answer.header("content-length") {
        bytes.resize(length.parse().map_err(|_| broken())?, 0);
        reader.read_exact(&mut bytes)?;
    } else if answer.header("transfer-encoding").is_some() {
        chunks(reader, &mut bytes)?;
    } else if answer.header("connection") == Some("close") {
        reader.read_to_end(&mut bytes)?;
    }
    answer.body = String::from_utf8_lossy(&bytes).into_owned();
    Ok(answer)
}

fn chunks(reader: &mut impl BufRead, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    let broken = || std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the body broke off");
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim(), 16).map_err(|_| broken())?;
        let from = bytes.len();
        // Every chunk, the last empty one as well, ends in an empty line.
        bytes.resize(from + length + 2, 0);
        reader.read_exact(&mut bytes[from..])?;
        bytes.truncate(from + length);
        if length == 0 {
            return Ok(());
        }
    }
}
