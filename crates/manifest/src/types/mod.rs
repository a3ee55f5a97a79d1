//! The types of `dunlin.dev/v1alpha1`: what YAML is read into and what everything else is generated from.
//!
//! The doc comments of fields are what users read in their editors and on the reference page.

mod component;
mod lattice;
mod link;
mod object;
mod provider;

pub use component::{
    Abort, Canary, ConfigValue, Failover, Http, Limits, Readiness, Remote, Replicas, Resources,
    SecretKeyReference, SitePlacement, Timeouts, Update, WasmComponent,
};
pub use lattice::{Lattice, Site};
pub use link::{Egress, Link, LinkTarget};
pub use object::{Kind, Object, ObjectReference, Origin, Snapshot};
pub use provider::{KeyValueBackend, ProviderSite, Redis, SecretReference, WasmProvider};

pub(crate) use object::{Metadata, short_hash};

/// The API group of every kind of ours.
pub const GROUP: &str = "dunlin.dev";

/// The `apiVersion` that this version reads and prints.
pub const API_VERSION: &str = "dunlin.dev/v1alpha1";

/// For `skip_serializing_if`: whether a switch is off.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands over a reference
fn is_false(switch: &bool) -> bool {
    !*switch
}
