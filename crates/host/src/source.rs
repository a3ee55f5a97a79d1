//! What a host follows: a directory, or a Git repository whose news the hosts of a lattice tell each other.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dunlin_lattice::Bus;
use dunlin_lattice::nudge::Nudger;
use dunlin_lattice::subjects::Subjects;
use dunlin_source::{DirectorySource, GitSettings, GitSource, LastGood, Nudges, Source, State};
use tokio::sync::watch;

use crate::config::HostConfig;
use crate::error::HostError;

/// Where a host's desired state comes from.
#[derive(Debug, Clone)]
pub enum SourceChoice {
    /// The manifests in this directory.
    Directory(PathBuf),
    /// The head of a branch of a Git repository.
    Git(Box<GitSettings>),
}

impl<P: AsRef<Path> + ?Sized> From<&P> for SourceChoice {
    fn from(directory: &P) -> Self {
        Self::Directory(directory.as_ref().to_owned())
    }
}

/// A source that is followed, and what tells the other hosts of it.
pub(crate) struct Started {
    pub(crate) states: watch::Receiver<State>,
    pub(crate) nudger: Option<Nudger>,
}

impl SourceChoice {
    pub(crate) async fn start(
        self,
        config: &HostConfig,
        bus: &Arc<dyn Bus>,
        past: Option<LastGood>,
    ) -> Result<Started, HostError> {
        let settings = match self {
            Self::Directory(path) => {
                let states = Box::new(DirectorySource::new(path)).start(past).await?;
                return Ok(Started { states, nudger: None });
            }
            Self::Git(settings) => *settings,
        };
        let (tell, heard) = watch::channel(None);
        let (seen, seen_here) = watch::channel(None);
        let source = Box::new(GitSource::new(settings).nudged(Nudges { heard, seen }));
        tracing::info!(source = source.describe(), "following");
        let states = source.start(past).await?;
        let subjects =
            Subjects::new(&config.lattice).ok_or_else(|| HostError::LatticeName(config.lattice.clone()))?;
        let connection = bus.connect("nudges").await?;
        let nudger = Nudger::start(connection, subjects, config.id.clone(), seen_here, tell);
        Ok(Started { states, nudger: Some(nudger) })
    }
}
