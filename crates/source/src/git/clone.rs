//! The clone that a host keeps: bare, one branch, and never worth mending. A damaged or worn one is made anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gix::Repository;
use gix::open::{Options, Permissions};
use gix::sec::{Permission, Trust};

use super::settings::HEAD;
use super::trouble::{Trouble, words};

/// Each fetch leaves a pack; with more than this many the clone is made anew.
const PACKS: usize = 400;
/// A lock of this age is nobody's any more.
const STALE: Duration = Duration::from_secs(10);
/// No object is worth more memory than this: a manifest has at most 1 MiB, a directory is a long list at most. And no
/// fetch is worth more than one core.
const BOUNDS: [&str; 2] = ["gitoxide.objects.allocLimit=64m", "pack.threads=1"];

/// Opens the clone at `path`, or begins one. What stands there and is none is thrown away.
pub(super) fn open(path: &Path, configuration: &[String]) -> Result<Repository, Trouble> {
    if path.exists() {
        break_locks(path);
        match options(configuration).open(path) {
            Ok(clone) => return Ok(clone.to_thread_local()),
            Err(error) => {
                tracing::warn!(clone = %path.display(), error = %words(&error), "the clone is damaged; cloning anew");
                discard(path)?;
            }
        }
    }
    let begin = || {
        fs::create_dir_all(path)?;
        #[cfg(unix)]
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        io::Result::Ok(())
    };
    begin().map_err(|error| disk(path, &error))?;
    let kind = gix::create::Kind::Bare;
    let clone = gix::ThreadSafeRepository::init_opts(
        path,
        kind,
        gix::create::Options::default(),
        options(configuration),
    );
    clone.map(|clone| clone.to_thread_local()).map_err(|error| Trouble::of(words(&error)))
}

/// Removes locks that a host left which ended in the middle of a fetch. Nobody else writes here, and a lock that is
/// in use lives for milliseconds.
fn break_locks(path: &Path) {
    for name in ["HEAD.lock", "config.lock", "packed-refs.lock", &format!("{HEAD}.lock")] {
        let lock = path.join(name);
        let age =
            fs::metadata(&lock).and_then(|metadata| metadata.modified()).map(|modified| modified.elapsed());
        // A clock that was set back makes it look as if it came from the future.
        if age.is_ok_and(|age| age.is_ok_and(|age| age > STALE)) {
            let _ = fs::remove_file(lock);
        }
    }
}

/// Reads the user's configuration, where credentials, certificates and the way to call `ssh` stand; but no variable
/// leads to other objects.
fn options(configuration: &[String]) -> Options {
    let mut permissions = Permissions::all();
    permissions.env.objects = Permission::Deny;
    Options::default()
        .permissions(permissions)
        .with(Trust::Full)
        .open_path_as_is(true)
        .cli_overrides(configuration.iter().map(String::as_str).chain(BOUNDS))
}

/// Throws a clone away.
pub(super) fn discard(path: &Path) -> Result<(), Trouble> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            fs::remove_file(path).map_err(|error| disk(path, &error))
        }
        done => done.map_err(|error| disk(path, &error)),
    }
}

/// Whether so much has gathered in the clone that a new one is better: packs, or what broken fetches left.
pub(super) fn is_worn(path: &Path, most_bytes: u64) -> bool {
    let (mut files, mut bytes) = (0, 0_u64);
    for entry in fs::read_dir(path.join("objects/pack")).into_iter().flatten().flatten() {
        files += 1;
        bytes = bytes.saturating_add(entry.metadata().map_or(0, |metadata| metadata.len()));
    }
    // A pack has an index beside it.
    files > 2 * PACKS || bytes > most_bytes.saturating_mul(4)
}

/// Where a new clone is made while the old one is still good for something.
pub(super) fn beside(path: &Path) -> PathBuf {
    path.with_extension("new")
}

/// Puts the new clone in the place of the old one.
pub(super) fn replace(path: &Path) -> Result<(), Trouble> {
    discard(path)?;
    fs::rename(beside(path), path).map_err(|error| disk(path, &error))
}

fn disk(path: &Path, error: &io::Error) -> Trouble {
    Trouble::new(
        format!("its clone in {} cannot be written: {error}", path.display()),
        "make the host's state directory writable, with room for the repository",
    )
}
