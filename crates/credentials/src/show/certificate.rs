//! What certificates say.

use std::net::IpAddr;
use std::path::Path;

use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::X509Name;

use super::{Shown, moment};
use crate::error::Error;
use crate::facts::{CertificateFacts, Span};
use crate::files;
use crate::token::now;

/// Every certificate in PEM text.
pub(super) fn read(path: &Path, text: &str) -> Result<Vec<Shown>, Error> {
    each(path, text, |certificate| {
        let validity = certificate.validity();
        Shown::Certificate {
            name: common_name(certificate.subject()),
            names: alternatives(certificate),
            issuer: common_name(certificate.issuer()),
            authority: certificate.is_ca(),
            begins: moment(validity.not_before.timestamp()),
            ends: moment(validity.not_after.timestamp()),
            ended: validity.not_after.timestamp() <= now(),
        }
    })
}

/// Every certificate of a file, for programs.
pub(crate) fn certificate_facts(path: &Path) -> Result<Vec<CertificateFacts>, Error> {
    each(path, &files::read(path)?, facts)
}

/// A certificate as it comes over the wire, for programs.
pub(crate) fn certificate_of_der(bytes: &[u8]) -> Option<CertificateFacts> {
    X509Certificate::from_der(bytes).ok().map(|(_, certificate)| facts(&certificate))
}

fn facts(certificate: &X509Certificate<'_>) -> CertificateFacts {
    let validity = certificate.validity();
    CertificateFacts {
        name: common_name(certificate.subject()),
        names: alternatives(certificate),
        issuer: common_name(certificate.issuer()),
        span: Span {
            begins: Some(validity.not_before.timestamp()),
            ends: Some(validity.not_after.timestamp()),
        },
    }
}

/// The DNS names and IP addresses of the certificate in a file.
pub(crate) fn names(path: &Path) -> Result<Vec<String>, Error> {
    Ok(each(path, &files::read(path)?, alternatives)?.into_iter().flatten().collect())
}

/// The text of a file, if it holds certificates and no private key.
pub(crate) fn certificates(path: &Path) -> Result<String, Error> {
    let text = files::read(path)?;
    let found = each(path, &text, |_| ())?;
    if found.is_empty() || text.contains("PRIVATE KEY-----") {
        let reason = "expected certificates in PEM, without a private key".to_owned();
        return Err(Error::Unreadable { path: path.to_owned(), reason });
    }
    Ok(text)
}

fn each<T>(path: &Path, text: &str, read: impl Fn(&X509Certificate<'_>) -> T) -> Result<Vec<T>, Error> {
    let broken = |reason: String| Error::Unreadable { path: path.to_owned(), reason };
    let mut all = Vec::new();
    for block in Pem::iter_from_buffer(text.as_bytes()) {
        let block = block.map_err(|error| broken(format!("it is no PEM: {error}")))?;
        if block.label == "CERTIFICATE" {
            let certificate =
                block.parse_x509().map_err(|error| broken(format!("its certificate is damaged: {error}")))?;
            all.push(read(&certificate));
        }
    }
    Ok(all)
}

fn common_name(name: &X509Name<'_>) -> String {
    let common = name.iter_common_name().next().and_then(|common| common.as_str().ok());
    common.map_or_else(|| name.to_string(), str::to_owned)
}

fn alternatives(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    extension.value.general_names.iter().filter_map(name).collect()
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let address: Option<IpAddr> = match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes).ok().map(IpAddr::from),
                _ => <[u8; 16]>::try_from(*bytes).ok().map(IpAddr::from),
            };
            address.map(|address| address.to_string())
        }
        _ => None,
    }
}
