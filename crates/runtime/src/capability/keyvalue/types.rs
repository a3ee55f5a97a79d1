//! The types of `wasi:keyvalue`.

use dunlin_providers::keyvalue::Error;
use wasmtime::component::{ComponentType, Lower, Resource};

use super::atomics::Cas;

/// A published draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Draft {
    /// 0.2.0-draft.
    First,
    /// 0.2.0-draft2.
    Second,
}

impl Draft {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::First, Self::Second];

    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::First => "0.2.0-draft",
            Self::Second => "0.2.0-draft2",
        }
    }
}

/// A key and its value.
pub(super) type Pair = (String, Vec<u8>);

/// `store.error`.
#[derive(ComponentType, Lower, Debug, Clone, PartialEq, Eq)]
#[component(variant)]
pub(crate) enum StoreError {
    #[component(name = "no-such-store")]
    NoSuchStore,
    #[component(name = "access-denied")]
    AccessDenied,
    #[component(name = "other")]
    Other(String),
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error {
            Error::NoSuchStore(_) => Self::NoSuchStore,
            Error::AccessDenied(_) => Self::AccessDenied,
            // The text says whether it was executed: "not executed: …" or "outcome unknown: …".
            error => Self::Other(error.to_string()),
        }
    }
}

/// `store.key-response`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct KeyResponse<C> {
    pub(super) keys: Vec<String>,
    pub(super) cursor: Option<C>,
}

/// `atomics.cas-error` of the second draft.
#[derive(ComponentType, Lower)]
#[component(variant)]
pub(super) enum CasError {
    #[component(name = "store-error")]
    Store(StoreError),
    #[component(name = "cas-failed")]
    Failed(Resource<Cas>),
}
