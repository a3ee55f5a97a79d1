//! Opening a connection: TCP, TLS where it is asked for, and the first words.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::handshake::{Greeting, Login, greet};
use super::pipe::{Pipe, Stream};
use super::protocol::Decoder;
use super::settings::{Address, RedisSettings, SettingsError};

/// How long an attempt may take in all.
const OPEN_TIME: Duration = Duration::from_secs(3);

/// Where a server is and how to get in.
pub(super) struct Endpoint {
    pub(super) address: Address,
    login: Login,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Endpoint {
    pub(super) fn new(settings: &RedisSettings) -> Result<Self, SettingsError> {
        let address = Address::parse(&settings.url)?;
        if settings.username.is_some() && settings.password.is_none() {
            return Err(SettingsError::NoPassword);
        }
        let (username, password) = (settings.username.clone(), settings.password.clone());
        let login = Login { username, password, database: address.database };
        let tls = match address.tls {
            true => {
                let name = ServerName::try_from(address.host.clone()).map_err(|_| SettingsError::Url)?;
                Some((connector(settings.authority.as_deref())?, name))
            }
            false => None,
        };
        Ok(Self { address, login, tls })
    }

    /// Opens a connection; an error says in words why there is none, and shows no secret.
    pub(super) async fn open(&self) -> Result<(Pipe, Greeting), String> {
        let opened = self.try_open(Instant::now() + OPEN_TIME).await;
        opened.map_err(|reason| format!("cannot use Redis at {}: {reason}", self.address))
    }

    async fn try_open(&self, deadline: Instant) -> Result<(Pipe, Greeting), String> {
        let (host, port) = (self.address.host.as_str(), self.address.port);
        let silent = |what: &str| format!("{what} within {} s", OPEN_TIME.as_secs());
        let words = |error: io::Error| error.to_string();
        let tcp = timeout_at(deadline, TcpStream::connect((host, port))).await;
        let tcp = tcp.map_err(|_| silent("no connection"))?.map_err(words)?;
        tcp.set_nodelay(true).map_err(words)?;
        let mut stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(tcp),
            Some((connector, name)) => {
                let tls = timeout_at(deadline, connector.connect(name.clone(), tcp)).await;
                let tls = tls.map_err(|_| silent("it does not speak TLS at this port, or not"))?;
                Box::new(tls.map_err(|error| format!("TLS: {error}"))?)
            }
        };
        let mut decoder = Decoder::default();
        let greeting = timeout_at(deadline, greet(stream.as_mut(), &mut decoder, &self.login)).await;
        let greeting = greeting.map_err(|_| silent("no answer"))??;
        Ok((Pipe::new(stream, decoder), greeting))
    }
}

/// TLS that trusts these authorities alone, or those that browsers trust.
fn connector(authority: Option<&str>) -> Result<TlsConnector, SettingsError> {
    let unusable = |reason: String| SettingsError::Authority { reason };
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
    if let Some(pem) = authority {
        roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
            roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(unusable("there is no certificate in it; it should begin with -----BEGIN".into()));
        }
    }
    // Named, since another crate of the program may bring a second provider, and then there is no default.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_be_right_are_refused() {
        let settings = |url: &str| RedisSettings { url: url.into(), ..RedisSettings::default() };
        let error = |settings| Endpoint::new(&settings).err().map(|error| error.to_string());
        assert_eq!(error(settings("redis://r")), None);
        assert_eq!(error(settings("rediss://r")), None);
        let alone = RedisSettings { username: Some("me".into()), ..settings("redis://r") };
        assert!(error(alone).is_some_and(|error| error.contains("no password")));
        for pem in ["", "hunter2", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let bad = RedisSettings { authority: Some(pem.into()), ..settings("rediss://r") };
            let error = error(bad).unwrap_or_default();
            assert!(error.contains("ca.crt") && !error.contains("hunter2"), "{pem}: {error}");
        }
        let unused = RedisSettings { authority: Some(String::new()), ..settings("redis://r") };
        assert_eq!(error(unused), None);
    }
}
