//! The temporary folder of one `dunlin dev`, and what killed ones left of theirs.
//!
//! A file in it is locked for as long as the process lives, however it ends: who gets the lock knows that nobody lives there.

use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

const PREFIX: &str = "dunlin-dev-";
/// The file that is locked.
const LOCK: &str = "in-use";

/// Removed when dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    // Removed before the lock goes.
    folder: TempDir,
    _lock: Option<File>,
}

impl Folder {
    /// Makes one, for this user alone.
    ///
    /// # Errors
    /// There is no temporary directory that can be written.
    pub(crate) fn make() -> Result<Self> {
        Self::make_in(&std::env::temp_dir())
    }

    fn make_in(parent: &Path) -> Result<Self> {
        let folder =
            tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent).context("no temporary directory")?;
        // Without the file, where it cannot be locked, the folder is never taken for one that was left.
        let lock = lock(folder.path()).ok();
        Ok(Self { folder, _lock: lock })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Under its name the file is locked from the first moment.
fn lock(folder: &Path) -> std::io::Result<File> {
    let unfinished = folder.join("in-use.unfinished");
    let file = File::create_new(&unfinished)?;
    file.try_lock()?;
    std::fs::rename(unfinished, folder.join(LOCK))?;
    Ok(file)
}

/// Removes the folders that killed `dunlin dev` of this user left; gives how many.
pub(crate) fn sweep() -> usize {
    sweep_in(&std::env::temp_dir())
}

fn sweep_in(parent: &Path) -> usize {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    named.filter(|entry| remove_left(&entry.path()).is_some()).count()
}

/// Removes a folder of this user's whose process is gone.
fn remove_left(folder: &Path) -> Option<()> {
    let data = std::fs::symlink_metadata(folder).ok()?;
    if !data.is_dir() || data.uid() != rustix::process::getuid().as_raw() {
        return None;
    }
    let lock = File::open(folder.join(LOCK)).ok()?;
    match lock.try_lock() {
        // Held until the folder is gone, so that two sweeps do not meet in it.
        Ok(()) => std::fs::remove_dir_all(folder).ok(),
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_one_left_is_removed_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let running = Folder::make_in(parent.path()).unwrap();
        // The system lets a lock go with the process that held it.
        let Folder { folder, _lock: lock } = Folder::make_in(parent.path()).unwrap();
        let left = folder.keep();
        std::fs::write(left.join("store"), "data").unwrap();
        let strange = parent.path().join("dunlin-dev-of-an-older-one");
        std::fs::create_dir(&strange).unwrap();
        let link = parent.path().join("dunlin-dev-link");
        std::os::unix::fs::symlink(parent.path().join("elsewhere"), &link).unwrap();
        assert_eq!(sweep_in(parent.path()), 0, "all are locked, or not known");
        drop(lock);
        // A process that another test starts at this moment has the file as well, until it becomes another program.
        let swept = || (sweep_in(parent.path()) == 1).then_some(());
        dunlin_testkit::eventually("the sweep", std::time::Duration::from_secs(10), swept);
        assert!(!left.exists() && running.path().is_dir() && strange.is_dir());
        let path = running.path().to_owned();
        drop(running);
        assert!(!path.exists());
    }
}
