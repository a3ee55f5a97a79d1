//! The last good state on disk: what a host goes on with when its source and everybody else are gone.
//!
//! One file: a line with the format's version and a checksum, then JSON. It is written beside and renamed,
//! so that a reader sees the old or the new, and a damaged one is told from a good one.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dunlin_manifest::Snapshot;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Commit;

/// The name of the file in a host's data directory.
const NAME: &str = "last-good.json";
const HEADER: &str = "dunlin last good state";
const VERSION: u32 = 1;
/// More than any source reads, and still little memory.
const MAXIMUM_SIZE: u64 = 64 << 20;

/// What was in force, and what this host ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastGood {
    /// The revision it was read from.
    pub revision: String,
    /// The commit that it is, where it is one.
    #[serde(default)]
    pub commit: Option<Commit>,
    /// Every object.
    pub snapshot: Arc<Snapshot>,
    /// The components that ran in this host's slots, for the restart rule.
    pub ran: BTreeSet<String>,
}

/// Why there is no last good state although there is a file, or why it was not written.
#[derive(Debug, thiserror::Error)]
pub enum LastGoodError {
    /// The file is not what was written: cut, changed or of another kind.
    #[error("the last good state in {} is damaged ({reason}); going on without it, the next good state replaces it", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How that shows.
        reason: String,
    },
    /// The file was written by a newer version.
    #[error("the last good state in {} has format {found}, this version knows {VERSION}; going on without it", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The file system refused.
    #[error("the last good state in {} cannot be {action}: {source}", .path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl LastGood {
    /// The state that was saved in `directory`, or `None` if none was.
    ///
    /// # Errors
    /// [`LastGoodError`]; the caller reports it and goes on as if there were none.
    pub fn load(directory: &Path) -> Result<Option<Self>, LastGoodError> {
        let path = directory.join(NAME);
        let disk = |source| LastGoodError::Disk { path: path.clone(), action: "read", source };
        let damaged = |reason: &str| LastGoodError::Damaged { path: path.clone(), reason: reason.into() };
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(disk(error)),
            Ok(metadata) if !metadata.is_file() => return Err(damaged("it is no file")),
            Ok(metadata) if metadata.len() > MAXIMUM_SIZE => return Err(damaged("it is larger than 64 MiB")),
            Ok(_) => {}
        }
        let bytes = fs::read(&path).map_err(disk)?;
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            return Err(damaged("it has no header"));
        };
        let (header, body) = (&bytes[..end], &bytes[end + 1..]);
        let header = std::str::from_utf8(header).ok().and_then(|header| header.strip_prefix(HEADER));
        let Some((version, checksum)) = header.and_then(|rest| rest.trim().split_once(' ')) else {
            return Err(damaged("its header is not ours"));
        };
        match version.parse() {
            Ok(VERSION) => {}
            Ok(found) if found > VERSION => return Err(LastGoodError::Newer { path, found }),
            _ => return Err(damaged("its version is no number of ours")),
        }
        if checksum != self::checksum(body) {
            return Err(damaged("its checksum differs"));
        }
        serde_json::from_slice(body).map(Some).map_err(|error| damaged(&error.to_string()))
    }

    /// Saves the state in `directory`, which is created if it is missing. When this returns, it is on disk.
    ///
    /// # Errors
    /// [`LastGoodError::Disk`]; what was saved before is still there then.
    pub fn save(&self, directory: &Path) -> Result<(), LastGoodError> {
        let path = directory.join(NAME);
        self.write(directory, &path).map_err(|source| LastGoodError::Disk { path, action: "written", source })
    }

    fn write(&self, directory: &Path, path: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        let body = serde_json::to_vec(self)?;
        let beside = directory.join(format!("{NAME}.new"));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&beside)?;
        file.write_all(format!("{HEADER} {VERSION} {}\n", checksum(&body)).as_bytes())?;
        file.write_all(&body)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        // The rename is on disk when the directory is.
        if cfg!(unix) {
            File::open(directory)?.sync_all()?;
        }
        Ok(())
    }
}

fn checksum(body: &[u8]) -> String {
    let digits: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}
