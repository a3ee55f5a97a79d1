//! The kind `WasmProvider`: a named backend of a capability, and where hosts may open it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_false;

/// A named backend of a capability and the sites whose hosts may open it. A provider is one data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WasmProvider {
    /// A key-value store, and which: exactly one of `redis`, `embedded` and `memory`.
    pub keyvalue: KeyValueBackend,
    /// Says that all sites named below reach the same data. Needed for a second site.
    #[serde(default, skip_serializing_if = "is_false")]
    pub shared: bool,
    /// The sites whose hosts may open it, and how each reaches it.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 100, "propertyNames" = { "format": "dns-label" }))]
    pub sites: BTreeMap<String, ProviderSite>,
}

/// What keeps the keys and values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "KeyValueFields", try_from = "KeyValueFields")]
pub enum KeyValueBackend {
    /// A Redis server, reached at the `url` of each site.
    Redis(Redis),
    /// A database file of one host, which holds the data and keeps it.
    Embedded,
    /// The memory of one host: gone when it stops.
    Memory,
}

impl KeyValueBackend {
    /// The backend's name in YAML: `redis`, `embedded` or `memory`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Redis(_) => "redis",
            Self::Embedded => "embedded",
            Self::Memory => "memory",
        }
    }
}

/// How [`KeyValueBackend`] is written: a mapping with exactly one field.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["redis"] }, { "required": ["embedded"] }, { "required": ["memory"] }]))]
pub(crate) struct KeyValueFields {
    /// A Redis server, reached at the `url` of each site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redis: Option<Redis>,
    /// A database file of one host, which holds the data: `{}`. For exactly one site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    embedded: Option<Nothing>,
    /// The memory of one host, gone when it stops: `{}`. For exactly one site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    memory: Option<Nothing>,
}

/// A backend about which nothing needs saying.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

impl JsonSchema for KeyValueBackend {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "KeyValueBackend".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        KeyValueFields::json_schema(generator)
    }
}

impl From<KeyValueBackend> for KeyValueFields {
    fn from(backend: KeyValueBackend) -> Self {
        match backend {
            KeyValueBackend::Redis(redis) => Self { redis: Some(redis), ..Self::default() },
            KeyValueBackend::Embedded => Self { embedded: Some(Nothing {}), ..Self::default() },
            KeyValueBackend::Memory => Self { memory: Some(Nothing {}), ..Self::default() },
        }
    }
}

impl TryFrom<KeyValueFields> for KeyValueBackend {
    type Error = &'static str;

    fn try_from(fields: KeyValueFields) -> Result<Self, Self::Error> {
        match (fields.redis, fields.embedded, fields.memory) {
            (Some(redis), None, None) => Ok(Self::Redis(redis)),
            (None, Some(_), None) => Ok(Self::Embedded),
            (None, None, Some(_)) => Ok(Self::Memory),
            _ => Err("exactly one of redis, embedded and memory is needed"),
        }
    }
}

/// A Redis server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Redis {
    /// The secret with the keys `password`, where Redis has users `username`, and where the server's certificate
    /// is of a private authority `ca.crt`; each may be left out. Its label `dunlin.dev/for` names this provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretReference>,
}

/// The name of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretReference {
    /// The secret's name.
    #[schemars(extend("format" = "dns-subdomain"))]
    pub name: String,
}

/// How the hosts of one site reach a provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProviderSite {
    /// Where Redis answers: `redis://redis:6379` or, with TLS, `rediss://redis:6380`. User and password
    /// belong in a secret. Only for `redis`, which needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "redis-url"))]
    pub url: Option<String>,
    /// The host that holds the data. Only for `embedded` and `memory`; without it the site's first host does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "dns-label"))]
    pub host: Option<String>,
}
