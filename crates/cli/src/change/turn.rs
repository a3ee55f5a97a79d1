//! One change of a repository at a time: of two commands that write the same file, neither commits what the other wrote.

use std::fs::{File, TryLockError};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::git::Git;
use crate::printer::WrongInput;

/// How long another command is waited for; hooks may take their time.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked whether it has ended.
const PAUSE: Duration = Duration::from_millis(50);

/// The right to change the repository's files and branch; given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _file: Option<File>,
}

/// Waits for the turn.
///
/// # Errors
/// Wrong input: another command takes its time.
pub(crate) fn take(git: &Git) -> Result<Turn> {
    // A file that is always there, and that git replaces only when its settings change.
    let path = git.root.join(git.run(["rev-parse", "--git-path", "config"])?);
    let Ok(file) = File::open(path) else { return Ok(Turn { _file: None }) };
    let end = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Turn { _file: Some(file) }),
            Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {
                let text = format!("another `dunlin` is changing {}; run this again", git.root.display());
                return Err(WrongInput(text).into());
            }
            // Not every file system has locks; git's own are left then.
            Err(TryLockError::Error(_)) => return Ok(Turn { _file: None }),
        }
    }
}
