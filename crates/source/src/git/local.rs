//! A repository on this machine tells at once when a branch of it moves.

use std::path::Path;
use std::sync::Arc;

use notify::event::AccessKind;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// Watches the branches of the repository at `path`. `None` if it cannot be watched; looking now and then is enough.
pub(super) fn watch(path: &Path, changed: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let repository = gix::open(path).ok()?;
    let folder = repository.common_dir().to_owned();
    let changed = Arc::clone(changed);
    let tell = move |event: notify::Result<Event>| {
        // Whoever fetches reads; only what is written counts.
        if event.is_ok_and(|event| {
            !matches!(event.kind, EventKind::Access(AccessKind::Open(_) | AccessKind::Read))
        }) {
            changed.notify_one();
        }
    };
    let mut watcher = notify::recommended_watcher(tell).ok()?;
    // HEAD and packed-refs are replaced by renaming, which their directory tells of.
    watcher.watch(&folder, RecursiveMode::NonRecursive).ok()?;
    watcher.watch(&folder.join("refs"), RecursiveMode::Recursive).ok()?;
    Some(watcher)
}
