//! The kind `WasmComponent`: what runs, where, and what it is given.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_false;
use super::link::Link;
use crate::ratio::Ratio;
use crate::units;

/// A WebAssembly component: what runs, in which sites, and what it is linked to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WasmComponent {
    /// The component's image, an OCI reference: `registry.example.com/todo:1.4.0@sha256:…`. On a lattice it
    /// carries a digest; a tag alone is for development.
    #[schemars(extend("format" = "image"))]
    pub image: String,
    /// The sites it runs in, and how many replicas in each. Changing them moves it.
    #[schemars(extend("maxProperties" = 100, "propertyNames" = { "format": "dns-label" }))]
    pub sites: BTreeMap<String, SitePlacement>,
    /// Where else it runs when every host of a site is silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<Failover>,
    /// The HTTP route that leads to it. Without one it is reached by links only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    /// What binds its imports, by a name of your choice. Logging, config, clocks and random need none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 100, "propertyNames" = { "format": "dns-label" }))]
    pub links: BTreeMap<String, Link>,
    /// What it reads through `wasi:config`, by key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = { "format": "config-key" }))]
    pub config: BTreeMap<String, ConfigValue>,
    /// What must answer before it is given requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness: Option<Readiness>,
    /// What it may use.
    #[serde(default)]
    pub resources: Resources,
    /// How long things may take.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// Requests that one replica handles at the same time. More are answered 503 with `Retry-After`.
    #[serde(default = "max_concurrency")]
    #[schemars(extend("minimum" = 1, "maximum" = 10000))]
    pub max_concurrency: u32,
    /// How a new identity replaces the old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<Update>,
    /// Starts nothing and stops nothing while it is true.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
}

fn max_concurrency() -> u32 {
    200
}

/// How a component runs in one site.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SitePlacement {
    /// How many hosts of the site run it, or `all`. 0 keeps the site's other settings and runs none.
    #[serde(default)]
    pub replicas: Replicas,
    /// The labels that a host must have to run it: `{ disk: ssd }`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = { "format": "label-key" }, "additionalProperties" = { "type": "string", "format": "label-value" }))]
    pub host_labels: BTreeMap<String, String>,
}

/// How many hosts of a site run a component.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "serde_json::Value", try_from = "serde_json::Value")]
pub enum Replicas {
    /// Every host that may.
    #[default]
    All,
    /// This many.
    Count(u32),
}

impl Replicas {
    /// The most replicas that one site may be asked for.
    pub const MAXIMUM: u32 = 1000;
}

impl From<Replicas> for serde_json::Value {
    fn from(replicas: Replicas) -> Self {
        match replicas {
            Replicas::All => "all".into(),
            Replicas::Count(count) => count.into(),
        }
    }
}

impl TryFrom<serde_json::Value> for Replicas {
    type Error = &'static str;

    fn try_from(value: serde_json::Value) -> Result<Self, Self::Error> {
        let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
        match (count, value.as_str()) {
            (Some(count), _) if count <= Self::MAXIMUM => Ok(Self::Count(count)),
            (None, Some("all")) => Ok(Self::All),
            _ => Err("replicas are a whole number from 0 to 1000, or all"),
        }
    }
}

impl JsonSchema for Replicas {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Replicas".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["integer", "string"], "format": "replicas", "minimum": 0, "maximum": Replicas::MAXIMUM
        })
    }
}

/// Where else a component runs when every host of a site is silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Failover {
    /// How long the site has to be silent.
    #[serde(with = "units::duration")]
    #[schemars(with = "units::DurationText", extend("x-dunlin-at-least" = "10s", "x-dunlin-at-most" = "24h"))]
    pub after: Duration,
    /// The sites that may take over: the first, other than the silent one, that is seen to have a host for it does.
    #[schemars(extend("minItems" = 1, "maxItems" = 100, "uniqueItems" = true, "items" = { "type": "string", "format": "dns-label" }))]
    pub to: Vec<String>,
    /// How long the site has to be ready again before the substitutes may leave.
    #[serde(default = "failover_back", with = "units::duration")]
    #[schemars(with = "units::DurationText", extend("x-dunlin-at-most" = "24h"))]
    pub back: Duration,
}

fn failover_back() -> Duration {
    Duration::from_secs(30)
}

/// An HTTP route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Http {
    /// The hostnames that the route is for. Without any it is for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 100, "uniqueItems" = true, "items" = { "type": "string", "format": "host-name" }))]
    pub hostnames: Vec<String>,
    /// The path that the route begins with, in whole segments: `/api` is for `/api` and `/api/1`, not for
    /// `/apis`. The longest that fits wins.
    #[serde(default = "http_path")]
    #[schemars(extend("format" = "path"))]
    pub path: String,
    /// Whether another site's replicas may answer when there is none in this one.
    #[serde(default)]
    pub remote: Remote,
}

fn http_path() -> String {
    "/".into()
}

/// Whether requests may be forwarded to another site.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Remote {
    /// They may.
    #[default]
    Allow,
    /// They are never.
    Deny,
}

impl JsonSchema for Remote {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Remote".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "enum": ["Allow", "Deny"] })
    }
}

/// One value that a component reads through `wasi:config`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "ConfigFields", try_from = "ConfigFields")]
pub enum ConfigValue {
    /// Written in the manifest.
    Value(String),
    /// One key of a secret.
    Secret(SecretKeyReference),
}

/// How a [`ConfigValue`] is written: with exactly one field.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["value"] }, { "required": ["valueFrom"] }]))]
pub(crate) struct ConfigFields {
    /// The value itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// Where the value is kept, when it is secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value_from: Option<ValueFrom>,
}

/// Where a value is kept.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ValueFrom {
    /// One key of a secret. The secret's label `dunlin.dev/for` names this component.
    secret_key_ref: SecretKeyReference,
}

/// One key of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretKeyReference {
    /// The secret's name.
    #[schemars(extend("format" = "dns-subdomain"))]
    pub name: String,
    /// The key within it.
    #[schemars(extend("format" = "config-key"))]
    pub key: String,
}

impl JsonSchema for ConfigValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ConfigValue".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        ConfigFields::json_schema(generator)
    }
}

impl From<ConfigValue> for ConfigFields {
    fn from(value: ConfigValue) -> Self {
        match value {
            ConfigValue::Value(value) => Self { value: Some(value), value_from: None },
            ConfigValue::Secret(secret_key_ref) => {
                Self { value: None, value_from: Some(ValueFrom { secret_key_ref }) }
            }
        }
    }
}

impl TryFrom<ConfigFields> for ConfigValue {
    type Error = &'static str;

    fn try_from(fields: ConfigFields) -> Result<Self, Self::Error> {
        match (fields.value, fields.value_from) {
            (Some(value), None) => Ok(Self::Value(value)),
            (None, Some(from)) => Ok(Self::Secret(from.secret_key_ref)),
            _ => Err("exactly one of value and valueFrom is needed"),
        }
    }
}

/// What must answer before a component is given requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Readiness {
    /// The path that must answer a GET with 2xx.
    #[schemars(extend("format" = "path"))]
    pub path: String,
}

/// What a component may use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// The most it may use.
    #[serde(default)]
    pub limits: Limits,
}

/// The most that a component may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// The memory of one instance, in bytes.
    #[serde(default = "memory", with = "units::bytes")]
    #[schemars(with = "units::BytesText", extend("x-dunlin-at-least" = "1Mi", "x-dunlin-at-most" = "4Gi"))]
    pub memory: u64,
    /// The length of one request's body, in bytes. Bodies are passed on piece by piece, so a long one takes no more
    /// memory than a short one.
    #[serde(
        default = "request_body",
        with = "units::bytes",
        skip_serializing_if = "Limits::is_usual_request_body"
    )]
    #[schemars(with = "units::BytesText", extend("x-dunlin-at-least" = "1Ki", "x-dunlin-at-most" = "1Ti"))]
    pub request_body: u64,
}

fn memory() -> u64 {
    64 << 20
}

fn request_body() -> u64 {
    16 << 20
}

impl Limits {
    /// Whether it is the limit that holds where none is said.
    #[must_use]
    pub fn is_usual_request_body(bytes: &u64) -> bool {
        *bytes == request_body()
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: memory(), request_body: request_body() }
    }
}

/// How long things may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Timeouts {
    /// The longest that one request may take, from its arrival to the last byte of its answer.
    #[serde(default = "request_timeout", with = "units::duration")]
    #[schemars(with = "units::DurationText", extend("x-dunlin-at-least" = "1ms", "x-dunlin-at-most" = "1h"))]
    pub request: Duration,
}

fn request_timeout() -> Duration {
    Duration::from_secs(5)
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { request: request_timeout() }
    }
}

/// How a new identity replaces the old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Update {
    /// Gives the new identity some requests before it is given all.
    pub canary: Canary,
}

/// How a new identity is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Canary {
    /// The share of calls it gets, in per cent.
    #[schemars(extend("minimum" = 1, "maximum" = 99))]
    pub weight: u8,
    /// For how long, before it gets all.
    #[serde(with = "units::duration")]
    #[schemars(with = "units::DurationText", extend("x-dunlin-at-least" = "1s", "x-dunlin-at-most" = "24h"))]
    pub hold: Duration,
    /// When it is given up before that. Without, it is never given up for its answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<Abort>,
}

/// When a new identity is given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Abort {
    /// The share of its calls that may fail, as a decimal from 0 to 1 in quotes: `"0.02"`.
    pub error_ratio: Ratio,
    /// Calls that have to be counted before the share says anything.
    #[schemars(extend("minimum" = 1, "maximum" = 1_000_000_000))]
    pub min_requests: u32,
}
