//! Where a Redis is and how to get in. Nothing here shows a secret.

use std::fmt;

/// How to reach a Redis server.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RedisSettings {
    /// `redis://HOST:PORT/DATABASE` or, with TLS, `rediss://…`; port 6379 and database 0 may be left out. It holds
    /// neither user nor password.
    pub url: String,
    /// The user; without it the server's default user, if there is a password.
    pub username: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// With TLS: the certificates, in PEM, of the authorities that may have signed the server's; without them those
    /// that browsers trust. Not used without TLS.
    pub authority: Option<String>,
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL only once it is known to hold no password; whether there is a password, but not its length.
        let url = Address::parse(&self.url).map_or_else(|_| "?".to_owned(), |address| address.to_string());
        formatter
            .debug_struct("RedisSettings")
            .field("url", &url)
            .field("username", &self.username.as_ref().map(|_| ".."))
            .field("password", &self.password.as_ref().map(|_| ".."))
            .field("authority", &self.authority.as_ref().map(|_| ".."))
            .finish()
    }
}

/// Why settings cannot be right, whatever the server says. The URL is not repeated: a password may be in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The URL is not of the form that is allowed.
    #[error("the URL is not redis://HOST:PORT/DATABASE or rediss://HOST:PORT/DATABASE")]
    Url,
    /// The URL holds a user or a password.
    #[error(
        "the URL holds a user or a password: put them into a secret, with the keys username and password"
    )]
    PasswordInUrl,
    /// There is a user without a password.
    #[error("the secret has a username but no password: add the key password")]
    NoPassword,
    /// The authority is not what it should be.
    #[error("the secret's ca.crt cannot be used: {reason}")]
    Authority {
        /// What is wrong with it.
        reason: String,
    },
    /// There is nothing to run the connection on.
    #[error("a Redis store can only be opened in a tokio runtime")]
    NoRuntime,
}

/// A URL, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) tls: bool,
    /// A name or an address; without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: u32,
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, SettingsError> {
        let (tls, rest) = match url.strip_prefix("rediss://") {
            Some(rest) => (true, rest),
            None => (false, url.strip_prefix("redis://").ok_or(SettingsError::Url)?),
        };
        if rest.contains('@') {
            return Err(SettingsError::PasswordInUrl);
        }
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or(SettingsError::Url)?,
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => number(port)?,
            None if port.is_empty() => 6379,
            None => return Err(SettingsError::Url),
        };
        let database = if database.is_empty() { 0 } else { number(database)? };
        if host.is_empty() || port == 0 || host.contains(|c: char| c.is_whitespace() || "?#".contains(c)) {
            return Err(SettingsError::Url);
        }
        Ok(Self { tls, host: host.into(), port, database })
    }
}

/// Digits alone: `parse` would take a sign as well.
fn number<N: std::str::FromStr>(text: &str) -> Result<N, SettingsError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(SettingsError::Url)
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(formatter, "{scheme}://{open}{}{close}:{}", self.host, self.port)?;
        if self.database == 0 { Ok(()) } else { write!(formatter, "/{}", self.database) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_url_apart() {
        for (url, expected) in [
            ("redis://redis:6379", "redis://redis:6379"),
            ("redis://redis", "redis://redis:6379"),
            ("rediss://r.example.com:6380/3", "rediss://r.example.com:6380/3"),
            ("redis://[::1]:7/", "redis://[::1]:7"),
            ("redis://[::1]", "redis://[::1]:6379"),
            ("redis://127.0.0.1:1/0", "redis://127.0.0.1:1"),
        ] {
            assert_eq!(Address::parse(url).map(|address| address.to_string()), Ok(expected.into()));
        }
        for url in
            ["", "redis:", "redis://", "http://r", "redis://:1", "redis://r:", "redis://r:0", "redis://r:x"]
        {
            assert_eq!(Address::parse(url), Err(SettingsError::Url), "{url}");
        }
        for url in [
            "redis://r:99999",
            "redis://r/x",
            "redis://r/+1",
            "redis://[::1",
            "redis://[::1]x",
            "redis://r?q",
        ] {
            assert_eq!(Address::parse(url), Err(SettingsError::Url), "{url}");
        }
    }

    #[test]
    fn shows_no_secret() {
        let url = "redis://me:hunter2@r".to_owned();
        let error = Address::parse(&url).unwrap_err();
        assert_eq!(error, SettingsError::PasswordInUrl);
        let secret = || Some("hunter2".to_owned());
        let settings = RedisSettings { url, username: secret(), password: secret(), authority: secret() };
        let shown = format!("{settings:?} {settings:#?} {error} {error:?}");
        assert!(!shown.contains("hunter2") && shown.contains("password"), "{shown}");
    }
}
