//! An HTTP client for tests that keeps its connection, as browsers and proxies do.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::http::Answer;

/// One connection to an address, made when it is needed and made anew when the server said that it closes it.
pub struct Kept {
    authority: String,
    stream: Option<BufReader<TcpStream>>,
    /// Connections that were made.
    pub connections: u64,
}

impl Kept {
    /// To `http://AUTHORITY`; nothing is connected yet.
    pub fn new(address: &str) -> Self {
        Self { authority: address.trim_start_matches("http://").to_owned(), stream: None, connections: 0 }
    }

    /// One request and its answer. After an error the next request has a new connection.
    pub fn send(&mut self, method: &str, path: &str, body: &str) -> std::io::Result<Answer> {
        let outcome = self.exchange(method, path, body);
        let closes = |answer: &Answer| answer.header("connection") == Some("close");
        if outcome.as_ref().map_or(true, closes) {
            self.stream = None;
        }
        outcome
    }

    fn exchange(&mut self, method: &str, path: &str, body: &str) -> std::io::Result<Answer> {
        let reader = match &mut self.stream {
            Some(reader) => reader,
            none => {
                let stream = TcpStream::connect(&self.authority)?;
                stream.set_read_timeout(Some(Duration::from_secs(10)))?;
                stream.set_nodelay(true)?;
                self.connections += 1;
                none.insert(BufReader::new(stream))
            }
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.authority,
            body.len()
        );
        reader.get_mut().write_all(format!("{head}{body}").as_bytes())?;
        answer(reader)
    }
}

/// Reads one answer and nothing beyond it.
fn answer(reader: &mut impl BufRead) -> std::io::Result<Answer> {
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
