//! What the application needs of a store, and how it lays todos out in it.
//!
//! One key per todo, so that two sites that change two todos never meet; ids from one counter that only rises.

/// The counter that ids come from.
pub const COUNTER: &str = "ids";

const PREFIX: &str = "todo/";

/// The key of a todo.
pub fn key(id: u64) -> String {
    format!("{PREFIX}{id}")
}

/// The id of a todo's key; `None` for other keys.
pub fn id(key: &str) -> Option<u64> {
    crate::routes::parse_id(key.strip_prefix(PREFIX)?)
}

/// The store. Every change is one step: it is there for everybody once it is acknowledged.
pub trait Store {
    /// A number that nobody got before.
    fn next_id(&self) -> Result<u64, Failure>;
    /// One todo.
    fn get(&self, id: u64) -> Result<Option<Vec<u8>>, Failure>;
    /// All todos, in any order.
    fn all(&self) -> Result<Vec<(u64, Vec<u8>)>, Failure>;
    /// Puts a new todo there.
    fn put(&self, id: u64, value: Vec<u8>) -> Result<(), Failure>;
    /// Makes `change` of what is there and nobody changes meanwhile. It is called again if somebody did.
    /// Answers what is there now; `None` if there is no such todo, or `change` gave none.
    fn change(&self, id: u64, change: &dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Result<Option<Vec<u8>>, Failure>;
    /// Takes a todo away; whether there was one.
    fn delete(&self, id: u64) -> Result<bool, Failure>;
    /// Takes all todos away, and keeps the counter: an address is never given twice.
    fn delete_all(&self) -> Result<(), Failure>;
}

/// Why the store did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It was not done; it may work in a moment.
    NotDone(String),
    /// It may have been done.
    Unknown(String),
    /// It does not work.
    Broken(String),
}

impl Failure {
    /// Tells failures apart by what the host says of them.
    pub fn from_text(text: String) -> Self {
        if text.starts_with("not executed") {
            Self::NotDone(text)
        } else if text.starts_with("outcome unknown") {
            Self::Unknown(text)
        } else {
            Self::Broken(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_ids() {
        assert_eq!(id(&key(7)), Some(7));
        for other in [COUNTER, "todo/", "todo/07", "todo/x", "7", "other/7"] {
            assert_eq!(id(other), None, "{other}");
        }
    }
}
