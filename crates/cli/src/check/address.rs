//! Where something answers: a URL, read.

use std::fmt;

/// A host and its port, with or without TLS, reached by a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// A name or an IP address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Whether the URL asks for TLS.
    pub(crate) tls: bool,
}

/// A kind of URL: without TLS, with TLS, and the ports of both.
type Schemes = [(&'static str, u16); 2];

const NATS: Schemes = [("nats", 4222), ("tls", 4222)];
const HTTP: Schemes = [("http", 80), ("https", 443)];

impl Address {
    /// Of a NATS server: `tls://leaf.example:4222`.
    ///
    /// # Errors
    /// In words: what is expected.
    pub(crate) fn nats(url: &str) -> Result<Self, String> {
        Self::read(url, NATS)
    }

    /// Of something that speaks HTTP: `https://todo.example.com`, `10.0.0.7:8081`.
    ///
    /// # Errors
    /// In words: what is expected.
    pub(crate) fn http(url: &str) -> Result<Self, String> {
        Self::read(url, HTTP)
    }

    fn read(url: &str, schemes: Schemes) -> Result<Self, String> {
        let [(plain, _), (secure, _)] = schemes;
        let wrong = || format!("expected {plain}://HOST:PORT or {secure}://HOST:PORT");
        let whole = if url.contains("://") { url.to_owned() } else { format!("{plain}://{url}") };
        let uri: http::Uri = whole.parse().map_err(|_| wrong())?;
        let scheme = uri.scheme_str().unwrap_or_default();
        let (_, port) = schemes.into_iter().find(|(name, _)| *name == scheme).ok_or_else(wrong)?;
        let authority = uri.authority().ok_or_else(wrong)?;
        let host = authority.host().trim_matches(['[', ']']);
        if host.is_empty() || !matches!(uri.path(), "" | "/") {
            return Err(wrong());
        }
        let port = match authority.port() {
            Some(port) => port.as_str().parse().map_err(|_| wrong())?,
            // A port that is none is taken for a part of the name.
            None if !authority.as_str().ends_with(authority.host()) => return Err(wrong()),
            None => port,
        };
        Ok(Self { host: host.to_owned(), port, tls: scheme == secure })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') {
            write!(formatter, "[{host}]:{port}")
        } else {
            write!(formatter, "{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn urls_as_people_write_them() {
        let shown = |address: Result<Address, String>| {
            address.map(|address| format!("{address} {}", address.tls)).unwrap_or_else(|error| error)
        };
        assert_eq!(shown(Address::nats("tls://leaf.example")), "leaf.example:4222 true");
        assert_eq!(shown(Address::nats("nats://me:secret@[::1]:5222/")), "[::1]:5222 false");
        assert_eq!(shown(Address::http("10.0.0.7:8081")), "10.0.0.7:8081 false");
        assert_eq!(shown(Address::http("https://todo.example.com")), "todo.example.com:443 true");
        for wrong in ["http://leaf:4222", "tls://", "tls://leaf:port", "tls://leaf/here", "", "tls://le af"] {
            assert_eq!(
                shown(Address::nats(wrong)),
                "expected nats://HOST:PORT or tls://HOST:PORT",
                "{wrong}"
            );
        }
    }
}
