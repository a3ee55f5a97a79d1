//! Compiled code on disk, so that a restart compiles nothing.
//!
//! The directory is one user's own (0700) and one host's own (a lock is held while it is open). A file is named
//! after the digest of the component and the engine's configuration, and begins with an HMAC over both and the
//! code, by a random key that lies beside it (0600). A file that is cut short, damaged or written by somebody else
//! fails that check and is compiled anew, as if it were not there. Nothing here is ever needed: every failure to
//! write is only logged.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// First bytes of every file; the digit rises when the layout changes.
const MAGIC: &[u8; 8] = b"dunlin01";
/// Bytes of an HMAC-SHA256.
const TAG: usize = 32;
/// Bytes of its key: one block of SHA-256.
const KEY: usize = 64;
const KEY_FILE: &str = "key";
const LOCK_FILE: &str = "lock";
const SUFFIX: &str = "cwasm";

/// Why a cache directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The directory or a file in it cannot be made, read or written.
    #[error("the cache of compiled code at {}: {error}", path.display())]
    Io {
        /// What could not be used.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// Another process has it open.
    #[error(
        "the cache of compiled code at {} is in use by another process: each host needs a directory of its own",
        .0.display()
    )]
    InUse(PathBuf),
}

/// An open cache directory.
#[derive(Debug)]
pub(crate) struct Cache {
    directory: PathBuf,
    key: [u8; KEY],
    /// Most bytes of compiled code that are kept.
    most: u64,
    /// Held for as long as the cache is open.
    _lock: File,
}

impl Cache {
    /// Opens `directory`, which is made if it is not there.
    pub(crate) fn open(directory: &Path, most: u64) -> Result<Self, CacheError> {
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |error| CacheError::Io { path, error }
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(fail(directory))?;
        // It may have been there, with more rights than it should have.
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).map_err(fail(directory))?;
        let path = directory.join(LOCK_FILE);
        let lock = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(fail(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(CacheError::InUse(directory.to_owned())),
            Err(fs::TryLockError::Error(error)) => return Err(CacheError::Io { path, error }),
        }
        let path = directory.join(KEY_FILE);
        let key = read_or_make_key(&path).map_err(fail(&path))?;
        Ok(Self { directory: directory.to_owned(), key, most, _lock: lock })
    }

    /// The code kept under `name`, if it is there and as it was written.
    pub(crate) fn read(&self, name: &str) -> Option<Vec<u8>> {
        let path = self.path(name);
        let mut bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "compiled code cannot be read: compiling again");
                return None;
            }
        };
        let header = MAGIC.len() + TAG;
        let genuine = bytes.len() >= header
            && bytes.starts_with(MAGIC)
            && self.mac(name, &bytes[header..]).verify_slice(&bytes[MAGIC.len()..header]).is_ok();
        if !genuine {
            tracing::warn!(path = %path.display(), "compiled code is damaged or not ours: compiling again");
            return None;
        }
        // So that what is used is removed last.
        if let Ok(file) = File::open(&path) {
            let _ = file.set_modified(SystemTime::now());
        }
        bytes.drain(..header);
        Some(bytes)
    }

    /// Keeps `code` under `name`. A failure is logged and otherwise without effect.
    pub(crate) fn write(&self, name: &str, code: &[u8]) {
        let path = self.path(name);
        if let Err(error) = self.try_write(name, code) {
            tracing::warn!(path = %path.display(), %error, "compiled code cannot be kept");
        }
        self.prune(&path);
    }

    /// Forgets what is kept under `name`.
    pub(crate) fn remove(&self, name: &str) {
        let _ = fs::remove_file(self.path(name));
    }

    fn try_write(&self, name: &str, code: &[u8]) -> io::Result<()> {
        // The lock makes us the only writer, so one name for what is half written is enough.
        let temporary = self.directory.join(format!("{name}.part"));
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(MAGIC)?;
        file.write_all(&self.mac(name, code).finalize().into_bytes())?;
        file.write_all(code)?;
        drop(file);
        fs::rename(&temporary, self.path(name))
    }

    /// Removes what was used longest ago until the rest fits; never `newest`.
    fn prune(&self, newest: &Path) {
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
            .filter_map(Result::ok)
            .filter(|entry| entry.path().extension().is_some_and(|suffix| suffix == SUFFIX))
            .filter_map(|entry| {
                let metadata = entry.metadata().ok()?;
                Some((metadata.modified().ok()?, metadata.len(), entry.path()))
            })
            .collect();
        files.sort_unstable();
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in files {
            if total <= self.most {
                return;
            }
            if path != newest && fs::remove_file(&path).is_ok() {
                total -= size;
            }
        }
    }

    fn mac(&self, name: &str, code: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(MAGIC);
        // The length keeps a name and code from passing for another name and other code.
        mac.update(&(name.len() as u64).to_le_bytes());
        mac.update(name.as_bytes());
        mac.update(code);
        mac
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.{SUFFIX}"))
    }
}

/// The key, made on first use. A key file that is not whole is replaced: it only makes old files useless.
fn read_or_make_key(path: &Path) -> io::Result<[u8; KEY]> {
    match File::open(path) {
        Ok(mut file) => {
            let private = file.metadata()?.permissions().mode().trailing_zeros() >= 6;
            let mut key = [0; KEY];
            if private && file.read_exact(&mut key).is_ok() && key != [0; KEY] {
                return Ok(key);
            }
            tracing::warn!(path = %path.display(), "the cache's key is damaged or open to others: making a new one");
            fs::remove_file(path)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let key: [u8; KEY] = rand::random();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&key)?;
    file.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(directory: &Path) -> Cache {
        Cache::open(directory, 1 << 20).unwrap()
    }

    #[test]
    fn gives_back_what_was_kept_after_reopening() {
        let home = tempfile::tempdir().unwrap();
        open(home.path()).write("a", b"code");
        let cache = open(home.path());
        assert_eq!(cache.read("a").unwrap(), b"code");
        assert_eq!(cache.read("b"), None);
    }

    #[test]
    fn refuses_anything_changed_cut_or_moved() {
        let home = tempfile::tempdir().unwrap();
        let cache = open(home.path());
        cache.write("a", b"some code");
        let path = cache.path("a");
        let good = fs::read(&path).unwrap();
        for length in 0..good.len() {
            fs::write(&path, &good[..length]).unwrap();
            assert_eq!(cache.read("a"), None, "cut to {length}");
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, bad).unwrap();
            assert_eq!(cache.read("a"), None, "changed at {at}");
        }
        fs::write(cache.path("b"), &good).unwrap();
        assert_eq!(cache.read("b"), None, "under another name");
        fs::write(&path, &good).unwrap();
        assert_eq!(cache.read("a").unwrap(), b"some code");
    }

    #[test]
    fn a_file_made_with_another_key_is_not_loaded() {
        let home = tempfile::tempdir().unwrap();
        open(home.path()).write("a", b"code");
        fs::write(home.path().join(KEY_FILE), [7; KEY]).unwrap();
        assert_eq!(open(home.path()).read("a"), None);
    }

    #[test]
    fn a_damaged_or_open_key_is_replaced() {
        let home = tempfile::tempdir().unwrap();
        open(home.path());
        let path = home.path().join(KEY_FILE);
        fs::write(&path, b"short").unwrap();
        assert_ne!(open(home.path()).key, [0; KEY]);
        let key = open(home.path()).key;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_ne!(open(home.path()).key, key);
    }

    #[test]
    fn is_private_and_belongs_to_one() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("deep/cache");
        let cache = open(&directory);
        cache.write("a", b"code");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory), 0o700);
        assert_eq!(mode(&directory.join(KEY_FILE)), 0o600);
        assert_eq!(mode(&cache.path("a")), 0o600);
        assert!(matches!(Cache::open(&directory, 1), Err(CacheError::InUse(_))));
    }

    #[test]
    fn keeps_no_more_than_it_may() {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache::open(home.path(), 3_000).unwrap();
        for (age, name) in ["a", "b", "c", "d"].iter().enumerate() {
            cache.write(name, &[0; 900]);
            let file = File::open(cache.path(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(age as u64)).unwrap();
        }
        assert_eq!(cache.read("a"), None);
        assert!(cache.read("d").is_some());
    }
}
