//! The host's own loops: what the source says, and what the lattice looks like.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dunlin_agent::{HostFacts, LatticeView};
use dunlin_lattice::Bus;
use dunlin_manifest::{Mistake, Origin, Snapshot};
use dunlin_placement::Desired;
use dunlin_source::{LastGood, State};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::desired::{LOOK_AGAIN, Resolver};
use crate::directory::Directory;
use crate::host::Shared;
use crate::ingress::{self, Routes};
use crate::readiness;
use crate::status::Condition;
use crate::trials::Trials;

/// Turns what the source says into what the agent wants, and opens the stores that go with it.
pub(crate) struct Source {
    pub(crate) source: watch::Receiver<State>,
    pub(crate) resolver: Resolver,
    pub(crate) snapshot: watch::Sender<Arc<Snapshot>>,
    /// What `desired` is made of, for whoever starts it.
    pub(crate) demanded: watch::Sender<Arc<Snapshot>>,
    pub(crate) desired: watch::Sender<Option<Desired>>,
    pub(crate) facts: watch::Sender<HostFacts>,
    /// Asked for what is wrong with it.
    pub(crate) bus: Arc<dyn Bus>,
    /// Whether this host's server is linked to the hub, where that is known.
    pub(crate) linked: watch::Receiver<Option<bool>>,
}

/// How often the picture of the lattice is looked at for something new.
const LOOK: Duration = Duration::from_millis(20);

impl Source {
    pub(crate) async fn run(mut self, shared: Arc<Shared>) {
        loop {
            let state = self.source.borrow_and_update().clone();
            let snapshot = Arc::clone(&state.snapshot);
            // First what still counts of the old, then the new: no call may find neither.
            remember_former(&shared, &snapshot, None);
            shared.observed.source(&state, shared.counts());
            self.snapshot.send_if_modified(|now| *std::mem::replace(now, Arc::clone(&snapshot)) != *snapshot);
            // Stores are opened even while the source cannot be read: the last good state is enough for that.
            shared.stores.follow(&snapshot, shared.former.former().providers()).await;
            self.tell(&state, &shared);
            if state.read {
                let view = shared.view.load_full();
                let desired = resolve(
                    &self.resolver,
                    &shared.trials,
                    state.revision.clone(),
                    Arc::clone(&snapshot),
                    Some(view),
                )
                .await;
                self.demanded.send_replace(Arc::clone(&snapshot));
                self.desired.send_if_modified(|now| {
                    let new = now.as_ref() != desired.as_ref();
                    *now = desired;
                    new
                });
                remember_former(&shared, &snapshot, self.desired.borrow().as_ref());
            }
            // Also without news from the source: a file that stands in for an image may have been built anew, and the
            // link to the hub may have come or gone.
            if let Ok(Err(_)) = tokio::time::timeout(LOOK_AGAIN, self.source.changed()).await {
                return;
            }
        }
    }

    fn tell(&self, state: &State, shared: &Shared) {
        let mut conditions: Vec<Condition> = shared.stores.troubles().to_vec();
        conditions.extend(shared.not_ready.conditions(&shared.id));
        conditions.extend(source_conditions(state));
        conditions.extend(self.bus.trouble().map(|trouble| Condition {
            object: String::new(),
            reason: "Bus".into(),
            message: format!("{}: {trouble}", shared.id),
        }));
        let details = serde_json::to_value(&conditions).unwrap_or_default();
        let facts = HostFacts {
            providers: shared.stores.names(),
            details,
            linked: *self.linked.borrow(),
            holds: ingress::holds(shared),
        };
        self.facts.send_if_modified(|now| {
            let new = *now != facts;
            *now = facts;
            new
        });
    }
}

/// What Git said before counts as long as something may still run by it.
fn remember_former(shared: &Shared, snapshot: &Arc<Snapshot>, resolved: Option<&Desired>) {
    shared.former.follow(snapshot, resolved, &shared.view.load(), Instant::now());
}

/// What the source has to say about manifests, as conditions.
pub(crate) fn source_conditions(state: &State) -> Vec<Condition> {
    let mistakes = state.mistakes.iter().flat_map(|mistake| {
        let message = mistake.to_string();
        let holds = held_by(mistake, &state.snapshot);
        holds.into_iter().map(move |object| Condition {
            object,
            reason: "Invalid".into(),
            message: message.clone(),
        })
    });
    let others = state.conditions.iter().map(|condition| Condition {
        object: String::new(),
        reason: match condition {
            dunlin_source::Condition::HeldEmpty => "HeldEmpty",
            dunlin_source::Condition::HeldOrder { .. } => "HeldOrder",
            dunlin_source::Condition::NoLattice => "NoLattice",
            dunlin_source::Condition::Unreadable(_) => "SourceUnreadable",
        }
        .into(),
        message: condition.to_string(),
    });
    mistakes.chain(others).collect()
}

/// The objects that a mistake keeps at their last good form: the one that it is in, or all of a file that cannot be read.
fn held_by(mistake: &Mistake, snapshot: &Snapshot) -> Vec<String> {
    if let Some(object) = &mistake.object {
        return vec![object_name(object)];
    }
    let of_file = |origin: &Origin| origin.file == mistake.file;
    let components = snapshot.components.values().filter(|object| of_file(&object.origin));
    let providers = snapshot.providers.values().filter(|object| of_file(&object.origin));
    let names = components.map(|object| format!("component/{}", object.name));
    let names: Vec<_> = names.chain(providers.map(|object| format!("provider/{}", object.name))).collect();
    // Of a file that had none it is still to be told.
    if names.is_empty() { vec![String::new()] } else { names }
}

/// `component/todo` for `WasmComponent/todo`, as commands name objects.
pub(crate) fn object_name(object: &dunlin_manifest::ObjectReference) -> String {
    let kind = match object.kind {
        dunlin_manifest::Kind::Lattice => "lattice",
        dunlin_manifest::Kind::WasmComponent => "component",
        dunlin_manifest::Kind::WasmProvider => "provider",
    };
    format!("{kind}/{}", object.name)
}

async fn resolve(
    resolver: &Resolver,
    trials: &Arc<Trials>,
    revision: String,
    snapshot: Arc<Snapshot>,
    view: Option<Arc<LatticeView>>,
) -> Option<Desired> {
    let (resolver, trials) = (resolver.clone(), Arc::clone(trials));
    let resolving = tokio::task::spawn_blocking(move || {
        let mut desired = resolver.desired(&revision, &snapshot);
        trials.complete(&resolver, &snapshot, view.as_deref(), &mut desired);
        desired
    });
    resolving.await.inspect_err(|error| tracing::error!(%error, "resolving the manifests broke")).ok()
}

/// What a host that starts again wanted when it stopped.
pub(crate) async fn last_good(
    resolver: &Resolver,
    trials: &Arc<Trials>,
    past: Option<&LastGood>,
) -> Option<Desired> {
    let past = past?;
    resolve(resolver, trials, past.revision.clone(), Arc::clone(&past.snapshot), None).await
}

/// Keeps directory and routes in step with the picture of the lattice and the manifests.
pub(crate) async fn picture(shared: Arc<Shared>) {
    let mut seen: Option<(Arc<LatticeView>, Arc<Snapshot>)> = None;
    let mut was_ready = false;
    loop {
        let (view, snapshot) = (shared.view.load_full(), Arc::clone(&shared.snapshot.borrow()));
        let same = seen.as_ref().is_some_and(|(old_view, old_snapshot)| {
            Arc::ptr_eq(old_view, &view) && Arc::ptr_eq(old_snapshot, &snapshot)
        });
        if !same {
            let directory = Directory::of(&view);
            let routes = Routes::build(&snapshot, &shared.routes.load(), &directory.alive);
            if **shared.routes.load() != routes {
                shared.routes.store(Arc::new(routes));
            }
            shared.directory.store(Arc::new(directory));
            shared.told.store(Arc::clone(&view));
            shared.news.send_replace(());
            // Requests may come once this host knows what there is; a drain takes that back for good.
            if !was_ready && readiness::may_take_requests(&view, Instant::now()) {
                was_ready = true;
                shared.ready.store(true, Ordering::Release);
            }
            seen = Some((view, snapshot));
        }
        tokio::time::sleep(LOOK).await;
    }
}
