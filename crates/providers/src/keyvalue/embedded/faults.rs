//! A store file whose disk can be made to fail, for tests.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};

/// What is wrong with the disk.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Writing and syncing fail, as on a full disk.
    pub(super) full: AtomicBool,
    /// Reading fails.
    pub(super) unreadable: AtomicBool,
    /// How often the file was synced.
    pub(super) syncs: AtomicUsize,
}

impl Faults {
    fn check(&self, fault: &AtomicBool) -> Result<(), io::Error> {
        if fault.load(Ordering::SeqCst) {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "no space left (injected)"));
        }
        Ok(())
    }
}

/// A file with faults.
#[derive(Debug)]
pub(super) struct FaultyFile {
    file: FileBackend,
    faults: Arc<Faults>,
}

impl FaultyFile {
    pub(super) fn new(file: File, faults: Arc<Faults>) -> Result<Self, DatabaseError> {
        Ok(Self { file: FileBackend::new(file)?, faults })
    }
}

impl StorageBackend for FaultyFile {
    fn len(&self) -> Result<u64, io::Error> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.faults.check(&self.faults.unreadable)?;
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.faults.check(&self.faults.full)?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.faults.check(&self.faults.full)?;
        self.faults.syncs.fetch_add(1, Ordering::SeqCst);
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.faults.check(&self.faults.full)?;
        self.file.write(offset, data)
    }

    fn close(&self) -> Result<(), io::Error> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}
