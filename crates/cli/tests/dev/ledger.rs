//! Requests that keep books: what was made, read and taken away must be so at the end, each thing once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dunlin_testkit::eventually;

use crate::http::{Answer, get};
use crate::keep::Kept;

/// Tells the todos of one ledger from those of others in the same list.
static LEDGERS: AtomicU64 = AtomicU64::new(0);

/// Todos that one client has at the most; older ones are taken away, so that the list stays short.
const MOST: usize = 8;

/// A request that was not answered as it should have been.
#[derive(Debug, Clone)]
pub struct Failed {
    /// When it was sent.
    pub began: Instant,
    /// When that was known.
    pub ended: Instant,
    /// What was asked, at which site, and what came of it.
    pub what: String,
    /// It was refused with 503: nothing was executed.
    pub is_refused: bool,
    /// Nothing came for as long as the client waits.
    pub is_late: bool,
}

/// What the clients know to be so.
#[derive(Debug, Default)]
pub struct Books {
    /// Todos that were acknowledged and not taken away.
    there: BTreeSet<String>,
    /// Todos of which nobody knows: made or taken away by a request without an answer.
    perhaps: BTreeSet<String>,
    /// Answered as they should have been.
    pub well: u64,
    /// Not so.
    pub failed: Vec<Failed>,
    /// What can never be right, whatever happens to hosts: an acknowledged todo that is gone, or another's.
    pub wrong: Vec<String>,
    /// The slowest request.
    pub slowest: Duration,
    /// Connections that were made.
    pub connections: u64,
}

/// Clients at work.
pub struct Ledger {
    name: String,
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    books: Arc<Mutex<Books>>,
    clients: Vec<JoinHandle<()>>,
}

impl Ledger {
    /// So many clients at each of the addresses, each with a connection that it keeps.
    pub fn start(addresses: &[String], clients: usize) -> Self {
        let name = format!("l{}", LEDGERS.fetch_add(1, Ordering::Relaxed));
        let (stop, count, books): (Arc<AtomicBool>, Arc<AtomicU64>, Arc<Mutex<Books>>) = Default::default();
        let client = |index: usize| {
            let client = Client {
                name: format!("{name}-{index}"),
                address: Kept::new(&addresses[index % addresses.len()]),
                mine: VecDeque::new(),
                books: Arc::clone(&books),
            };
            let (stop, count) = (Arc::clone(&stop), Arc::clone(&count));
            std::thread::spawn(move || client.work(&stop, &count))
        };
        let clients = (0..addresses.len() * clients).map(client).collect();
        Self { name, stop, count, books, clients }
    }

    /// Requests that have ended so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Stops the clients and compares their books with the list at `address`.
    pub fn close(self, address: &str) -> Books {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().for_each(|client| client.join().unwrap());
        let mut books = std::mem::take(&mut *self.books.lock().unwrap());
        let list = eventually("the list", Duration::from_secs(10), || {
            get(&format!("{address}/api")).ok().filter(|list| list.status == 200)
        });
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        for todo in list.json().as_array().unwrap() {
            let title = todo["title"].as_str().unwrap();
            if title.starts_with(&format!("{}-", self.name)) {
                *seen.entry(title.to_owned()).or_default() += 1;
            }
        }
        for title in &books.there {
            match seen.remove(title) {
                Some(1) => {}
                times => books.wrong.push(format!("{title} is there {} times, not once", times.unwrap_or(0))),
            }
        }
        for (title, times) in seen {
            if times > 1 || !books.perhaps.contains(&title) {
                books.wrong.push(format!("{title} is there {times} times and should not be"));
            }
        }
        books
    }
}

struct Client {
    name: String,
    address: Kept,
    mine: VecDeque<(u64, String)>,
    books: Arc<Mutex<Books>>,
}

impl Client {
    fn work(mut self, stop: &AtomicBool, count: &AtomicU64) {
        let mut number = 0_u64;
        while !stop.load(Ordering::Relaxed) {
            match number % 4 {
                0 if self.mine.len() >= MOST => self.take_away(),
                0 => self.make(number),
                _ => self.read(number),
            }
            number += 1;
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.books.lock().unwrap().connections += self.address.connections;
    }

    fn make(&mut self, number: u64) {
        let title = format!("{}-{number}", self.name);
        match self.send("POST", "/api", &format!(r#"{{"title":"{title}"}}"#), 201) {
            Ok(answer) => {
                let id = answer.json()["id"].as_u64().unwrap();
                self.books.lock().unwrap().there.insert(title.clone());
                self.mine.push_back((id, title));
            }
            Err(executed) => {
                if executed {
                    self.books.lock().unwrap().perhaps.insert(title);
                }
            }
        }
    }

    fn read(&mut self, number: u64) {
        let Some((id, title)) = self.mine.get(number as usize % self.mine.len().max(1)).cloned() else {
            return;
        };
        match self.send("GET", &format!("/api/{id}"), "", 200) {
            Ok(answer) if answer.json()["title"] == title.as_str() => {}
            Ok(answer) => self.books.lock().unwrap().wrong.push(format!("{title} is {}", answer.body)),
            Err(_) => {}
        }
    }

    fn take_away(&mut self) {
        let Some((id, title)) = self.mine.pop_front() else { return };
        match self.send("DELETE", &format!("/api/{id}"), "", 204) {
            Ok(_) => drop(self.books.lock().unwrap().there.remove(&title)),
            Err(true) => {
                let mut books = self.books.lock().unwrap();
                books.there.remove(&title);
                books.perhaps.insert(title);
            }
            Err(false) => self.mine.push_back((id, title)),
        }
    }

    /// The answer, if it is as it should be; otherwise whether it may have been executed.
    fn send(&mut self, method: &str, path: &str, body: &str, expected: u16) -> Result<Answer, bool> {
        let began = Instant::now();
        let outcome = self.address.send(method, path, body);
        let ended = Instant::now();
        let mut books = self.books.lock().unwrap();
        books.slowest = books.slowest.max(ended - began);
        match outcome {
            Ok(answer) if answer.status == expected => {
                books.well += 1;
                Ok(answer)
            }
            outcome => {
                let gone = matches!(&outcome, Ok(answer) if answer.status == 404);
                if gone {
                    books.wrong.push(format!("{method} {path}: an acknowledged todo is gone"));
                }
                // 503 says that nothing was executed; everything else leaves it open.
                let is_refused = matches!(&outcome, Ok(answer) if answer.status == 503);
                let is_late = matches!(&outcome, Err(error) if error.kind() == ErrorKind::WouldBlock);
                let what = format!("{method} {path}: {outcome:?}");
                books.failed.push(Failed { began, ended, what, is_refused, is_late });
                Err(!is_refused)
            }
        }
    }
}
