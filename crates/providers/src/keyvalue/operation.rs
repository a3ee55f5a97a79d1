//! What each write does to the rows of a store: one meaning, shared by every local store.

use bytes::Bytes;

use super::limits::{check_bucket, check_key, check_keys, check_pairs, check_value};
use super::{Error, Swap};

/// A write, detached from its caller.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    Set { key: String, value: Bytes },
    Delete { key: String },
    Increment { key: String, delta: i64 },
    CompareAndSwap { key: String, expected: Option<Bytes>, new: Bytes },
    SetMany { pairs: Vec<(String, Bytes)> },
    DeleteMany { keys: Vec<String> },
}

/// What a write answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Sum(i64),
    Swap(Swap),
}

impl Outcome {
    pub(crate) fn sum(self) -> Result<i64, Error> {
        match self {
            Self::Sum(sum) => Ok(sum),
            other => Err(Error::Unknown(format!("the store answered {other:?} to an increment"))),
        }
    }

    pub(crate) fn swap(self) -> Result<Swap, Error> {
        match self {
            Self::Swap(swap) => Ok(swap),
            other => Err(Error::Unknown(format!("the store answered {other:?} to a compare-and-swap"))),
        }
    }
}

impl Write {
    /// Refuses what is over a limit.
    pub(crate) fn check(&self, bucket: &str) -> Result<(), Error> {
        check_bucket(bucket)?;
        match self {
            Self::Set { key, value } | Self::CompareAndSwap { key, new: value, .. } => {
                check_key(key)?;
                check_value(value)
            }
            Self::Delete { key } | Self::Increment { key, .. } => check_key(key),
            Self::SetMany { pairs } => check_pairs(pairs),
            Self::DeleteMany { keys } => check_keys(keys),
        }
    }

    /// Bytes it holds while it waits, roughly.
    pub(crate) fn size(&self) -> usize {
        let held = match self {
            Self::Set { key, value } => key.len() + value.len(),
            Self::Delete { key } | Self::Increment { key, .. } => key.len(),
            Self::CompareAndSwap { key, expected, new } => {
                key.len() + new.len() + expected.as_ref().map_or(0, Bytes::len)
            }
            Self::SetMany { pairs } => pairs.iter().map(|(key, value)| key.len() + value.len()).sum(),
            Self::DeleteMany { keys } => keys.iter().map(String::len).sum(),
        };
        size_of::<Self>() + held
    }
}

/// The rows that a write works on.
pub(crate) trait Rows {
    /// What ends the whole transaction, as opposed to an error of one write.
    type Failure;
    fn get(&mut self, bucket: &str, key: &str) -> Result<Option<Bytes>, Self::Failure>;
    fn put(&mut self, bucket: &str, key: &str, value: Bytes) -> Result<(), Self::Failure>;
    fn remove(&mut self, bucket: &str, key: &str) -> Result<(), Self::Failure>;
}

/// Executes one write. The inner error is the write's own and leaves the rows as they were.
pub(crate) fn apply<R: Rows>(
    rows: &mut R,
    bucket: &str,
    write: Write,
) -> Result<Result<Outcome, Error>, R::Failure> {
    match write {
        Write::Set { key, value } => rows.put(bucket, &key, value)?,
        Write::Delete { key } => rows.remove(bucket, &key)?,
        Write::Increment { key, delta } => {
            let sum = match sum(rows.get(bucket, &key)?.as_deref(), delta) {
                Ok(sum) => sum,
                Err(error) => return Ok(Err(error)),
            };
            rows.put(bucket, &key, sum.to_string().into())?;
            return Ok(Ok(Outcome::Sum(sum)));
        }
        Write::CompareAndSwap { key, expected, new } => {
            let current = rows.get(bucket, &key)?;
            if current != expected {
                return Ok(Ok(Outcome::Swap(Swap::Changed(current))));
            }
            rows.put(bucket, &key, new)?;
            return Ok(Ok(Outcome::Swap(Swap::Swapped)));
        }
        Write::SetMany { pairs } => {
            for (key, value) in pairs {
                rows.put(bucket, &key, value)?;
            }
        }
        Write::DeleteMany { keys } => {
            for key in keys {
                rows.remove(bucket, &key)?;
            }
        }
    }
    Ok(Ok(Outcome::Done))
}

/// The counter after adding `delta`. Only what an increment itself would have written counts as a number, as in
/// Redis: no sign but a minus, no leading zeros, no spaces.
fn sum(current: Option<&[u8]>, delta: i64) -> Result<i64, Error> {
    let number = match current {
        None => 0,
        Some(bytes) => std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| text.parse::<i64>().ok().filter(|number| number.to_string() == text))
            .ok_or_else(|| {
                Error::Other(
                    "the value is not a counter: it must be a decimal 64-bit integer, and is unchanged"
                        .into(),
                )
            })?,
    };
    number
        .checked_add(delta)
        .ok_or_else(|| Error::Other("the counter would leave the range of 64 bits, and is unchanged".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_what_an_increment_writes() {
        let cases: [(Option<&str>, i64, Option<i64>); 12] = [
            (None, 5, Some(5)),
            (Some("-3"), 1, Some(-2)),
            (Some("0"), 0, Some(0)),
            (Some("9223372036854775806"), 1, Some(i64::MAX)),
            (Some("9223372036854775807"), 1, None),
            (Some("-9223372036854775808"), -1, None),
            (Some(""), 1, None),
            (Some("+1"), 1, None),
            (Some("01"), 1, None),
            (Some(" 1"), 1, None),
            (Some("-0"), 1, None),
            (Some("1.5"), 1, None),
        ];
        for (current, delta, expected) in cases {
            assert_eq!(sum(current.map(str::as_bytes), delta).ok(), expected, "{current:?} + {delta}");
        }
    }
}
