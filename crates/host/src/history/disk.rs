//! Revisions and events on disk, so that a restart does not forget them. Nothing depends on the file: a damaged one is
//! reported and replaced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Revision;
use crate::events::Event;

/// The file in a host's data directory.
const NAME: &str = "history.json";
const VERSION: u32 = 1;
/// More than is ever written.
const LARGEST: u64 = 16 << 20;

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    version: u32,
    /// The oldest first.
    pub(crate) revisions: Vec<Revision>,
    /// The newest few of each component, the oldest first.
    pub(crate) events: Vec<Event>,
}

impl Kept {
    /// What is to be kept now.
    pub(crate) fn new(revisions: Vec<Revision>, events: Vec<Event>) -> Self {
        Self { version: VERSION, revisions, events }
    }

    /// What was kept in `directory`; nothing if nothing was, or if it is damaged or of a newer version.
    pub(crate) fn load(directory: &Path) -> Self {
        let path = directory.join(NAME);
        match read(&path) {
            Ok(kept) => kept,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::default(),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the history cannot be read; it begins anew");
                Self::default()
            }
        }
    }

    /// Keeps it in `directory`, which is created if it is missing, so that a reader sees the old or the new. Blocks.
    ///
    /// # Errors
    /// The file system refused; what was kept before is still there then.
    pub(crate) fn save(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        let beside = directory.join(format!("{NAME}.new"));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&beside)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&beside, directory.join(NAME))?;
        // The rename is on disk when the directory is.
        if cfg!(unix) {
            File::open(directory)?.sync_all()?;
        }
        Ok(())
    }
}

fn read(path: &Path) -> io::Result<Kept> {
    if fs::metadata(path)?.len() > LARGEST {
        return Err(io::Error::other("it is larger than 16 MiB"));
    }
    let kept: Kept = serde_json::from_slice(&fs::read(path)?)?;
    if kept.version > VERSION {
        return Err(io::Error::other(format!("its version is {}, this host knows {VERSION}", kept.version)));
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::What;
    use crate::history::Outcome;

    #[test]
    fn comes_back_and_a_damaged_file_does_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("state");
        assert_eq!(Kept::load(&directory), Kept::default());
        let revision = Revision {
            id: "dir-1".into(),
            commit: None,
            applied: 7,
            changes: vec![],
            held: None,
            outcome: Outcome::Stalled { why: "no host".into() },
            took: 1300,
            requests: 18_204,
            failures: 0,
        };
        let event = Event {
            number: 3,
            time: 7,
            host: "gcp/gcp-1".into(),
            component: "todo".into(),
            revision: "dir-1".into(),
            identity: "i".into(),
            what: What::Stopped { finished: 12, cut: 0 },
        };
        let kept = Kept::new(vec![revision], vec![event]);
        kept.save(&directory).unwrap();
        assert_eq!(Kept::load(&directory), kept);
        for damaged in [&b"{\"version\":1,\"revi"[..], b"", b"{\"version\":2,\"revisions\":[],\"events\":[]}"]
        {
            fs::write(directory.join(NAME), damaged).unwrap();
            assert_eq!(Kept::load(&directory), Kept::default());
        }
        kept.save(&directory).unwrap();
        assert_eq!(Kept::load(&directory), kept);
    }
}
