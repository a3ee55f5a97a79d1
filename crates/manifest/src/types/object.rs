//! What all kinds share: names, references, where an object was read, and the whole of a desired state.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Lattice, WasmComponent, WasmProvider};

/// The kinds of `dunlin.dev/v1alpha1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// [`Lattice`].
    Lattice,
    /// [`WasmComponent`].
    WasmComponent,
    /// [`WasmProvider`].
    WasmProvider,
}

impl Kind {
    /// All of them, in the order in which they are printed.
    pub const ALL: [Self; 3] = [Self::Lattice, Self::WasmComponent, Self::WasmProvider];

    /// The kind as `kind:` says it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lattice => "Lattice",
            Self::WasmComponent => "WasmComponent",
            Self::WasmProvider => "WasmProvider",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Names one object of a desired state.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectReference {
    /// Its kind.
    pub kind: Kind,
    /// Its `metadata.name`.
    pub name: String,
}

impl fmt::Display for ObjectReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.kind, self.name)
    }
}

/// Where an object was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The file, as [`crate::File`] named it.
    pub file: String,
    /// The line on which the object begins, from 1.
    pub line: usize,
}

/// One object of a desired state. Two are equal when they say the same, wherever they were read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Object<S> {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.labels`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// `spec`.
    pub spec: S,
    /// Where it was read; not part of what it says.
    pub origin: Origin,
}

impl<S: PartialEq> PartialEq for Object<S> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.labels == other.labels
            && self.annotations == other.annotations
            && self.spec == other.spec
    }
}

/// A desired state: every object that is good, by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The lattice, if there is one.
    pub lattice: Option<Object<Lattice>>,
    /// The components.
    pub components: BTreeMap<String, Object<WasmComponent>>,
    /// The providers.
    pub providers: BTreeMap<String, Object<WasmProvider>>,
}

impl Snapshot {
    /// A digest of what the snapshot says (32 hexadecimal digits of SHA-256), equal on every host for equal
    /// content and independent of the files it was read from.
    #[must_use]
    pub fn digest(&self) -> String {
        short_hash("dunlin snapshot 1", &crate::print(self))
    }

    /// Whether the object is there.
    #[must_use]
    pub fn contains(&self, object: &ObjectReference) -> bool {
        match object.kind {
            Kind::Lattice => self.lattice.as_ref().is_some_and(|lattice| lattice.name == object.name),
            Kind::WasmComponent => self.components.contains_key(&object.name),
            Kind::WasmProvider => self.providers.contains_key(&object.name),
        }
    }
}

/// The first 16 bytes of the SHA-256 of `purpose`, a newline and `text`, in hexadecimal digits.
pub(crate) fn short_hash(purpose: &str, text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(purpose.as_bytes());
    hash.update(b"\n");
    hash.update(text.as_bytes());
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// What every object carries beside its `spec`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    /// The object's name, a DNS label, unique within its kind.
    #[schemars(extend("format" = "dns-label"))]
    pub(crate) name: String,
    /// Labels, for your own use and for tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = { "format": "label-key" }, "additionalProperties" = { "type": "string", "format": "label-value" }))]
    pub(crate) labels: BTreeMap<String, String>,
    /// Annotations, for your own use and for tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = { "format": "label-key" }))]
    pub(crate) annotations: BTreeMap<String, String>,
}
