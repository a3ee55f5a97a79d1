//! Where servers are found: the hub's URL, and the names and IP addresses in certificates.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Error;

const LEAF_PORT: u16 = 7422;

/// Where leaves reach the hub: `tls://host:port`; never without TLS.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HubUrl {
    host: String,
    port: u16,
}

impl HubUrl {
    /// The DNS name or IP address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port for leaves; 7422 if none was written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for HubUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |reason| Error::HubAddress { found: text.to_owned(), reason };
        let rest = text.strip_prefix("tls://").ok_or_else(|| wrong("it does not begin with tls://"))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            // The last colon of a bracketed IPv6 address is not that of a port.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or_else(|| wrong("no such port"))?,
            None => LEAF_PORT,
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let host = certificate_name(host).map_err(|_| wrong("its host is no DNS name or IP address"))?;
        Ok(Self { host, port })
    }
}

impl fmt::Display for HubUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(formatter, "tls://[{host}]:{port}")
        } else {
            write!(formatter, "tls://{host}:{port}")
        }
    }
}

impl TryFrom<String> for HubUrl {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<HubUrl> for String {
    fn from(url: HubUrl) -> Self {
        url.to_string()
    }
}

/// A DNS name (which may begin with `*.`) or an IP address, in the spelling that certificates have.
///
/// # Errors
/// It is neither.
pub(crate) fn certificate_name(text: &str) -> Result<String, Error> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    let name = text.to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let plain = name.strip_prefix("*.").unwrap_or(&name);
    let numeric = plain.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    if name.len() <= 253 && !numeric && plain.split('.').all(label) {
        Ok(name)
    } else {
        Err(Error::Address { found: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_hubs() {
        for (text, expected) in [
            ("tls://hub.example.com:7422", "tls://hub.example.com:7422"),
            ("tls://HUB.example.com/", "tls://hub.example.com:7422"),
            ("tls://10.0.0.1:1", "tls://10.0.0.1:1"),
            ("tls://[::1]", "tls://[::1]:7422"),
            ("tls://[2001:DB8::1]:4", "tls://[2001:db8::1]:4"),
        ] {
            let url: HubUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), expected);
            assert_eq!(url.to_string().parse::<HubUrl>().unwrap(), url);
        }
        let refused = |text: &str| text.parse::<HubUrl>().unwrap_err().to_string();
        assert_eq!(
            refused("nats://hub:7422"),
            "\"nats://hub:7422\" is no address of a hub: it does not begin with tls://; write it as \
             tls://hub.example.com:7422"
        );
        for text in [
            "tls://",
            "tls://hub:0",
            "tls://hub:99999",
            "tls://user@hub",
            "tls://a b",
            "tls://10.0.0",
            "tls://\"x\"",
        ] {
            refused(text);
        }
    }

    #[test]
    fn names_of_certificates() {
        for (text, expected) in [
            ("Hub.example.com", "hub.example.com"),
            ("*.hub.svc", "*.hub.svc"),
            ("::1", "::1"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            assert_eq!(certificate_name(text).unwrap(), expected);
        }
        for text in ["", "-a", "a..b", "hub:4222", "tls://hub", "a_b", "*", "a.*.b", "1.2.3"] {
            assert!(certificate_name(text).is_err(), "{text}");
        }
    }
}
