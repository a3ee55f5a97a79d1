//! An HTTP client for tests that keeps its connection, as browsers and proxies do.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::http::{Answer, answer};

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
