//! The kind `Lattice`: which sites there are.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_false;

/// All hosts that share one NATS account: names the sites. A source holds exactly one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lattice {
    /// The sites by name, each a DNS label: `{ gcp: {}, aws: {} }`.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 100, "propertyNames" = { "format": "dns-label" }))]
    pub sites: BTreeMap<String, Site>,
    /// The revision that this one may follow although it is no ancestor of it, after a forced push: a commit's id, or
    /// at least its first 7 digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// Whether a state without any component is meant. Without it such a state is held back, since it is
    /// more often a mistake than a wish.
    #[serde(default, skip_serializing_if = "is_false")]
    pub allow_empty: bool,
}

/// One site of the lattice. Nothing needs saying about it yet: `{}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Site {}
