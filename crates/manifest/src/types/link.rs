//! Links: what binds one import of a component to what answers it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units;

/// Binds one import of a component to a provider, to another component or to servers outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "LinkFields", try_from = "LinkFields")]
pub struct Link {
    /// The import: `wasi:keyvalue` (every interface of the package, in every version) or
    /// `wasi:http/outgoing-handler`, optionally with `@version`.
    pub import: String,
    /// What answers it.
    pub target: LinkTarget,
    /// The bucket, for a link to a key-value provider.
    pub bucket: Option<String>,
    /// The longest that one call over the link may take.
    pub timeout: Duration,
}

/// What a link leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkTarget {
    /// The provider of this name.
    Provider(String),
    /// The component of this name.
    Component(String),
    /// Servers outside the lattice.
    Egress(Egress),
}

/// Servers outside the lattice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Egress {
    /// The only hosts that may be called: a hostname or address, optionally with a port.
    #[schemars(extend("minItems" = 1, "maxItems" = 100, "uniqueItems" = true, "items" = { "type": "string", "format": "authority" }))]
    pub hosts: Vec<String>,
}

/// How a [`Link`] is written: flat, with exactly one of the three targets.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["provider"] }, { "required": ["component"] }, { "required": ["egress"] }]))]
pub(crate) struct LinkFields {
    /// The import it binds: `wasi:keyvalue` (every interface of the package, in every version) or
    /// `wasi:http/outgoing-handler`, optionally with `@version`.
    #[schemars(extend("format" = "import"))]
    import: String,
    /// The provider that answers. Exactly one of `provider`, `component` and `egress` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider: Option<Name>,
    /// The component that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    component: Option<Name>,
    /// Servers outside the lattice that may be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    egress: Option<Egress>,
    /// The bucket, for a link to a key-value provider. Without it the component's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "bucket"))]
    bucket: Option<String>,
    /// The longest that one call over the link may take.
    #[serde(default = "link_timeout", with = "units::duration")]
    #[schemars(with = "units::DurationText", extend("x-dunlin-at-least" = "1ms", "x-dunlin-at-most" = "1h"))]
    timeout: Duration,
}

/// The name of an object of the kind that the field says.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Name {
    /// Its name.
    #[schemars(extend("format" = "dns-label"))]
    name: String,
}

fn link_timeout() -> Duration {
    Duration::from_secs(2)
}

impl JsonSchema for Link {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Link".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        LinkFields::json_schema(generator)
    }
}

impl From<Link> for LinkFields {
    fn from(link: Link) -> Self {
        let Link { import, target, bucket, timeout } = link;
        let (provider, component, egress) = match target {
            LinkTarget::Provider(name) => (Some(Name { name }), None, None),
            LinkTarget::Component(name) => (None, Some(Name { name }), None),
            LinkTarget::Egress(egress) => (None, None, Some(egress)),
        };
        Self { import, provider, component, egress, bucket, timeout }
    }
}

impl TryFrom<LinkFields> for Link {
    type Error = &'static str;

    fn try_from(fields: LinkFields) -> Result<Self, Self::Error> {
        let LinkFields { import, provider, component, egress, bucket, timeout } = fields;
        let target = match (provider, component, egress) {
            (Some(provider), None, None) => LinkTarget::Provider(provider.name),
            (None, Some(component), None) => LinkTarget::Component(component.name),
            (None, None, Some(egress)) => LinkTarget::Egress(egress),
            _ => return Err("exactly one of provider, component and egress is needed"),
        };
        Ok(Self { import, target, bucket, timeout })
    }
}
