//! What crosses the lattice, in the lattice's calls: requests of HTTP, operations on stores.

pub(crate) mod http;
pub(crate) mod keyvalue;
