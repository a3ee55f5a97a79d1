//! A directory as a source: read whole, watched, and read again now and then in case watching missed something.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dunlin_manifest::{File, Reading};
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::files::{self, Listing, Refused};
use crate::settle::{last_good_state, publish, report, settle, understand, unreadable};
use crate::{LastGood, Source, SourceError, State};

/// How long a directory has to be quiet before it is read: a checkout or an editor writes several files.
const QUIET: Duration = Duration::from_millis(100);
/// The longest that a directory which is never quiet is waited for.
const RESTLESS: Duration = Duration::from_millis(500);
/// How long a change has to stay as it is: a file that is being written is seen empty or cut.
const SETTLED: Duration = Duration::from_millis(50);
/// How often a change is looked at again; one that never settles is taken as it is then.
const LOOKS: usize = 10;
/// How often the directory is read although nothing was seen.
const REREAD: Duration = Duration::from_secs(3);
/// How often it is tried again while it cannot be read; nothing tells when it comes back.
const RETRY: Duration = Duration::from_millis(500);

/// Desired state from the `*.yaml` and `*.yml` files of a directory. A change takes effect within a second.
#[derive(Debug)]
pub struct DirectorySource {
    path: PathBuf,
    reread: Duration,
    watched: bool,
}

impl DirectorySource {
    /// The directory at `path`, which is not looked at before [`Source::start`].
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), reread: REREAD, watched: true }
    }

    /// The same without watching, read every `interval`: for file systems that report no changes.
    #[must_use]
    pub fn polled(mut self, interval: Duration) -> Self {
        self.reread = interval;
        self.watched = false;
        self
    }
}

#[async_trait::async_trait]
impl Source for DirectorySource {
    fn describe(&self) -> String {
        format!("directory {}", self.path.display())
    }

    async fn start(
        self: Box<Self>,
        last_good: Option<LastGood>,
    ) -> Result<watch::Receiver<State>, SourceError> {
        let changed = Arc::new(Notify::new());
        let mut watching = Watching::new(&changed, self.watched);
        let state = match settled(|| list(self.path.clone()), None).await {
            Ok(listing) => {
                watching.follow(&listing.directories);
                let previous = last_good.map(|last_good| last_good.snapshot).unwrap_or_default();
                next(listing, &previous)
            }
            Err(Refused { reason, remedy }) => match last_good {
                None => return Err(SourceError::Unreadable { path: self.path, reason, remedy }),
                Some(last_good) => {
                    let reason = format!("cannot read {}: {reason}", self.path.display());
                    unreadable(last_good_state(last_good), reason)
                }
            },
        };
        report(&state);
        let (sender, receiver) = watch::channel(state);
        // What changed between reading and watching is seen by reading once more.
        changed.notify_one();
        tokio::spawn(follow(*self, sender, changed, watching));
        Ok(receiver)
    }
}

async fn follow(
    source: DirectorySource,
    sender: watch::Sender<State>,
    changed: Arc<Notify>,
    mut watching: Watching,
) {
    let mut pause = source.reread;
    loop {
        tokio::select! {
            () = changed.notified() => quiet(&changed).await,
            () = sleep(pause) => {}
            () = sender.closed() => return,
        }
        let previous = sender.borrow().clone();
        let listed = settled(|| list(source.path.clone()), Some(&previous.revision)).await;
        let state = match listed {
            Ok(listing) => {
                pause = source.reread;
                if watching.follow(&listing.directories) {
                    // A directory is watched from now on; what came into it before is read next.
                    changed.notify_one();
                }
                next(listing, &previous.snapshot)
            }
            Err(Refused { reason, .. }) => {
                watching.follow(&BTreeSet::new());
                pause = source.reread.min(RETRY);
                unreadable(previous, format!("cannot read {}: {reason}", source.path.display()))
            }
        };
        publish(&sender, state);
    }
}

/// Waits until nothing has changed for [`QUIET`], at most [`RESTLESS`].
async fn quiet(changed: &Notify) {
    let end = Instant::now() + RESTLESS;
    while Instant::now() < end {
        tokio::select! {
            () = changed.notified() => {}
            () = sleep_until(end.min(Instant::now() + QUIET)) => return,
        }
    }
}

/// Reads a directory until what it holds is what it held a moment ago, or is known as `revision` already.
async fn settled<Looking: Future<Output = Result<Listing, Refused>>>(
    mut list: impl FnMut() -> Looking,
    revision: Option<&str>,
) -> Result<Listing, Refused> {
    let mut listing = list().await?;
    for _ in 0..LOOKS {
        if Some(listing.revision.as_str()) == revision {
            break;
        }
        sleep(SETTLED).await;
        let again = list().await?;
        let same = again.revision == listing.revision;
        listing = again;
        if same {
            break;
        }
    }
    Ok(listing)
}

async fn list(path: PathBuf) -> Result<Listing, Refused> {
    let listing = tokio::task::spawn_blocking(move || files::read(&path)).await;
    listing.unwrap_or_else(|error| {
        Err(Refused { reason: format!("reading it was broken off: {error}"), remedy: "try again".into() })
    })
}

fn next(listing: Listing, previous: &Arc<dunlin_manifest::Snapshot>) -> State {
    let revision = listing.revision.clone();
    settle(revision, understand(listing).1, previous)
}

/// Reads a directory once, as a [`DirectorySource`] would: its files, and what they say. Blocks.
///
/// # Errors
/// [`SourceError::Unreadable`].
pub fn read_directory(path: &Path) -> Result<(Vec<File>, Reading), SourceError> {
    let listing = files::read(path).map_err(|Refused { reason, remedy }| SourceError::Unreadable {
        path: path.to_owned(),
        reason,
        remedy,
    })?;
    Ok(understand(listing))
}

/// The revision that a [`DirectorySource`] gives to what a directory holds now. Blocks.
///
/// # Errors
/// [`SourceError::Unreadable`].
pub fn directory_revision(path: &Path) -> Result<String, SourceError> {
    let listing = files::read(path).map_err(|Refused { reason, remedy }| SourceError::Unreadable {
        path: path.to_owned(),
        reason,
        remedy,
    })?;
    Ok(listing.revision)
}

/// The directories that the system tells about.
struct Watching {
    watcher: Option<RecommendedWatcher>,
    directories: BTreeSet<PathBuf>,
}

impl Watching {
    fn new(changed: &Arc<Notify>, watched: bool) -> Self {
        let changed = Arc::clone(changed);
        let tell = move |event: notify::Result<Event>| {
            // Reading files is an event as well: ours must not make us read again.
            let looked = |event: &Event| match event.kind {
                EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
                EventKind::Access(_) => true,
                _ => false,
            };
            if !event.as_ref().is_ok_and(looked) {
                changed.notify_one();
            }
        };
        let watcher = watched.then(|| notify::recommended_watcher(tell));
        let watcher = watcher.and_then(|watcher| {
            watcher
                .inspect_err(
                    |error| tracing::warn!(%error, "not watching: changes are seen when reading again"),
                )
                .ok()
        });
        Self { watcher, directories: BTreeSet::new() }
    }

    /// Watches these directories and no others; says whether one is new. A directory that was taken away
    /// and put back has the old path and no watch, so all are watched afresh each time.
    fn follow(&mut self, directories: &BTreeSet<PathBuf>) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        for directory in &self.directories {
            // It may be gone, and its watch with it.
            let _ = watcher.unwatch(directory);
        }
        for directory in directories {
            if let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive) {
                tracing::warn!(directory = %directory.display(), %error, "not watching it");
            }
        }
        let fresh = !directories.is_subset(&self.directories);
        self.directories.clone_from(directories);
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::{LOOKS, SETTLED, settled};
    use crate::files::Listing;
    use tokio::time::Instant;

    /// The revision that is taken when the directory shows `revisions` one after the other, and the looks it took.
    async fn taken(revisions: &[&str], known: Option<&str>) -> (String, usize) {
        let start = Instant::now();
        let mut looks = 0;
        let list = || {
            let revision = revisions[looks.min(revisions.len() - 1)].to_owned();
            looks += 1;
            std::future::ready(Ok(Listing { revision, ..Listing::default() }))
        };
        let listing = settled(list, known).await.unwrap();
        assert_eq!(start.elapsed(), SETTLED * u32::try_from(looks - 1).unwrap());
        (listing.revision, looks)
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_is_being_written_is_not_read_by_halves() {
        assert_eq!(taken(&["old"], Some("old")).await, ("old".into(), 1));
        assert_eq!(taken(&["new"], Some("old")).await, ("new".into(), 2));
        assert_eq!(taken(&["empty", "half", "new", "new"], Some("old")).await, ("new".into(), 4));
        assert_eq!(
            taken(&["half", "old"], Some("old")).await,
            ("old".into(), 2),
            "what was seen is what is known"
        );
        let restless: Vec<String> = (0..100).map(|look| look.to_string()).collect();
        let restless: Vec<&str> = restless.iter().map(String::as_str).collect();
        assert_eq!(taken(&restless, None).await, (LOOKS.to_string(), LOOKS + 1), "it ends");
    }
}
