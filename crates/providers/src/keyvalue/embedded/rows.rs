//! The tables in a store file, and reading them.

use std::ops::Bound;

use bytes::Bytes;
use redb::{ReadTransaction, ReadableTable, StorageError, Table, TableDefinition, TableError};

use crate::keyvalue::limits::{PageBuilder, Total};
use crate::keyvalue::operation::Rows;
use crate::keyvalue::{Error, Page};

/// A bucket and a key, as bytes: the order of UTF-8 is the order of its bytes, and damage cannot panic.
type RowKey = (&'static [u8], &'static [u8]);

/// All values of all buckets.
pub(super) const ROWS: TableDefinition<'static, RowKey, &'static [u8]> = TableDefinition::new("rows");

/// What the file says about itself.
pub(super) const ABOUT: TableDefinition<'static, &'static str, u64> = TableDefinition::new("dunlin");

/// The name under which [`ABOUT`] holds the format.
pub(super) const FORMAT_KEY: &str = "format";

/// The format of the two tables; a change of them has a new number.
pub(super) const FORMAT: u64 = 1;

/// Rows within a write transaction.
pub(super) struct WriteRows<'transaction> {
    table: Table<'transaction, RowKey, &'static [u8]>,
    /// Whether there is anything to commit.
    pub(super) changed: bool,
}

impl<'transaction> WriteRows<'transaction> {
    pub(super) fn open(transaction: &'transaction redb::WriteTransaction) -> Result<Self, TableError> {
        Ok(Self { table: transaction.open_table(ROWS)?, changed: false })
    }
}

impl Rows for WriteRows<'_> {
    type Failure = StorageError;

    fn get(&mut self, bucket: &str, key: &str) -> Result<Option<Bytes>, StorageError> {
        let value = self.table.get((bucket.as_bytes(), key.as_bytes()))?;
        Ok(value.map(|value| Bytes::copy_from_slice(value.value())))
    }

    fn put(&mut self, bucket: &str, key: &str, value: Bytes) -> Result<(), StorageError> {
        self.changed = true;
        self.table.insert((bucket.as_bytes(), key.as_bytes()), &*value)?;
        Ok(())
    }

    fn remove(&mut self, bucket: &str, key: &str) -> Result<(), StorageError> {
        if self.table.remove((bucket.as_bytes(), key.as_bytes()))?.is_some() {
            self.changed = true;
        }
        Ok(())
    }
}

/// A read, detached from its caller.
pub(super) enum Read {
    Get { key: String },
    Exists { key: String },
    ListKeys { after: Option<String> },
    GetMany { keys: Vec<String> },
}

/// What a read answers.
#[derive(Debug)]
pub(super) enum Found {
    Value(Option<Bytes>),
    Exists(bool),
    Page(Page),
    Values(Vec<Option<Bytes>>),
}

/// Answers one read from one snapshot. The inner error is the read's own.
pub(super) fn read(
    transaction: &ReadTransaction,
    bucket: &str,
    read: &Read,
) -> Result<Result<Found, Error>, redb::Error> {
    let table = transaction.open_table(ROWS)?;
    let get = |key: &str| -> Result<Option<Bytes>, StorageError> {
        let value = table.get((bucket.as_bytes(), key.as_bytes()))?;
        Ok(value.map(|value| Bytes::copy_from_slice(value.value())))
    };
    Ok(Ok(match read {
        Read::Get { key } => Found::Value(get(key)?),
        Read::Exists { key } => Found::Exists(table.get((bucket.as_bytes(), key.as_bytes()))?.is_some()),
        Read::GetMany { keys } => {
            let mut values = Vec::with_capacity(keys.len());
            let mut answer = Total::default();
            for key in keys {
                let value = get(key)?;
                if let Err(error) = answer.add(value.as_ref().map_or(0, Bytes::len)) {
                    return Ok(Err(error));
                }
                values.push(value);
            }
            Found::Values(values)
        }
        Read::ListKeys { after } => {
            let start = match after {
                Some(key) => Bound::Excluded((bucket.as_bytes(), key.as_bytes())),
                None => Bound::Included((bucket.as_bytes(), &b""[..])),
            };
            let mut page = PageBuilder::default();
            for row in table.range::<(&[u8], &[u8])>((start, Bound::Unbounded))? {
                let (row, _) = row?;
                let (of, key) = row.value();
                if of != bucket.as_bytes() {
                    break;
                }
                let key = std::str::from_utf8(key)
                    .map_err(|_| StorageError::Corrupted("a key is not UTF-8".into()))?;
                if !page.push(key) {
                    return Ok(Ok(Found::Page(page.finish(true))));
                }
            }
            Found::Page(page.finish(false))
        }
    }))
}
