//! What a component may import, one file each.

pub(crate) mod config;
pub mod egress;
pub(crate) mod keyvalue;
pub(crate) mod logging;
pub(crate) mod stdio;
