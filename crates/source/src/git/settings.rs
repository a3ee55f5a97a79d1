//! What a Git source is told: which repository, what of it, and how often.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::bound::GitLimits;
use super::url::GitUrl;

/// How often a repository is looked at where nothing else is said.
const INTERVAL: Duration = Duration::from_secs(15);

/// What a [`super::GitSource`] follows.
#[derive(Clone, PartialEq, Eq)]
pub struct GitSettings {
    /// Where the repository is.
    pub url: GitUrl,
    /// The branch, or a full name that begins with `refs/`; the default branch of the repository if none is named.
    pub branch: Option<String>,
    /// The directory of the manifests within the repository; empty for all of it.
    pub path: String,
    /// How often it is looked at; spread by 15 %, and more rarely while it cannot be read.
    pub interval: Duration,
    /// Git configuration beside that of the user that the host runs as: `key=value`, such as `http.sslCAInfo=/etc/ca.crt`.
    /// Values may be secrets (`http.extraHeader`), and are shown to nobody.
    pub configuration: Vec<String>,
    /// Where this host keeps its clone. One source's own.
    pub clone: PathBuf,
    /// What a look may take.
    pub limits: GitLimits,
}

impl GitSettings {
    /// The root of the default branch of `url`, every 15 seconds, with the clone in the directory `clone`.
    #[must_use]
    pub fn new(url: GitUrl, clone: impl Into<PathBuf>) -> Self {
        let limits = GitLimits::default();
        let (branch, path, configuration) = (None, String::new(), Vec::new());
        Self { url, branch, path, interval: INTERVAL, configuration, clone: clone.into(), limits }
    }

    /// What is fetched, and to where in the clone.
    pub(super) fn refspec(&self) -> String {
        format!("+{}:{HEAD}", self.reference())
    }

    /// The full name of the branch in the repository.
    fn reference(&self) -> String {
        match &self.branch {
            None => "HEAD".to_owned(),
            Some(full) if full.starts_with("refs/") => full.clone(),
            Some(branch) => format!("refs/heads/{branch}"),
        }
    }

    /// The branch in words.
    pub(super) fn branch_in_words(&self) -> String {
        self.branch.as_ref().map_or_else(|| "the default branch".to_owned(), |name| format!("branch {name}"))
    }
}

impl GitSettings {
    /// What a look does, as the end of a sentence that begins with "cannot".
    pub(super) fn fetching(&self) -> String {
        format!("fetch {} of {}", self.branch_in_words(), self.url)
    }
}

impl fmt::Display for GitSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {}", self.branch_in_words(), self.url)?;
        if self.path.is_empty() { Ok(()) } else { write!(formatter, ", directory {}", self.path) }
    }
}

impl fmt::Debug for GitSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, branch, path, interval, configuration, clone, limits } = self;
        let key = |setting: &String| setting.split('=').next().unwrap_or_default().to_owned();
        formatter
            .debug_struct("GitSettings")
            .field("url", url)
            .field("branch", branch)
            .field("path", path)
            .field("interval", interval)
            .field("configuration", &configuration.iter().map(key).collect::<Vec<_>>())
            .field("clone", clone)
            .field("limits", limits)
            .finish()
    }
}

/// Where the clone keeps what it fetched.
pub(super) const HEAD: &str = "refs/dunlin/head";

/// Whether `name` can be a branch; if not, why.
///
/// # Errors
/// In words.
pub fn check_branch(name: &str) -> Result<(), String> {
    let full = if name.starts_with("refs/") { name.to_owned() } else { format!("refs/heads/{name}") };
    match gix::validate::reference::name(full.as_str().into()) {
        Ok(_) => Ok(()),
        Err(_) => {
            Err(format!("{name:?} cannot be a branch; give its name as `git branch` shows it, such as main"))
        }
    }
}

/// Reads the path of a directory within a repository; the root is empty.
///
/// # Errors
/// In words: it leads out of the repository.
pub fn read_path(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err(format!(
            "{text:?} leads out of the repository; give a directory in it, such as deploy/production"
        ));
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_and_paths_are_checked() {
        let settings = |branch: Option<&str>| GitSettings {
            branch: branch.map(Into::into),
            ..GitSettings::new(GitUrl::parse("/r").unwrap(), "/c")
        };
        assert_eq!(settings(None).refspec(), "+HEAD:refs/dunlin/head");
        assert_eq!(settings(Some("main")).refspec(), "+refs/heads/main:refs/dunlin/head");
        assert_eq!(settings(Some("refs/tags/v1")).refspec(), "+refs/tags/v1:refs/dunlin/head");
        for (name, good) in [
            ("main", true),
            ("team/x-1", true),
            ("refs/tags/v1", true),
            ("a b", false),
            ("a..b", false),
            ("*", false),
            ("", false),
            ("a:b", false),
        ] {
            assert_eq!(check_branch(name).is_ok(), good, "{name:?}");
        }
        assert_eq!(read_path("./deploy//production/").as_deref(), Ok("deploy/production"));
        assert_eq!((read_path("/").as_deref(), read_path("").as_deref()), (Ok(""), Ok("")));
        assert!(read_path("a/../../b").is_err());
    }

    #[test]
    fn values_of_configuration_are_not_shown() {
        let settings = GitSettings {
            configuration: vec!["http.extraHeader=Authorization: hunter2".into()],
            ..GitSettings::new(GitUrl::parse("/r").unwrap(), "/c")
        };
        let shown = format!("{settings:?} {settings}");
        assert!(shown.contains("http.extraHeader") && !shown.contains("hunter2"), "{shown}");
    }
}
