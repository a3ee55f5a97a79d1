//! Key-value operations as they cross the lattice: the function's name, then its arguments and results in the
//! component model's value encoding.

use bytes::Bytes;
use dunlin_lattice::Safety;
use dunlin_providers::keyvalue::{Context, Error, KeyValue, Page, Swap};
use dunlin_runtime::values::{Malformed, Reader, Writer};

/// One operation with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    Get { bucket: String, key: String },
    Set { bucket: String, key: String, value: Bytes },
    Delete { bucket: String, key: String },
    Exists { bucket: String, key: String },
    ListKeys { bucket: String, cursor: Option<String> },
    Increment { bucket: String, key: String, delta: i64 },
    CompareAndSwap { bucket: String, key: String, expected: Option<Bytes>, new: Bytes },
    GetMany { bucket: String, keys: Vec<String> },
    SetMany { bucket: String, pairs: Vec<(String, Bytes)> },
    DeleteMany { bucket: String, keys: Vec<String> },
}

/// What an operation gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Value(Option<Bytes>),
    There(bool),
    Page(Page),
    Sum(i64),
    Swap(Swap),
    Values(Vec<Option<Bytes>>),
}

/// All functions, as they stand in subjects, with whether they only read.
const FUNCTIONS: [(&str, Safety); 10] = [
    ("keyvalue-get", Safety::Read),
    ("keyvalue-set", Safety::Write),
    ("keyvalue-delete", Safety::Write),
    ("keyvalue-exists", Safety::Read),
    ("keyvalue-list-keys", Safety::Read),
    ("keyvalue-increment", Safety::Write),
    ("keyvalue-compare-and-swap", Safety::Write),
    ("keyvalue-get-many", Safety::Read),
    ("keyvalue-set-many", Safety::Write),
    ("keyvalue-delete-many", Safety::Write),
];

/// Whether a function of the lattice is one of these.
pub(crate) fn is_keyvalue(function: &str) -> bool {
    FUNCTIONS.iter().any(|(name, _)| *name == function)
}

impl Operation {
    /// The function's name and whether it only reads.
    pub(crate) fn function(&self) -> (&'static str, Safety) {
        let index = match self {
            Self::Get { .. } => 0,
            Self::Set { .. } => 1,
            Self::Delete { .. } => 2,
            Self::Exists { .. } => 3,
            Self::ListKeys { .. } => 4,
            Self::Increment { .. } => 5,
            Self::CompareAndSwap { .. } => 6,
            Self::GetMany { .. } => 7,
            Self::SetMany { .. } => 8,
            Self::DeleteMany { .. } => 9,
        };
        FUNCTIONS[index]
    }

    /// The bucket that it touches.
    pub(crate) fn bucket(&self) -> &str {
        match self {
            Self::Get { bucket, .. }
            | Self::Set { bucket, .. }
            | Self::Delete { bucket, .. }
            | Self::Exists { bucket, .. }
            | Self::ListKeys { bucket, .. }
            | Self::Increment { bucket, .. }
            | Self::CompareAndSwap { bucket, .. }
            | Self::GetMany { bucket, .. }
            | Self::SetMany { bucket, .. }
            | Self::DeleteMany { bucket, .. } => bucket,
        }
    }

    /// Writes the arguments down.
    pub(crate) fn encode(&self) -> Bytes {
        let mut values = Writer::default();
        values.string(self.bucket());
        match self {
            Self::Get { key, .. } | Self::Delete { key, .. } | Self::Exists { key, .. } => values.string(key),
            Self::Set { key, value, .. } => {
                values.string(key);
                values.bytes(value);
            }
            Self::ListKeys { cursor, .. } => {
                values.option(cursor.as_ref(), |values, cursor| values.string(cursor))
            }
            Self::Increment { key, delta, .. } => {
                values.string(key);
                values.s64(*delta);
            }
            Self::CompareAndSwap { key, expected, new, .. } => {
                values.string(key);
                values.option(expected.as_ref(), |values, expected| values.bytes(expected));
                values.bytes(new);
            }
            Self::GetMany { keys, .. } | Self::DeleteMany { keys, .. } => {
                values.list(keys, |values, key| values.string(key));
            }
            Self::SetMany { pairs, .. } => values.list(pairs, |values, (key, value)| {
                values.string(key);
                values.bytes(value);
            }),
        }
        values.finish()
    }

    /// Reads the arguments of `function`; the inverse of [`Operation::encode`].
    ///
    /// # Errors
    /// What came are no such arguments.
    pub(crate) fn decode(function: &str, arguments: Bytes) -> Result<Self, Malformed> {
        let mut values = Reader::new(arguments);
        let bucket = values.string()?;
        let operation = match function {
            "keyvalue-get" => Self::Get { bucket, key: values.string()? },
            "keyvalue-set" => Self::Set { bucket, key: values.string()?, value: values.bytes()? },
            "keyvalue-delete" => Self::Delete { bucket, key: values.string()? },
            "keyvalue-exists" => Self::Exists { bucket, key: values.string()? },
            "keyvalue-list-keys" => Self::ListKeys { bucket, cursor: values.option(Reader::string)? },
            "keyvalue-increment" => Self::Increment { bucket, key: values.string()?, delta: values.s64()? },
            "keyvalue-compare-and-swap" => Self::CompareAndSwap {
                bucket,
                key: values.string()?,
                expected: values.option(Reader::bytes)?,
                new: values.bytes()?,
            },
            "keyvalue-get-many" => Self::GetMany { bucket, keys: values.list(Reader::string)? },
            "keyvalue-set-many" => Self::SetMany {
                bucket,
                pairs: values.list(|values| Ok((values.string()?, values.bytes()?)))?,
            },
            "keyvalue-delete-many" => Self::DeleteMany { bucket, keys: values.list(Reader::string)? },
            _ => return Err(Malformed("no such function")),
        };
        values.end()?;
        Ok(operation)
    }

    /// Does it.
    pub(crate) async fn run(self, store: &dyn KeyValue, context: &Context) -> Result<Outcome, Error> {
        Ok(match self {
            Self::Get { bucket, key } => Outcome::Value(store.get(context, &bucket, &key).await?),
            Self::Set { bucket, key, value } => {
                store.set(context, &bucket, &key, value).await?;
                Outcome::Done
            }
            Self::Delete { bucket, key } => {
                store.delete(context, &bucket, &key).await?;
                Outcome::Done
            }
            Self::Exists { bucket, key } => Outcome::There(store.exists(context, &bucket, &key).await?),
            Self::ListKeys { bucket, cursor } => {
                Outcome::Page(store.list_keys(context, &bucket, cursor.as_deref()).await?)
            }
            Self::Increment { bucket, key, delta } => {
                Outcome::Sum(store.increment(context, &bucket, &key, delta).await?)
            }
            Self::CompareAndSwap { bucket, key, expected, new } => {
                Outcome::Swap(store.compare_and_swap(context, &bucket, &key, expected.as_ref(), new).await?)
            }
            Self::GetMany { bucket, keys } => Outcome::Values(store.get_many(context, &bucket, &keys).await?),
            Self::SetMany { bucket, pairs } => {
                store.set_many(context, &bucket, &pairs).await?;
                Outcome::Done
            }
            Self::DeleteMany { bucket, keys } => {
                store.delete_many(context, &bucket, &keys).await?;
                Outcome::Done
            }
        })
    }
}

/// Writes the result of an operation down.
pub(crate) fn encode_outcome(outcome: &Result<Outcome, Error>) -> Bytes {
    let mut values = Writer::default();
    match outcome {
        Ok(outcome) => {
            values.u8(0);
            match outcome {
                Outcome::Done => values.u8(0),
                Outcome::Value(value) => {
                    values.u8(1);
                    values.option(value.as_ref(), |values, value| values.bytes(value));
                }
                Outcome::There(there) => {
                    values.u8(2);
                    values.u8(u8::from(*there));
                }
                Outcome::Page(page) => {
                    values.u8(3);
                    values.list(&page.keys, |values, key| values.string(key));
                    values.option(page.cursor.as_ref(), |values, cursor| values.string(cursor));
                }
                Outcome::Sum(sum) => {
                    values.u8(4);
                    values.s64(*sum);
                }
                Outcome::Swap(Swap::Swapped) => values.u8(5),
                Outcome::Swap(Swap::Changed(now)) => {
                    values.u8(6);
                    values.option(now.as_ref(), |values, now| values.bytes(now));
                }
                Outcome::Values(list) => {
                    values.u8(7);
                    values.list(list, |values, value| {
                        values.option(value.as_ref(), |values, value| values.bytes(value))
                    });
                }
            }
        }
        Err(error) => {
            let (case, text) = match error {
                Error::NoSuchStore(text) => (1, text),
                Error::AccessDenied(text) => (2, text),
                Error::NotExecuted(text) => (3, text),
                Error::Unknown(text) => (4, text),
                Error::Other(text) => (5, text),
            };
            values.u8(case);
            values.string(text);
        }
    }
    values.finish()
}

/// Reads a result; the inverse of [`encode_outcome`].
///
/// # Errors
/// What came is no result.
pub(crate) fn decode_outcome(bytes: Bytes) -> Result<Result<Outcome, Error>, Malformed> {
    let mut values = Reader::new(bytes);
    let outcome = match values.u8()? {
        0 => Ok(match values.u8()? {
            0 => Outcome::Done,
            1 => Outcome::Value(values.option(Reader::bytes)?),
            2 => Outcome::There(values.u8()? != 0),
            3 => Outcome::Page(Page {
                keys: values.list(Reader::string)?,
                cursor: values.option(Reader::string)?,
            }),
            4 => Outcome::Sum(values.s64()?),
            5 => Outcome::Swap(Swap::Swapped),
            6 => Outcome::Swap(Swap::Changed(values.option(Reader::bytes)?)),
            7 => Outcome::Values(values.list(|values| values.option(Reader::bytes))?),
            _ => return Err(Malformed("no such outcome")),
        }),
        1 => Err(Error::NoSuchStore(values.string()?)),
        2 => Err(Error::AccessDenied(values.string()?)),
        3 => Err(Error::NotExecuted(values.string()?)),
        4 => Err(Error::Unknown(values.string()?)),
        5 => Err(Error::Other(values.string()?)),
        _ => return Err(Malformed("no such result")),
    };
    values.end()?;
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_and_outcomes_survive_the_way() {
        let (bucket, key) = ("b".to_owned(), "schlüssel".to_owned());
        let bytes = Bytes::from_static(b"\0\xff");
        for operation in [
            Operation::Get { bucket: bucket.clone(), key: key.clone() },
            Operation::Set { bucket: bucket.clone(), key: key.clone(), value: bytes.clone() },
            Operation::ListKeys { bucket: bucket.clone(), cursor: Some("c".into()) },
            Operation::Increment { bucket: bucket.clone(), key: key.clone(), delta: i64::MIN },
            Operation::CompareAndSwap {
                bucket: bucket.clone(),
                key: key.clone(),
                expected: None,
                new: bytes.clone(),
            },
            Operation::SetMany { bucket: bucket.clone(), pairs: vec![(key.clone(), bytes.clone())] },
            Operation::GetMany { bucket, keys: vec![key; 3] },
        ] {
            let (function, _) = operation.function();
            assert!(is_keyvalue(function));
            assert_eq!(Operation::decode(function, operation.encode()), Ok(operation));
        }
        for outcome in [
            Ok(Outcome::Done),
            Ok(Outcome::Value(None)),
            Ok(Outcome::Values(vec![None, Some(bytes.clone())])),
            Ok(Outcome::Page(Page { keys: vec!["a".into()], cursor: None })),
            Ok(Outcome::Sum(-1)),
            Ok(Outcome::Swap(Swap::Changed(Some(bytes)))),
            Err(Error::Unknown("perhaps".into())),
        ] {
            assert_eq!(decode_outcome(encode_outcome(&outcome)), Ok(outcome));
        }
    }

    #[test]
    fn what_is_too_long_or_too_short_is_refused() {
        let operation = Operation::Get { bucket: "b".into(), key: "k".into() };
        let mut bytes = operation.encode().to_vec();
        bytes.push(0);
        assert!(Operation::decode("keyvalue-get", bytes.into()).is_err());
        assert!(Operation::decode("keyvalue-get", operation.encode().slice(..2)).is_err());
        assert!(decode_outcome(Bytes::from_static(&[9])).is_err());
    }
}
