//! The TLS authority of the lattice and the certificates of its servers.
//!
//! Clients and leaves trust this authority and no other, so a server's certificate is worth nothing outside. Users
//! have no certificates: their tokens say who they are.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroize;

use crate::error::Error;
use crate::files;
use crate::names;
use crate::secret::Secret;

/// Ten years: renewing it means a new file for everybody.
const AUTHORITY_DAYS: i64 = 3650;
/// Two years: renewing it means a new file for one server.
const SERVER_DAYS: i64 = 730;
/// Clocks of two machines differ.
const BEFORE: Duration = Duration::hours(1);

/// A certificate and its private key, in PEM.
pub(crate) struct Certificate {
    pub(crate) certificate: String,
    pub(crate) key: Secret,
}

/// A new authority.
pub(crate) fn generate(lattice: &str) -> Result<Certificate, Error> {
    let name = format!("Dunlin lattice {lattice}");
    let failed = |source| Error::Certificate { name: name.clone(), source };
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name.as_str());
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    last(&mut parameters, AUTHORITY_DAYS);
    let pair = KeyPair::generate().map_err(failed)?;
    let certificate = parameters.self_signed(&pair).map_err(failed)?.pem();
    Ok(Certificate { certificate, key: private(pair) })
}

/// Signs a certificate for a server that is reached by `names` (DNS names and IP addresses).
///
/// # Errors
/// The authority's files are missing or damaged.
pub(crate) fn sign(root: &Path, common_name: &str, server: &[String]) -> Result<Certificate, Error> {
    let failed = |source| Error::Certificate { name: common_name.to_owned(), source };
    let authority = files::read(&root.join(names::AUTHORITY))?;
    let key = files::read_secret(&names::keys(root).join(names::AUTHORITY_KEY))?;
    let key = KeyPair::from_pem(key.expose()).map_err(failed)?;
    let issuer = Issuer::from_ca_cert_pem(&authority, key).map_err(failed)?;
    let mut parameters = CertificateParams::new(server).map_err(failed)?;
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    parameters.use_authority_key_identifier_extension = true;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    last(&mut parameters, SERVER_DAYS);
    let pair = KeyPair::generate().map_err(failed)?;
    let certificate = parameters.signed_by(&pair, &issuer).map_err(failed)?.pem();
    Ok(Certificate { certificate, key: private(pair) })
}

fn last(parameters: &mut CertificateParams, days: i64) {
    let now = OffsetDateTime::now_utc();
    parameters.not_before = now - BEFORE;
    parameters.not_after = now + Duration::days(days);
}

fn private(mut pair: KeyPair) -> Secret {
    let key = Secret::new(pair.serialize_pem());
    pair.zeroize();
    key
}
