//! Secrets from files, for where there is no Kubernetes: `DIRECTORY/<secret>/<key>`.
//!
//! `DIRECTORY/<secret>/.for` names who may use the secret, one a line (`component/todo`, `provider/redis`),
//! as the label `dunlin.dev/for` does in Kubernetes.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The most bytes of one key, as in Kubernetes.
const MAXIMUM_SIZE: u64 = 1 << 20;

/// Who wants to use a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Consumer {
    /// The component of this name.
    Component(String),
    /// The provider of this name.
    Provider(String),
}

impl fmt::Display for Consumer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Component(name) => write!(formatter, "component/{name}"),
            Self::Provider(name) => write!(formatter, "provider/{name}"),
        }
    }
}

/// Why a secret was not handed out. None of these tells what is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The name of the secret or key cannot be one.
    #[error("{name:?} is no name of a secret or key; allowed are letters, digits, -, _ and .")]
    Name {
        /// What was given.
        name: String,
    },
    /// There is no such secret.
    #[error("no secret {secret:?}; create {}", .path.display())]
    Missing {
        /// Its name.
        secret: String,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The secret has no such key.
    #[error("secret {secret:?} has no key {key:?}; found {}", list(found))]
    MissingKey {
        /// The secret's name.
        secret: String,
        /// The key.
        key: String,
        /// The keys it has.
        found: Vec<String>,
    },
    /// The secret is not for this consumer.
    #[error("secret {secret:?} is not for {consumer}; add a line {consumer} to {}", .path.display())]
    NotForYou {
        /// The secret's name.
        secret: String,
        /// Who asked.
        consumer: Consumer,
        /// The file that names who may use it.
        path: PathBuf,
    },
    /// The value is not text.
    #[error("key {key:?} of secret {secret:?} is not UTF-8")]
    NotText {
        /// The secret's name.
        secret: String,
        /// The key.
        key: String,
    },
    /// The value is larger than a secret may be.
    #[error("key {key:?} of secret {secret:?} is larger than 1 MiB")]
    TooLarge {
        /// The secret's name.
        secret: String,
        /// The key.
        key: String,
    },
    /// The file system refused.
    #[error("secret {secret:?} cannot be read: {reason}")]
    Disk {
        /// The secret's name.
        secret: String,
        /// Why.
        reason: String,
    },
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// A directory of secrets. Read anew each time, so that a changed file is a changed secret.
#[derive(Debug, Clone)]
pub struct SecretFiles {
    directory: PathBuf,
}

impl SecretFiles {
    /// The secrets in `directory`, which need not exist until one is asked for.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// One key of a secret, for a consumer that the secret names. One line break at its end is dropped, since
    /// editors and `echo` put it there.
    ///
    /// # Errors
    /// [`SecretError`] says what is missing and where to put it.
    pub fn get(&self, consumer: &Consumer, secret: &str, key: &str) -> Result<String, SecretError> {
        for name in [secret, key] {
            if !is_name(name) {
                return Err(SecretError::Name { name: name.into() });
            }
        }
        let directory = self.directory.join(secret);
        if !directory.is_dir() {
            return Err(SecretError::Missing { secret: secret.into(), path: directory.join(key) });
        }
        let allowed = directory.join(".for");
        let disk = |error: io::Error| SecretError::Disk { secret: secret.into(), reason: error.to_string() };
        let names = read(&allowed).map_err(disk)?.unwrap_or_default();
        let names = String::from_utf8_lossy(&names);
        if !names.lines().any(|line| line.trim() == consumer.to_string()) {
            let consumer = consumer.clone();
            return Err(SecretError::NotForYou { secret: secret.into(), consumer, path: allowed });
        }
        let Some(bytes) = read(&directory.join(key)).map_err(disk)? else {
            let found = keys(&directory);
            return Err(SecretError::MissingKey { secret: secret.into(), key: key.into(), found });
        };
        if bytes.len() as u64 > MAXIMUM_SIZE {
            return Err(SecretError::TooLarge { secret: secret.into(), key: key.into() });
        }
        let not_text = |_| SecretError::NotText { secret: secret.into(), key: key.into() };
        let text = String::from_utf8(bytes).map_err(not_text)?;
        let trimmed =
            text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
        Ok(trimmed.into())
    }
}

/// Letters, digits, `-`, `_` and `.`, and no dot first: nothing that leaves the directory or hides in it.
fn is_name(name: &str) -> bool {
    (1..=253).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// At most one byte more than is allowed; `None` if there is no such file.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(io::Error::other(format!("{} is no file", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAXIMUM_SIZE + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn keys(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().take(100).flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| is_name(name)).collect();
    names.sort();
    names
}
