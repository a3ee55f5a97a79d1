//! What Git says: types, parsing, validation, schema.
//!
//! The types in `types` are the one source: they are what YAML is read into, and the JSON Schema, the
//! reference page and (later) the custom resource definitions are generated from them.
//!
//! Reading goes through four steps, each a module: `tree` turns text into values with positions,
//! `walk` holds them against the schema, `checks` holds the objects against each other, and
//! `reading` collects what is good and what is a mistake. Everything here is a function from values to
//! values: no files, no clock, no network.

mod checks;
mod difference;
mod document;
mod edit;
mod formats;
mod identity;
mod mistake;
mod names;
mod overlaps;
mod print;
mod ratio;
mod reading;
mod reference;
mod revision;
mod schema;
mod tree;
mod types;
mod units;
mod walk;

pub use difference::{Difference, differences};
pub use edit::{EditError, line_of, object_in, objects_in, restore, set_image, set_replicas};
pub use formats::ImageReference;
pub use identity::identity;
pub use mistake::{Mistake, did_you_mean};
pub use names::{HostId, is_dns_label};
pub use print::print;
pub use ratio::Ratio;
pub use reading::{File, Reading, read};
pub use reference::reference_page;
pub use revision::{ENOUGH_DIGITS, is_commit, short_revision};
pub use schema::json_schema;
pub use types::{
    API_VERSION, Abort, Canary, ConfigValue, Egress, Failover, GROUP, Http, KeyValueBackend, Kind, Lattice,
    Limits, Link, LinkTarget, Object, ObjectReference, Origin, ProviderSite, Readiness, Redis, Remote,
    Replicas, Resources, SecretKeyReference, SecretReference, Site, SitePlacement, Snapshot, Timeouts,
    Update, WasmComponent, WasmProvider,
};
pub use units::{format_bytes, format_duration, parse_bytes, parse_duration};
