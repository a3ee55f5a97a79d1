//! Revisions and events on disk, so that a restart does not forget them. Nothing depends on the file: a damaged one is
//! reported and replaced.

use std::io;
use std::path::Path;

use dunlin_source::KeptFile;
use serde::{Deserialize, Serialize};

use super::Revision;
use crate::events::Event;

const FILE: KeptFile = KeptFile { name: "history.json", header: "dunlin history", version: 1, largest: 16 };

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The oldest first.
    pub(crate) revisions: Vec<Revision>,
    /// The newest few of each component, the oldest first.
    pub(crate) events: Vec<Event>,
}

impl Kept {
    /// What is to be kept now.
    pub(crate) fn new(revisions: Vec<Revision>, events: Vec<Event>) -> Self {
        Self { revisions, events }
    }

    /// What was kept in `directory`; nothing if nothing was, or if it is damaged or of a newer version.
    pub(crate) fn load(directory: &Path) -> Self {
        let kept = FILE.load(directory).unwrap_or_else(|error| {
            let path = directory.join(FILE.name);
            tracing::warn!(path = %path.display(), %error, "the history cannot be read; it begins anew");
            None
        });
        kept.unwrap_or_default()
    }

    /// Keeps it in `directory`, which is created if it is missing, so that a reader sees the old or the new. Blocks.
    ///
    /// # Errors
    /// The file system refused; what was kept before is still there then.
    pub(crate) fn save(&self, directory: &Path) -> io::Result<()> {
        FILE.save(directory, self)
    }
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
        let newer = b"dunlin history 2 sha256:0\n{\"revisions\":[],\"events\":[]}";
        let old = b"{\"version\":2,\"revisions\":[],\"events\":[]}";
        for damaged in [&b"{\"version\":1,\"revi"[..], b"", old, newer] {
            std::fs::write(directory.join(FILE.name), damaged).unwrap();
            assert_eq!(Kept::load(&directory), Kept::default());
        }
        kept.save(&directory).unwrap();
        assert_eq!(Kept::load(&directory), kept);
    }
}
