//! How a NATS server greets: it says who it is in plain text, and then proves it with a certificate. Nothing of ours
//! is shown to it.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;

use super::trust::{self, Looking};
use super::{CONNECT, SILENCE};
use crate::check::address::Address;
use crate::check::facts::{Look, Tls, Trouble};

/// The greeting of the largest cluster is a few kilobytes.
const LONGEST: u64 = 64 << 10;

/// What of a server's INFO is of use here.
#[derive(Deserialize)]
struct Information {
    #[serde(default)]
    version: String,
    #[serde(default)]
    auth_required: bool,
    #[serde(default)]
    tls_required: bool,
    #[serde(default)]
    tls_available: bool,
}

/// Connects, listens to the greeting, shakes hands over TLS where the server or the URL wants that, and hangs up.
pub(super) async fn look(address: &Address, authority: Option<&Path>) -> Result<Look, Trouble> {
    let mut stream = BufReader::new(connect(address).await?);
    let mut line = String::new();
    match timeout(SILENCE, (&mut stream).take(LONGEST).read_line(&mut line)).await {
        Err(_) => return Err(Trouble::Silent(SILENCE)),
        Ok(Err(error)) if error.kind() != std::io::ErrorKind::InvalidData => return Err(Trouble::Closed),
        Ok(Ok(0)) => return Err(Trouble::Closed),
        Ok(_) => {}
    }
    let information = line.strip_prefix("INFO ").and_then(|json| serde_json::from_str(json).ok());
    let Information { version, auth_required, tls_required, tls_available } = information
        .ok_or_else(|| Trouble::Other("does not greet as a NATS server does: another port?".to_owned()))?;
    let tls = match (address.tls, tls_required || tls_available) {
        (true, false) => return Err(Trouble::NoTls),
        (false, _) if !tls_required => None,
        _ => Some(shake_hands(stream.into_inner(), address, authority).await?),
    };
    Ok(Look { version, demands_user: auth_required, tls })
}

/// Connects, each step within its limit.
pub(super) async fn connect(address: &Address) -> Result<TcpStream, Trouble> {
    let looking_up = tokio::net::lookup_host((address.host.as_str(), address.port));
    let found = match timeout(CONNECT, looking_up).await {
        Err(_) => return Err(Trouble::Name(format!("no answer within {CONNECT:?}"))),
        Ok(Err(error)) => return Err(Trouble::Name(error.to_string())),
        Ok(Ok(found)) => found.collect::<Vec<_>>(),
    };
    match timeout(CONNECT, TcpStream::connect(found.as_slice())).await {
        Err(_) => Err(Trouble::NoConnection(CONNECT)),
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(match error.kind() {
            std::io::ErrorKind::ConnectionRefused => Trouble::Refused,
            std::io::ErrorKind::TimedOut => Trouble::NoConnection(CONNECT),
            _ => Trouble::Other(format!("cannot be connected to: {error}")),
        }),
    }
}

async fn shake_hands(stream: TcpStream, address: &Address, authority: Option<&Path>) -> Result<Tls, Trouble> {
    let broken = |error: &dyn std::fmt::Display| Trouble::Other(format!("TLS fails: {error}"));
    let name = ServerName::try_from(address.host.clone()).map_err(|error| broken(&error))?;
    let looking = Arc::new(Looking::new(trust::roots(authority).map_err(Trouble::Other)?));
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| broken(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&looking) as _)
        .with_no_client_auth();
    let shaking = TlsConnector::from(Arc::new(config)).connect(name, stream);
    match timeout(SILENCE, shaking).await {
        Err(_) => Err(Trouble::Silent(SILENCE)),
        Ok(Err(error)) => Err(broken(&error)),
        Ok(Ok(_)) => looking.seen().ok_or_else(|| broken(&"it showed no certificate that can be read")),
    }
}
