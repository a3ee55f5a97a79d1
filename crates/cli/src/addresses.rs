//! The file in which `dunlin host --addresses` says where it listens, for whoever started it with port 0.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Where a host listens.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Addresses {
    /// Requests.
    pub(crate) http: SocketAddr,
    /// Health, metrics, status and logs.
    pub(crate) admin: SocketAddr,
}

/// Writes the file so that a reader sees all of it or nothing.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write(file: &Path, http: SocketAddr, admin: SocketAddr) -> Result<()> {
    let unfinished = file.with_extension("unfinished");
    let json = serde_json::to_vec(&Addresses { http, admin })?;
    std::fs::write(&unfinished, json)
        .and_then(|()| std::fs::rename(&unfinished, file))
        .with_context(|| format!("cannot write the addresses to {}", file.display()))
}

/// Reads the file, if it is there yet.
pub(crate) fn read(file: &Path) -> Option<Addresses> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}
