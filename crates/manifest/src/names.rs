//! Names that every part shares: DNS labels, and the name of a host.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a host: the site it runs in and its own name there, both DNS labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HostId {
    /// The site, as `Lattice.spec.sites` names it.
    pub site: String,
    /// The host within the site.
    pub host: String,
}

impl HostId {
    /// Joins the two names; see [`is_dns_label`] for what they may contain.
    #[must_use]
    pub fn new(site: impl Into<String>, host: impl Into<String>) -> Self {
        Self { site: site.into(), host: host.into() }
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.site, self.host)
    }
}

/// Whether `name` is a DNS label (RFC 1123): 1 to 63 of `a-z`, `0-9` and `-`, with a letter or digit at both ends.
#[must_use]
pub fn is_dns_label(name: &str) -> bool {
    let bytes = name.as_bytes();
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| alphanumeric(byte) || *byte == b'-')
        && bytes.first().is_some_and(alphanumeric)
        && bytes.last().is_some_and(alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::is_dns_label;

    #[test]
    fn labels() {
        for (name, valid) in [
            ("gcp", true),
            ("a-1", true),
            ("", false),
            ("-a", false),
            ("a-", false),
            ("A", false),
            ("a.b", false),
        ] {
            assert_eq!(is_dns_label(name), valid, "{name:?}");
        }
        assert!(is_dns_label(&"a".repeat(63)) && !is_dns_label(&"a".repeat(64)));
    }
}
