//! Outbound HTTP: which hosts a component may reach, and how long it may take.
//!
//! A host that is not on the list gives the guest `http-request-denied` and never a connection.

mod send;

use std::net::IpAddr;
use std::time::Duration;

use http::uri::{Authority, Scheme};

pub(crate) use send::{Outbound, send};

/// A link to the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Egress {
    hosts: Vec<Pattern>,
    timeout: Duration,
}

/// One entry of a host list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    /// In lower case; without the `*` of a wildcard, so `.example.com` for `*.example.com`.
    host: String,
    wildcard: bool,
    /// `None`: the usual port of the scheme.
    port: Option<u16>,
}

/// An entry of a host list that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{entry:?} is no host: {reason}; allowed are names such as api.example.com, *.example.com, 10.0.0.7 and [::1], each with or without :port"
)]
pub struct BadHost {
    /// What was written.
    pub entry: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// What a list says of one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Denied,
    /// Public addresses only.
    Public,
    /// Private addresses as well, as of a service in the same cluster.
    Private,
    /// Any address: it is listed literally.
    Any,
}

impl Egress {
    /// A list of `hosts`, and the most time from a request to the end of the answer's head, and between two pieces
    /// of its body.
    ///
    /// An entry without a port means port 80 for `http` and 443 for `https`. A name that is listed in full may
    /// resolve to private addresses, since services of a cluster have such; a wildcard may not. Loopback and
    /// link-local addresses, where hosts keep what is theirs alone, are reached only if the address itself, or
    /// `localhost`, is listed.
    ///
    /// # Errors
    ///
    /// An entry is no host.
    pub fn new(hosts: impl IntoIterator<Item = impl AsRef<str>>, timeout: Duration) -> Result<Self, BadHost> {
        let hosts =
            hosts.into_iter().map(|entry| Pattern::parse(entry.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { hosts, timeout })
    }

    fn verdict(&self, scheme: &Scheme, authority: &Authority) -> Verdict {
        let host = authority.host().to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        let usual = if *scheme == Scheme::HTTP { 80 } else { 443 };
        let port = authority.port_u16().unwrap_or(usual);
        let literal = host == "localhost" || address_of(host).is_some();
        let verdict = |pattern: &Pattern| match pattern {
            pattern if port != pattern.port.unwrap_or(usual) => Verdict::Denied,
            Pattern { wildcard: true, host: suffix, .. }
                if host.len() > suffix.len() && host.ends_with(suffix) =>
            {
                Verdict::Public
            }
            Pattern { wildcard: false, host: name, .. } if name == host => {
                if literal {
                    Verdict::Any
                } else {
                    Verdict::Private
                }
            }
            _ => Verdict::Denied,
        };
        // The most generous entry counts.
        self.hosts.iter().map(verdict).max_by_key(|verdict| *verdict as u8).unwrap_or(Verdict::Denied)
    }
}

impl Verdict {
    fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::Denied => false,
            Self::Public => !is_private(address) && !is_local(address),
            Self::Private => !is_local(address),
            Self::Any => true,
        }
    }
}

impl Pattern {
    fn parse(entry: &str) -> Result<Self, BadHost> {
        let fail = |reason| BadHost { entry: entry.to_owned(), reason };
        if entry.contains("://") {
            return Err(fail("it has a scheme"));
        }
        let (wildcard, rest) = match entry.strip_prefix('*') {
            Some(rest) if rest.starts_with('.') && rest.len() > 1 => (true, &rest[1..]),
            Some(_) => return Err(fail("a wildcard is written *.example.com")),
            None => (false, entry),
        };
        let authority: Authority = rest.parse().map_err(|_| fail("it cannot be read"))?;
        if authority.as_str().contains('@') || authority.host().is_empty() || rest.contains('*') {
            return Err(fail("it cannot be read"));
        }
        let port = match authority.as_str()[authority.host().len()..].strip_prefix(':') {
            Some(port) => Some(port.parse().map_err(|_| fail("its port is no port"))?),
            None => None,
        };
        let host = authority.host().to_ascii_lowercase();
        if wildcard && address_of(&host).is_some() {
            return Err(fail("an address has no wildcard"));
        }
        Ok(Self { host: if wildcard { format!(".{host}") } else { host }, wildcard, port })
    }
}

/// The address that `host` is, rather than has.
fn address_of(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

/// An IPv4 address in IPv6 clothes is judged as what it is.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// Of this machine or this wire only; also what no one can be reached at.
fn is_local(address: IpAddr) -> bool {
    match plain(address) {
        IpAddr::V4(four) => {
            four.is_loopback()
                || four.is_link_local()
                || four.is_multicast()
                || four.is_broadcast()
                || four.octets()[0] == 0
        }
        IpAddr::V6(six) => {
            six.is_loopback() || six.is_unspecified() || six.is_multicast() || six.is_unicast_link_local()
        }
    }
}

/// Of this organisation only.
fn is_private(address: IpAddr) -> bool {
    match plain(address) {
        // 100.64.0.0/10 is shared by providers, and by some clusters.
        IpAddr::V4(four) => four.is_private() || (four.octets()[0] == 100 && four.octets()[1] & 0xc0 == 64),
        IpAddr::V6(six) => six.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(hosts: &[&str], url: &str) -> Verdict {
        let egress = Egress::new(hosts, Duration::from_secs(1)).unwrap();
        let uri: http::Uri = url.parse().unwrap();
        egress.verdict(uri.scheme().unwrap(), uri.authority().unwrap())
    }

    #[test]
    fn only_what_is_listed_is_reached() {
        use Verdict::{Any, Denied, Private, Public};
        let hosts = ["api.example.com", "*.example.org", "db.internal:8080", "127.0.0.1:9000", "[::1]"];
        for (url, expected) in [
            ("https://api.example.com", Private),
            ("http://API.example.com.", Private),
            ("https://api.example.com:443", Private),
            ("https://api.example.com:8443", Denied),
            ("https://evil-api.example.com", Denied),
            ("https://example.org", Denied),
            ("https://a.example.org", Public),
            ("https://a.b.example.org", Public),
            ("https://evilexample.org", Denied),
            ("http://db.internal:8080", Private),
            ("http://db.internal", Denied),
            ("http://127.0.0.1:9000", Any),
            ("http://127.0.0.1", Denied),
            ("http://[::1]", Any),
            ("http://localhost:9000", Denied),
            ("http://169.254.169.254", Denied),
        ] {
            assert_eq!(verdict(&hosts, url), expected, "{url}");
        }
    }

    #[test]
    fn names_do_not_lead_to_this_machine() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        for text in ["127.0.0.1", "169.254.169.254", "::1", "fe80::1", "::ffff:127.0.0.1", "0.0.0.0"] {
            assert!(!Verdict::Private.allows(address(text)), "{text}");
            assert!(Verdict::Any.allows(address(text)), "{text}");
        }
        for text in ["10.1.2.3", "192.168.0.1", "fd00::1", "::ffff:10.0.0.1", "100.64.0.1"] {
            assert!(Verdict::Private.allows(address(text)), "{text}");
            assert!(!Verdict::Public.allows(address(text)), "{text}");
        }
        assert!(Verdict::Public.allows(address("93.184.216.34")));
        assert!(!Verdict::Denied.allows(address("93.184.216.34")));
    }

    #[test]
    fn bad_entries_say_what_is_wrong() {
        for entry in [
            "https://a.example",
            "*",
            "*example.com",
            "a.*.com",
            "a:port",
            "a:70000",
            "a:",
            "",
            "u@a",
            "*.10.0.0.1",
        ] {
            assert!(Egress::new([entry], Duration::from_secs(1)).is_err(), "{entry:?}");
        }
    }
}
