//! New identities on trial, as far as they concern the host and not its agent: what ran before is kept, on disk as well,
//! so that it can be started again when the new identity was given up.

mod memory;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dunlin_agent::{HostState, LatticeView};
use dunlin_manifest::{Link, Snapshot, WasmComponent};
use dunlin_placement::canary::Aborted;
use dunlin_placement::{Before, CANDIDATE, Desired, SlotState};
use dunlin_source::KeptFile;
use tokio::time::Instant;

use self::memory::{Memory, Seen};
use crate::desired::Resolver;
use crate::host::Shared;

const FILE: KeptFile = KeptFile { name: "trials.json", header: "dunlin trials", version: 1, largest: 64 };

/// How often the picture of the lattice is looked at for something to remember.
const LOOK: Duration = Duration::from_millis(20);

/// What one host remembers.
#[derive(Debug)]
pub(crate) struct Trials {
    folder: PathBuf,
    inner: Mutex<Inner>,
    /// What is on disk. Locked while it is written, which nobody waits for who has a call to answer.
    saved: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Inner {
    memory: Memory,
    /// What can be started besides what Git says, as it was resolved last.
    startable: BTreeMap<String, Startable>,
}

/// A form that can be started.
#[derive(Debug)]
struct Startable {
    identity: String,
    spec: WasmComponent,
    /// Git's own form has taken its place, and was not given up.
    replaced: bool,
}

impl Trials {
    /// What was remembered in `folder`. Blocks: it reads a file.
    pub(crate) fn load(folder: PathBuf) -> Self {
        let memory = FILE.load::<Memory>(&folder).unwrap_or_else(|error| {
            let file = folder.join(FILE.name);
            tracing::warn!(%error, file = %file.display(), "what ran before updates on trial is forgotten");
            None
        });
        let memory = memory.unwrap_or_default();
        let saved = Mutex::new(memory.clone());
        Self { folder, inner: Mutex::new(Inner { memory, startable: BTreeMap::new() }), saved }
    }

    /// What was given up when the host stopped.
    pub(crate) fn aborted(&self) -> BTreeMap<String, Aborted> {
        self.inner().memory.aborted.clone()
    }

    /// Adds to what Git says what this host could go back to. Blocks: it reads files.
    pub(crate) fn complete(
        &self,
        resolver: &Resolver,
        snapshot: &Snapshot,
        view: Option<&LatticeView>,
        desired: &mut Desired,
    ) {
        let seen = view.map(seen).unwrap_or_default();
        let mut memory = self.inner().memory.clone();
        memory.follow(snapshot, desired, &seen);
        let mut startable = BTreeMap::new();
        for (name, object) in &snapshot.components {
            let identity =
                desired.components.get(name).map(|demand| demand.identity.clone()).unwrap_or_default();
            let aborted = memory.aborted.get(name).is_some_and(|aborted| aborted.identity == identity);
            if object.spec.update.is_none() && !aborted {
                continue;
            }
            let Some((form, replaced)) = memory.before(name, &identity) else { continue };
            // Code and secrets are as they are now. Where the code is a file that was overwritten, or a secret changed,
            // what was before cannot be had again.
            let again = resolver.identity(name, &form.spec).ok().filter(|again| *again != identity);
            let Some(again) = again else { continue };
            desired.before.insert(name.clone(), Before { identity: again.clone(), replaced });
            let replaced = replaced && !aborted;
            startable.insert(name.clone(), Startable { identity: again, spec: form.spec.clone(), replaced });
        }
        let mut inner = self.inner();
        // What was given up meanwhile is the other task's to say.
        memory.aborted.clone_from(&inner.memory.aborted);
        inner.memory = memory;
        inner.startable = startable;
        drop(inner);
        self.save();
    }

    /// What to start for an identity, where that is not what Git says: all that belongs to the identity is of the form
    /// before, all else as it is now.
    pub(crate) fn form(&self, component: &str, identity: &str, now: &WasmComponent) -> Option<WasmComponent> {
        let inner = self.inner();
        let form = inner.startable.get(component).filter(|form| form.identity == identity)?;
        Some(now.with_identity_of(&form.spec))
    }

    /// A link of the form before, as long as that may run anywhere.
    pub(crate) fn link(&self, component: &str, link: &str) -> Option<Link> {
        let inner = self.inner();
        let form = inner.startable.get(component).filter(|form| !form.replaced)?;
        form.spec.links.get(link).cloned()
    }

    /// How long a request may take by the form before, as long as that may run anywhere.
    pub(crate) fn request_timeout(&self, component: &str) -> Option<Duration> {
        let inner = self.inner();
        let form = inner.startable.get(component).filter(|form| !form.replaced)?;
        Some(form.spec.timeouts.request)
    }

    /// Takes in what this host's agent gave up. Blocks: it writes a file.
    fn remember(&self, state: &HostState) {
        self.inner().memory.aborted.clone_from(&state.aborted);
        self.save();
    }

    /// Brings the disk up to date.
    fn save(&self) {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = self.inner().memory.clone();
        if memory == *saved {
            return;
        }
        match FILE.save(&self.folder, &memory) {
            Ok(()) => *saved = memory,
            Err(error) => {
                tracing::warn!(%error, "what runs before an update on trial cannot be kept; a restart would not know it");
            }
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps what this host's agent gave up, or heard of, as soon as it says so.
pub(crate) async fn keep(shared: Arc<Shared>) {
    let mut seen: Option<Arc<LatticeView>> = None;
    loop {
        let view = shared.view.load_full();
        if seen.as_ref().is_none_or(|old| !Arc::ptr_eq(old, &view)) {
            let state = view.hosts.get(&shared.id).and_then(|entry| entry.state.clone());
            if let Some(state) = state.filter(|state| state.aborted != shared.trials.aborted()) {
                let trials = Arc::clone(&shared.trials);
                // A panic in there would be a mistake of ours; the next picture tries again.
                let _ = tokio::task::spawn_blocking(move || trials.remember(&state)).await;
            }
            seen = Some(view);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What the picture of the lattice shows of identities.
fn seen(view: &LatticeView) -> Seen {
    let (mut seen, now) = (Seen::default(), Instant::now());
    for (id, entry) in &view.hosts {
        let Some(state) = entry.state.as_deref() else { continue };
        let live = !entry.goodbye && now.saturating_duration_since(entry.last_beat) < CANDIDATE;
        for (component, slot) in state.slots.iter().filter(|_| live) {
            let named = (component.clone(), slot.identity.clone());
            let serves = matches!(slot.state, SlotState::Ready | SlotState::Unready);
            if *id == view.me && serves {
                seen.here.insert(named.0, named.1);
            } else if slot.state == SlotState::Ready {
                seen.elsewhere.insert(named);
            }
            if let Some(update) = slot.update.as_ref().filter(|update| update.canary.is_some()) {
                seen.on_trial.insert((component.clone(), update.identity.clone()));
            }
        }
    }
    seen
}
