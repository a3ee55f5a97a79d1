//! How large things may be: the same in every store, so that a component can move from one to another.
//!
//! Every store checks a request here before it does anything; what is over a limit changes nothing.

use bytes::Bytes;

use super::Error;

/// Longest bucket name, in bytes.
pub const BUCKET_BYTES: usize = 255;

/// Longest key, in bytes of UTF-8. What object stores allow; keys of this size still make a page of
/// [`super::KeyValue::list_keys`] that is one message on the lattice.
pub const KEY_BYTES: usize = 1024;

/// Longest value, in bytes. A value is in memory as a whole at every hop; what is larger belongs in an object store.
pub const VALUE_BYTES: usize = 8 * 1024 * 1024;

/// Most keys in one batch operation.
pub const BATCH_KEYS: usize = 1000;

/// Most bytes of keys and values in one batch operation, on the way there or back.
pub const BATCH_BYTES: usize = 32 * 1024 * 1024;

/// Most keys on one page of [`super::KeyValue::list_keys`].
pub const PAGE_KEYS: usize = 1000;

/// Bytes of keys after which a page ends, however few they are.
pub const PAGE_BYTES: usize = 256 * 1024;

/// Refuses a bucket name that is empty or too long.
///
/// # Errors
/// [`Error::NoSuchStore`] with the length found and the length allowed.
pub fn check_bucket(bucket: &str) -> Result<(), Error> {
    if bucket.is_empty() || bucket.len() > BUCKET_BYTES {
        let found = bucket.len();
        return Err(Error::NoSuchStore(format!(
            "a bucket name has 1 to {BUCKET_BYTES} bytes, this one has {found}"
        )));
    }
    Ok(())
}

/// Refuses a key that is too long. The empty key is a key.
///
/// # Errors
/// [`Error::Other`] with the length found and the length allowed.
pub fn check_key(key: &str) -> Result<(), Error> {
    if key.len() > KEY_BYTES {
        let found = key.len();
        return Err(Error::Other(format!(
            "the key is too long: {found} bytes, at most {KEY_BYTES} are allowed"
        )));
    }
    Ok(())
}

/// Refuses a value that is too long. The empty value is a value.
///
/// # Errors
/// [`Error::Other`] with the length found and the length allowed.
pub fn check_value(value: &[u8]) -> Result<(), Error> {
    if value.len() > VALUE_BYTES {
        let found = value.len();
        return Err(Error::Other(format!(
            "the value is too long: {found} bytes, at most {VALUE_BYTES} are allowed"
        )));
    }
    Ok(())
}

/// Refuses a batch of too many keys, or with a key that is too long.
///
/// # Errors
/// [`Error::Other`] with what was found and what is allowed.
pub fn check_keys(keys: &[String]) -> Result<(), Error> {
    check_count(keys.len())?;
    keys.iter().try_for_each(|key| check_key(key))
}

/// Refuses a batch of too many pairs, with one that is too long, or too large as a whole.
///
/// # Errors
/// [`Error::Other`] with what was found and what is allowed.
pub fn check_pairs(pairs: &[(String, Bytes)]) -> Result<(), Error> {
    check_count(pairs.len())?;
    let mut answer = Total::default();
    for (key, value) in pairs {
        check_key(key)?;
        check_value(value)?;
        answer.add(key.len() + value.len())?;
    }
    Ok(())
}

fn check_count(found: usize) -> Result<(), Error> {
    if found > BATCH_KEYS {
        return Err(Error::Other(format!(
            "too many keys in one batch: {found}, at most {BATCH_KEYS} are allowed"
        )));
    }
    Ok(())
}

/// Adds up the bytes of a batch, there or back.
#[derive(Debug, Default)]
pub struct Total(usize);

impl Total {
    /// Adds `bytes`.
    ///
    /// # Errors
    /// [`Error::Other`] once the sum is over [`BATCH_BYTES`].
    pub fn add(&mut self, bytes: usize) -> Result<(), Error> {
        self.0 = self.0.saturating_add(bytes);
        if self.0 > BATCH_BYTES {
            return Err(Error::Other(format!(
                "the batch is too large: at most {BATCH_BYTES} bytes are allowed; ask for fewer keys at once"
            )));
        }
        Ok(())
    }
}

/// Collects the keys of one page until it is full.
#[derive(Debug, Default)]
pub(crate) struct PageBuilder {
    keys: Vec<String>,
    bytes: usize,
}

/// What a cursor of the local stores begins with; the last key that was listed follows.
const CURSOR: &str = "after:";

/// The key after which a page begins.
pub(crate) fn cursor_key(cursor: Option<&str>) -> Result<Option<&str>, Error> {
    let Some(cursor) = cursor else { return Ok(None) };
    match cursor.strip_prefix(CURSOR) {
        Some(key) if key.len() <= KEY_BYTES => Ok(Some(key)),
        _ => Err(Error::Other(
            "unknown cursor: give back the one that came with the previous page, or none to begin".into(),
        )),
    }
}

impl PageBuilder {
    /// Adds `key`, or says `false` when it belongs on the next page.
    pub(crate) fn push(&mut self, key: &str) -> bool {
        if self.keys.len() >= PAGE_KEYS || self.bytes >= PAGE_BYTES {
            return false;
        }
        self.bytes += key.len();
        self.keys.push(key.to_owned());
        true
    }

    /// The page; `more` when there are keys after it.
    pub(crate) fn finish(self, more: bool) -> super::Page {
        let cursor = if more { self.keys.last().map(|key| format!("{CURSOR}{key}")) } else { None };
        super::Page { keys: self.keys, cursor }
    }
}
