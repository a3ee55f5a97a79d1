//! Opening a store file: made if it is not there, checked if it is, and never altered when it is not sound.

use std::any::Any;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use redb::{Builder, Database, DatabaseError, ReadableDatabase, StorageError, TableError};

use super::held::HeldFile;
use super::rows::{ABOUT, FORMAT, FORMAT_KEY, ROWS};

#[cfg(test)]
type Backend = super::faults::FaultyFile;
#[cfg(not(test))]
type Backend = redb::backends::FileBackend;

/// How often a locked file is tried again while [`super::Options::lock_wait`] lasts.
const LOCK_POLL: Duration = Duration::from_millis(20);

/// Why a store file could not be opened. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another store in this one, has it open.
    #[error(
        "the store file {} is in use by another process: stop that one, or use another file",
        path.display()
    )]
    Locked {
        /// The store file.
        path: PathBuf,
    },
    /// Its content is not what was written, or was never a store.
    #[error(
        "the store file {} is damaged or not a store file ({reason}); it was left as it is: \
         put back a copy, or move it away to begin with an empty store",
        path.display()
    )]
    Damaged {
        /// The store file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another version wrote it.
    #[error(
        "the store file {} was written by another version of Dunlin ({found}, this one reads {supported}); \
         it was left as it is: use the version that wrote it",
        path.display()
    )]
    Version {
        /// The store file.
        path: PathBuf,
        /// Its version.
        found: String,
        /// The version this program reads.
        supported: String,
    },
    /// The operating system refused.
    #[error("cannot open the store file {}: {source}", path.display())]
    Io {
        /// The store file, or the directory it should be in.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// What is needed to open the file, and to open it again after an I/O error.
#[derive(Debug)]
pub(super) struct Opener {
    pub(super) path: PathBuf,
    pub(super) cache_bytes: usize,
    pub(super) lock_wait: Duration,
    #[cfg(test)]
    pub(super) faults: std::sync::Arc<super::faults::Faults>,
}

impl Opener {
    /// Opens the file; makes it first if it is not there. Blocks for as long as it takes to read the file once.
    pub(super) fn open(&self) -> Result<Database, OpenError> {
        self.create_if_absent()?;
        self.check_is_file()?;
        let begun = Instant::now();
        let (database, file) = loop {
            match self.open_file() {
                Err(OpenError::Locked { .. }) if begun.elapsed() < self.lock_wait => thread::sleep(LOCK_POLL),
                result => break result?,
            }
        };
        self.check_format(&database)?;
        file.release().map_err(|error| self.io(error))?;
        Ok(database)
    }

    fn create_if_absent(&self) -> Result<(), OpenError> {
        match fs::symlink_metadata(&self.path) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(self.io(error)),
        }
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(directory).map_err(|source| OpenError::Io { path: directory.to_owned(), source })?;

        // Built aside and moved into place in one step, so that a half-made store is never seen, and a store that
        // somebody else made meanwhile is never replaced. A temporary file has mode 0600.
        let new = tempfile::Builder::new()
            .prefix(".store-")
            .suffix(".new")
            .tempfile_in(directory)
            .map_err(|error| self.io(error))?;
        let database = Builder::new().create(new.path()).map_err(|error| self.explain(error))?;
        self.write_format(&database).map_err(|error| self.explain(DatabaseError::Storage(error)))?;
        database.close().map_err(|error| self.explain(error))?;
        new.as_file().sync_all().map_err(|error| self.io(error))?;
        match new.persist_noclobber(&self.path) {
            Ok(_) => {}
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(self.io(error.error)),
        }
        // The name is as durable as the content only once the directory is synced.
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(|error| self.io(error))
    }

    fn write_format(&self, database: &Database) -> Result<(), StorageError> {
        let transaction = database.begin_write().map_err(flatten)?;
        transaction.open_table(ABOUT).map_err(flatten)?.insert(FORMAT_KEY, FORMAT)?;
        transaction.open_table(ROWS).map_err(flatten)?;
        transaction.commit().map_err(flatten)
    }

    fn check_is_file(&self) -> Result<(), OpenError> {
        let metadata = fs::metadata(&self.path).map_err(|error| self.io(error))?;
        if !metadata.is_file() {
            return Err(self.damaged("it is not a file".into()));
        }
        // The library takes an empty file for one to begin in; here it is one that lost its content.
        if metadata.len() == 0 {
            return Err(self.damaged("it is empty".into()));
        }
        Ok(())
    }

    fn open_file(&self) -> Result<(Database, HeldFile<Backend>), OpenError> {
        let file = File::options().read(true).write(true).open(&self.path).map_err(|error| self.io(error))?;
        let file = HeldFile::new(self.backend(file).map_err(|error| self.explain(error))?);
        let mut builder = Builder::new();
        builder.set_cache_size(self.cache_bytes);
        // Reads the file once and verifies every checksum, so that damage shows now and not in an answer.
        builder.set_check_integrity_on_open(true);
        // The library may panic on a file that was altered behind its back.
        let open = AssertUnwindSafe(|| builder.create_with_backend(file.clone()));
        match catch_unwind(open) {
            Ok(Ok(database)) => Ok((database, file)),
            Ok(Err(error)) => Err(self.explain(error)),
            Err(panic) => Err(self.damaged(describe(panic.as_ref()))),
        }
    }

    #[cfg(not(test))]
    fn backend(&self, file: File) -> Result<Backend, DatabaseError> {
        Backend::new(file)
    }

    #[cfg(test)]
    fn backend(&self, file: File) -> Result<Backend, DatabaseError> {
        Backend::new(file, self.faults.clone())
    }

    fn check_format(&self, database: &Database) -> Result<(), OpenError> {
        let read = || -> Result<Option<u64>, TableError> {
            let transaction = database.begin_read().map_err(|error| TableError::Storage(flatten(error)))?;
            transaction.open_table(ROWS)?;
            Ok(transaction.open_table(ABOUT)?.get(FORMAT_KEY)?.map(|format| format.value()))
        };
        match read() {
            Ok(Some(FORMAT)) => Ok(()),
            Ok(Some(found)) => Err(OpenError::Version {
                path: self.path.clone(),
                found: format!("format {found}"),
                supported: format!("format {FORMAT}"),
            }),
            Ok(None) => Err(self.damaged("it does not say its format".into())),
            Err(TableError::Storage(error)) => Err(self.explain(DatabaseError::Storage(error))),
            Err(error) => Err(self.damaged(format!("it is a database of something else: {error}"))),
        }
    }

    fn explain(&self, error: DatabaseError) -> OpenError {
        let path = self.path.clone();
        match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
                OpenError::Locked { path }
            }
            DatabaseError::UpgradeRequired(found) => OpenError::Version {
                path,
                found: format!("database file version {found}"),
                supported: "database file version 3".into(),
            },
            DatabaseError::Storage(StorageError::Io(source)) => match source.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => self.damaged(source.to_string()),
                _ => OpenError::Io { path, source },
            },
            // The library has no variant of its own for a file from its future.
            DatabaseError::Storage(StorageError::Corrupted(reason))
                if reason.starts_with("Expected file format version") =>
            {
                OpenError::Version { path, found: reason, supported: "database file version 3".into() }
            }
            DatabaseError::Storage(StorageError::Corrupted(reason)) => self.damaged(reason),
            other => self.damaged(other.to_string()),
        }
    }

    fn damaged(&self, reason: String) -> OpenError {
        OpenError::Damaged { path: self.path.clone(), reason }
    }

    fn io(&self, source: io::Error) -> OpenError {
        OpenError::Io { path: self.path.clone(), source }
    }
}

/// The storage error in any of the library's errors.
pub(super) fn flatten(error: impl Into<redb::Error>) -> StorageError {
    match error.into() {
        redb::Error::Io(error) => StorageError::Io(error),
        redb::Error::PreviousIo => StorageError::PreviousIo,
        other => StorageError::Corrupted(other.to_string()),
    }
}

/// What a panic said.
pub(super) fn describe(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no reason given")
        .to_owned()
}
