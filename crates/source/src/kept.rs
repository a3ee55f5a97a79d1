//! Files that outlive the process: a line with the format's version and a checksum, then JSON.
//!
//! A file is written beside and renamed, so that a reader sees the old or the new, and a damaged one is told from a
//! good one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// What a file is: its name in a host's data directory, the words of its first line, the version of its format, and how
/// large it may be.
#[derive(Debug, Clone, Copy)]
pub struct KeptFile {
    /// Its name.
    pub name: &'static str,
    /// What its first line begins with.
    pub header: &'static str,
    /// The version that is written; a higher one is not read.
    pub version: u32,
    /// The most MiB that are written or read.
    pub largest: u64,
}

/// Why a file that is there was not read.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// It is not what was written: cut, changed or of another kind.
    #[error("it is damaged ({0})")]
    Damaged(String),
    /// It was written by a newer version.
    #[error("it has format {0}, which this version does not know")]
    Newer(u32),
    /// The file system refused.
    #[error("it cannot be read: {0}")]
    Disk(#[from] io::Error),
}

impl KeptFile {
    /// What was saved in `directory`, or `None` if nothing was.
    ///
    /// # Errors
    /// [`KeptError`]; the caller reports it and goes on as if there were none.
    pub fn load<T: DeserializeOwned>(&self, directory: &Path) -> Result<Option<T>, KeptError> {
        let path = directory.join(self.name);
        let damaged = |reason: &str| KeptError::Damaged(reason.into());
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
            Ok(metadata) if !metadata.is_file() => return Err(damaged("it is no file")),
            Ok(metadata) if metadata.len() > self.largest << 20 => {
                return Err(damaged(&format!("it is larger than {} MiB", self.largest)));
            }
            Ok(_) => {}
        }
        let bytes = fs::read(&path)?;
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            return Err(damaged("it has no header"));
        };
        let (header, body) = (&bytes[..end], &bytes[end + 1..]);
        let header = std::str::from_utf8(header).ok().and_then(|header| header.strip_prefix(self.header));
        let Some((version, checksum)) = header.and_then(|rest| rest.trim().split_once(' ')) else {
            return Err(damaged("its header is not ours"));
        };
        match version.parse::<u32>() {
            Ok(version) if version == self.version => {}
            Ok(found) if found > self.version => return Err(KeptError::Newer(found)),
            _ => return Err(damaged("its version is no number of ours")),
        }
        if checksum != self::checksum(body) {
            return Err(damaged("its checksum differs"));
        }
        serde_json::from_slice(body).map(Some).map_err(|error| damaged(&error.to_string()))
    }

    /// Saves `value` in `directory`, which is created if it is missing. When this returns, it is on disk.
    ///
    /// # Errors
    /// The file system refuses, or it is larger than it may be; what was saved before is still there then.
    pub fn save<T: Serialize>(&self, directory: &Path, value: &T) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        let body = serde_json::to_vec(value)?;
        let header = format!("{} {} {}\n", self.header, self.version, checksum(&body));
        if (header.len() + body.len()) as u64 > self.largest << 20 {
            let reason =
                format!("it would be larger than {} MiB, which would not be read again", self.largest);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
        }
        let beside = directory.join(format!("{}.new", self.name));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&beside)?;
        file.write_all(header.as_bytes())?;
        file.write_all(&body)?;
        file.sync_all()?;
        fs::rename(&beside, directory.join(self.name))?;
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
