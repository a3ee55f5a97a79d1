//! Where a repository is. A password in it is known to the connection and shown to nobody.

use std::fmt;
use std::path::{Path, PathBuf};

use gix::sec::identity::Account;
use gix::url::Scheme;

/// Names of this length and more may be tokens.
const TOKEN: usize = 8;

/// A repository's URL or path.
#[derive(Clone, PartialEq, Eq)]
pub struct GitUrl {
    given: String,
    /// Without what stands before the `@` of an HTTP URL, if that is more than a name.
    url: gix::Url,
    login: Option<(String, String)>,
}

/// Why a text names no repository that can be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitUrlError {
    /// It is no URL at all.
    #[error("it is neither a path nor a URL such as https://host/team/app.git or git@host:team/app.git")]
    NotOne,
    /// It is one of a kind that is not fetched from.
    #[error("{0}:// is not fetched from; allowed are https, http, ssh and file")]
    Scheme(String),
    /// The current directory, from which a path goes out, is not known.
    #[error("the current directory is not known; give an absolute path")]
    Directory,
}

impl GitUrl {
    /// Reads a URL or path as `git clone` would. A relative path is made absolute.
    ///
    /// # Errors
    /// [`GitUrlError`], which does not repeat what was given.
    pub fn parse(text: &str) -> Result<Self, GitUrlError> {
        if text.trim().is_empty() {
            return Err(GitUrlError::NotOne);
        }
        let mut url = gix::url::parse(text).map_err(|_| GitUrlError::NotOne)?;
        let mut login = None;
        match &url.scheme {
            Scheme::File => {
                let path = gix::path::from_bstr(url.path.as_ref() as &gix::bstr::BStr);
                let path = path.map_err(|_| GitUrlError::NotOne)?.into_owned();
                let absolute = std::path::absolute(path).map_err(|_| GitUrlError::Directory)?;
                url.path = gix::path::into_bstr(absolute).map_err(|_| GitUrlError::NotOne)?.into_owned();
            }
            Scheme::Http | Scheme::Https => {
                // A password, or a token in the place of a name.
                if let Some(password) = url.set_password(None) {
                    login = Some((url.set_user(None).unwrap_or_default(), password));
                }
            }
            Scheme::Ssh => drop(url.set_password(None)),
            other => return Err(GitUrlError::Scheme(other.to_string())),
        }
        Ok(Self { given: text.to_owned(), url, login })
    }

    /// The directory, if it is on this machine.
    #[must_use]
    pub fn local(&self) -> Option<PathBuf> {
        let path = (self.url.scheme == Scheme::File).then_some(&self.url.path)?;
        gix::path::from_bstr(path.as_ref() as &gix::bstr::BStr).ok().map(|path| path.into_owned())
    }

    /// Exactly what was given, secrets included: to be handed to a process of our own, and never shown.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.given
    }

    fn is_http(&self) -> bool {
        matches!(self.url.scheme, Scheme::Http | Scheme::Https)
    }

    pub(super) fn url(&self) -> &gix::Url {
        &self.url
    }

    /// The name and password that stand in it.
    pub(super) fn login(&self) -> Option<Account> {
        let (username, password) = self.login.clone()?;
        Some(Account { username, password, oauth_refresh_token: None })
    }

    /// `text` without any secret that stands in the URL, however an error came to repeat it.
    pub(super) fn redact(&self, text: &str) -> String {
        let mut text = text.replace(&self.given, &self.to_string());
        let (mut name, mut password) = (None, None);
        if let Some(login) = &self.login {
            (name, password) = (Some(login.0.as_str()), Some(login.1.as_str()));
        } else if self.is_http() {
            name = self.url.user();
            text = name.map_or_else(|| text.clone(), |name| text.replace(&format!("{name}@"), ""));
        }
        // A token often stands where a name would.
        let token = name.filter(|name| name.len() >= TOKEN);
        for secret in [password, token].into_iter().flatten().filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, "…");
        }
        text
    }
}

impl fmt::Display for GitUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = self.local() {
            return write!(formatter, "{}", Path::new(&path).display());
        }
        let mut url = self.url.clone();
        if self.is_http() {
            url.set_user(None);
        }
        write!(formatter, "{}", url.to_bstring())
    }
}

impl fmt::Debug for GitUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "GitUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        for (given, shown) in [
            ("/srv/app.git", "/srv/app.git"),
            ("file:///srv/app.git", "/srv/app.git"),
            ("https://host/team/app.git", "https://host/team/app.git"),
            ("https://me:hunter2@host/app.git", "https://host/app.git"),
            ("https://me:hun%3Ater2@host:8443/app.git", "https://host:8443/app.git"),
            ("https://ghp_0123@host/app.git", "https://host/app.git"),
            ("http://host/app.git", "http://host/app.git"),
            ("git@host:team/app.git", "git@host:team/app.git"),
            ("ssh://git@host:22/team/app.git", "ssh://git@host:22/team/app.git"),
        ] {
            let url = GitUrl::parse(given).unwrap();
            assert_eq!((url.to_string().as_str(), url.expose()), (shown, given));
            assert_eq!(format!("{url:?}"), format!("GitUrl({shown})"));
            let error = url.redact(&format!("cannot connect to {given} with hunter2"));
            assert!(!error.contains("ghp_0123") && !error.contains("hunter2@"), "{error}");
        }
        let secret = GitUrl::parse("https://me:hun%3Ater2@host/app.git").unwrap();
        assert_eq!(secret.redact("401 for me:hun:ter2@host"), "401 for me:…@host");
        let token = GitUrl::parse("https://ghp_0123:@host/app.git").unwrap();
        assert_eq!(token.redact("401 for ghp_0123"), "401 for …");
    }

    #[test]
    fn what_is_not_fetched_from_is_refused() {
        for (given, error) in [
            ("", "it is neither a path nor a URL such as https://host/team/app.git or git@host:team/app.git"),
            ("git://host/app", "git:// is not fetched from; allowed are https, http, ssh and file"),
            ("ftp://me:pw@host/app", "ftp:// is not fetched from; allowed are https, http, ssh and file"),
        ] {
            assert_eq!(GitUrl::parse(given).unwrap_err().to_string(), error, "{given}");
        }
        let relative = GitUrl::parse("./app").unwrap();
        assert!(relative.local().unwrap().is_absolute());
        assert_eq!(GitUrl::parse("https://host/app").unwrap().local(), None);
    }
}
