//! Looks at a server's certificate and remembers what is wrong with it, instead of hanging up on it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use dunlin_credentials::CertificateFacts;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::check::facts::{Tls, Trust};

/// The authorities of a PEM file, or those that this machine trusts.
///
/// # Errors
/// In words: the file cannot be read.
pub(super) fn roots(authority: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match authority {
        Some(path) => {
            let text = std::fs::read(path);
            let text = text.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&text).flatten());
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(roots)
}

/// Lets every certificate pass and keeps what a careful client would have said. Only for connections on which
/// nothing is said.
#[derive(Debug)]
pub(super) struct Looking {
    /// `None` where no authority is trusted at all.
    careful: Option<Arc<WebPkiServerVerifier>>,
    provider: CryptoProvider,
    seen: Mutex<Option<Tls>>,
}

impl Looking {
    pub(super) fn new(roots: RootCertStore) -> Self {
        let provider = ring::default_provider();
        let careful = WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::new(provider.clone()));
        Self { careful: careful.build().ok(), provider, seen: Mutex::default() }
    }

    /// What was shown.
    pub(super) fn seen(&self) -> Option<Tls> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for Looking {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let trust = match &self.careful {
            None => Trust::OtherAuthority,
            Some(careful) => match careful.verify_server_cert(certificate, others, name, response, now) {
                Ok(_) => Trust::Trusted,
                Err(error) => doubt(&error),
            },
        };
        let certificate = CertificateFacts::of_der(certificate);
        let seen = certificate.map(|certificate| Tls { certificate, trust });
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn doubt(error: &Error) -> Trust {
    let Error::InvalidCertificate(reason) = error else { return Trust::Other(error.to_string()) };
    match reason {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Trust::OutOfTime,
        // An authority made anew has the old one's name, and another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Trust::OtherAuthority,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Trust::OtherName
        }
        other => Trust::Other(other.to_string()),
    }
}
