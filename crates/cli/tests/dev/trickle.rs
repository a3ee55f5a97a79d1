//! Long bodies that come in slowly, so that something is always on its way while components move.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Pieces of one body, their length, and the pause after each: some two seconds on the way.
const PIECES: usize = 40;
const PIECE: usize = 10_000;
const PAUSE: Duration = Duration::from_millis(50);

/// What of a component reads a body whole and answers its length.
pub const MANIFEST: &str = "apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: { name: bodies }\nspec:\n  \
    image: example.com/bodies:1\n  sites: { gcp: { replicas: 1 }, aws: { replicas: 0 } }\n  \
    http: { hostnames: [bodies.example] }\n  timeouts: { request: 20s }\n";

/// Uploads, one after the other at each address.
pub struct Trickle {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Trickle {
    pub fn start(addresses: &[String]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |address: &String| {
            let (address, stop) = (address.clone(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut outcomes = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    outcomes.push(upload(&address).unwrap_or_else(|error| error.to_string()));
                }
                outcomes
            })
        };
        let clients = addresses.iter().map(client).collect();
        Self { stop, clients }
    }

    /// Stops; gives how many uploads there were, and what those were answered that did not go well.
    pub fn stop(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let outcomes: Vec<_> = self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        let count = outcomes.len();
        let well = format!("{} ", PIECES * PIECE);
        let other = |text: &String| {
            let body = text.split("\r\n\r\n").nth(1).unwrap_or_default();
            !(text.starts_with("HTTP/1.1 200") && body.contains(&well))
        };
        (count, outcomes.into_iter().filter(other).collect())
    }
}

fn upload(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address.trim_start_matches("http://"))?;
    stream.set_read_timeout(Some(Duration::from_secs(25)))?;
    stream.set_write_timeout(Some(Duration::from_secs(25)))?;
    let length = PIECES * PIECE;
    let head = "POST /sink HTTP/1.1\r\nhost: bodies.example\r\nconnection: close";
    write!(stream, "{head}\r\ncontent-length: {length}\r\n\r\n")?;
    for _ in 0..PIECES {
        stream.write_all(&[b'x'; PIECE])?;
        std::thread::sleep(PAUSE);
    }
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
