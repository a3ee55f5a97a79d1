//! Where a pull request is asked for: from a remote's URL to the page of its forge. Pure; a user or token in the URL
//! never comes out again.

use http::Uri;

/// A place that hosts repositories and takes pull requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forge {
    GitHub,
    GitLab,
    Bitbucket,
    /// Gitea, Forgejo, Codeberg.
    Gitea,
}

/// A repository on the web, as far as its remote's URL tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Web {
    scheme: &'static str,
    /// With a port only where the URL was for the web already.
    authority: String,
    host: String,
    path: String,
}

impl Web {
    /// Takes a remote's URL apart: `https://host/owner/name.git`, `ssh://git@host:22/owner/name`, `git@host:owner/name`.
    /// `None` for a path, or anything else that is not on the web.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let (scheme, authority, path) = match url.split_once("://") {
            Some(("http", _)) => parts(url, "http")?,
            Some(("https", _)) => parts(url, "https")?,
            // The port is that of SSH, and says nothing of the web.
            Some(("ssh" | "git+ssh" | "git", _)) => {
                let uri: Uri = url.parse().ok()?;
                ("https", uri.host()?.to_owned(), uri.path().to_owned())
            }
            Some(_) => return None,
            None => {
                let (authority, path) = url.split_once(':')?;
                let host = authority.rsplit('@').next()?;
                if host.contains('/') || host.is_empty() || path.starts_with('\\') {
                    return None;
                }
                ("https", host.to_owned(), path.to_owned())
            }
        };
        let path = path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path).to_owned();
        let host = authority.split(':').next().unwrap_or_default().to_owned();
        (!path.is_empty() && !host.is_empty()).then_some(Self { scheme, authority, host, path })
    }

    /// The forge, told by its host's name.
    pub(crate) fn forge(&self) -> Option<Forge> {
        let known = [
            ("github", Forge::GitHub),
            ("gitlab", Forge::GitLab),
            ("bitbucket", Forge::Bitbucket),
            ("gitea", Forge::Gitea),
            ("forgejo", Forge::Gitea),
            ("codeberg", Forge::Gitea),
        ];
        known.into_iter().find(|(name, _)| self.host.contains(name)).map(|(_, forge)| forge)
    }

    /// The page that asks for `branch` to be taken into `base`.
    pub(crate) fn compare(&self, base: &str, branch: &str) -> Option<String> {
        let (base, branch) = (escaped(base), escaped(branch));
        let home = self.home();
        Some(match self.forge()? {
            Forge::GitHub => format!("{home}/compare/{base}...{branch}?expand=1"),
            Forge::GitLab => format!(
                "{home}/-/merge_requests/new?merge_request%5Bsource_branch%5D={branch}&merge_request%5Btarget_branch%5D={base}"
            ),
            Forge::Bitbucket => format!("{home}/pull-requests/new?source={branch}&dest={base}"),
            Forge::Gitea => format!("{home}/compare/{base}...{branch}"),
        })
    }

    /// The repository's own page.
    pub(crate) fn home(&self) -> String {
        format!("{}://{}/{}", self.scheme, self.authority, self.path)
    }
}

fn parts(url: &str, scheme: &'static str) -> Option<(&'static str, String, String)> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.host()?;
    let authority = uri.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Some((scheme, authority, uri.path().to_owned()))
}

/// A branch's name within a URL; slashes may stay.
fn escaped(branch: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let escape = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    branch.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_forges() {
        for (url, expected) in [
            ("https://github.com/a/b.git", "https://github.com/a/b/compare/main...dunlin/x?expand=1"),
            ("git@github.com:a/b.git", "https://github.com/a/b/compare/main...dunlin/x?expand=1"),
            ("https://user:secret@github.com/a/b", "https://github.com/a/b/compare/main...dunlin/x?expand=1"),
            (
                "ssh://git@github.example:2222/a/b/",
                "https://github.example/a/b/compare/main...dunlin/x?expand=1",
            ),
            (
                "https://oauth2:token@gitlab.example:8443/group/sub/b.git",
                "https://gitlab.example:8443/group/sub/b/-/merge_requests/new?merge_request%5Bsource_branch%5D=dunlin/x&merge_request%5Btarget_branch%5D=main",
            ),
            ("http://gitea.local:3000/a/b.git", "http://gitea.local:3000/a/b/compare/main...dunlin/x"),
            ("git@codeberg.org:a/b.git", "https://codeberg.org/a/b/compare/main...dunlin/x"),
            (
                "git@bitbucket.org:a/b.git",
                "https://bitbucket.org/a/b/pull-requests/new?source=dunlin/x&dest=main",
            ),
        ] {
            let page = Web::parse(url).and_then(|web| web.compare("main", "dunlin/x"));
            assert_eq!(page.as_deref(), Some(expected), "{url}");
        }
    }

    #[test]
    fn what_is_not_on_the_web_or_not_known() {
        for url in ["/srv/git/app.git", "../app", "file:///srv/git/app.git", "C:\\app", "", "https://"] {
            assert_eq!(Web::parse(url), None, "{url}");
        }
        let unknown = Web::parse("https://me:pw@git.example/a/b").unwrap();
        assert_eq!((unknown.forge(), unknown.home().as_str()), (None, "https://git.example/a/b"));
        let web = Web::parse("https://github.com/a/b").unwrap();
        assert!(web.compare("main", "a b&c").unwrap().ends_with("main...a%20b%26c?expand=1"));
    }
}
