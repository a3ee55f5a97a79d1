//! What Git says: types, parsing, validation, schema.

mod names;

pub use names::{HostId, is_dns_label};
