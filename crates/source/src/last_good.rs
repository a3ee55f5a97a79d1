//! The last good state on disk: what a host goes on with when its source and everybody else are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dunlin_manifest::Snapshot;
use serde::{Deserialize, Serialize};

use crate::Commit;
use crate::kept::{KeptError, KeptFile};

const VERSION: u32 = 1;
/// Sixteen times what a source reads ([`crate::files::MAXIMUM_TOTAL`]): here all that is left out there is written out.
const LARGEST: u64 = 256;
const FILE: KeptFile =
    KeptFile { name: "last-good.json", header: "dunlin last good state", version: VERSION, largest: LARGEST };

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
    /// The identities that ran in those slots: their links have answered. Files of older versions have none.
    #[serde(default)]
    pub identities: BTreeMap<String, String>,
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
        let path = directory.join(FILE.name);
        FILE.load(directory).map_err(|error| match error {
            KeptError::Damaged(reason) => LastGoodError::Damaged { path, reason },
            KeptError::Newer(found) => LastGoodError::Newer { path, found },
            KeptError::Disk(source) => LastGoodError::Disk { path, action: "read", source },
        })
    }

    /// Saves the state in `directory`, which is created if it is missing. When this returns, it is on disk.
    ///
    /// # Errors
    /// [`LastGoodError::Disk`]; what was saved before is still there then.
    pub fn save(&self, directory: &Path) -> Result<(), LastGoodError> {
        let path = directory.join(FILE.name);
        FILE.save(directory, self).map_err(|source| LastGoodError::Disk { path, action: "written", source })
    }
}
