//! Private files, written whole: mode 0600 from the first byte, under their name only when complete.

use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::Error;
use crate::secret::Secret;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is new.
    Created,
    /// It was there and was left alone.
    Kept,
    /// It was there and is another one now.
    Replaced,
}

/// A file that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is new.
    pub outcome: Outcome,
}

/// Writes a file that is not there yet, or with `replace` puts it in the old one's place, in one step.
pub(crate) fn write(path: &Path, text: &str, replace: bool) -> Result<Written, Error> {
    let failed = |source| Error::File { action: "write", path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    let there = path.symlink_metadata().is_ok();
    // Temporary files are created exclusively and with mode 0600; nothing is widened later.
    let mut unfinished = tempfile::Builder::new().prefix(".dunlin-").tempfile_in(folder).map_err(failed)?;
    unfinished.write_all(text.as_bytes()).map_err(failed)?;
    unfinished.as_file().sync_all().map_err(failed)?;
    let kept = if replace {
        unfinished.persist(path).map_err(|error| failed(error.error))
    } else {
        unfinished.persist_noclobber(path).map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => Error::Differs { path: path.to_owned() },
            _ => failed(error.error),
        })
    };
    kept?;
    let outcome = if there { Outcome::Replaced } else { Outcome::Created };
    Ok(Written { path: path.to_owned(), outcome })
}

/// Writes a file unless it is there with this very text; another text is refused unless `replace`.
pub(crate) fn write_same(path: &Path, text: &str, replace: bool) -> Result<Written, Error> {
    if path.is_file() && *read(path)? == *text {
        return Ok(Written { path: path.to_owned(), outcome: Outcome::Kept });
    }
    write(path, text, replace)
}

/// Makes a directory that only its owner may enter, and those above it; one that is there is left as it is.
pub(crate) fn create_directory(path: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| Error::File { action: "make the directory", path: path.to_owned(), source })
}

/// Makes the names in a directory last through a power cut.
pub(crate) fn sync_directory(path: &Path) -> Result<(), Error> {
    let synced = File::open(path).and_then(|folder| folder.sync_all());
    synced.map_err(|source| Error::File { action: "write the directory", path: path.to_owned(), source })
}

/// The text of a file without secrets.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    let text = std::fs::read_to_string(path);
    text.map_err(|source| Error::File { action: "read", path: path.to_owned(), source })
}

/// What is in a directory, sorted; nothing where there is none.
pub(crate) fn entries(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::File { action: "read", path: path.to_owned(), source };
    if !path.is_dir() {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    for entry in path.read_dir().map_err(failed)? {
        all.push(entry.map_err(failed)?.path());
    }
    all.sort();
    Ok(all)
}

/// The text of a file with secrets.
pub(crate) fn read_secret(path: &Path) -> Result<Secret, Error> {
    read(path).map(Secret::new)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_private_and_whole_and_never_overwritten_by_accident() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seed");
        assert_eq!(write(&path, "one", false).unwrap().outcome, Outcome::Created);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
        assert!(matches!(write(&path, "two", false), Err(Error::Differs { .. })));
        assert_eq!(read(&path).unwrap(), "one");
        assert_eq!(write_same(&path, "one", false).unwrap().outcome, Outcome::Kept);
        assert!(matches!(write_same(&path, "two", false), Err(Error::Differs { .. })));
        assert_eq!(write_same(&path, "two", true).unwrap().outcome, Outcome::Replaced);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(folder.path().read_dir().unwrap().count(), 1, "something unfinished was left");
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(matches!(write(&link, "seed", false), Err(Error::Differs { .. })));
        write(&link, "seed", true).unwrap();
        assert!(!target.exists());
    }
}
