//! What is observed of changes: joins events, history and conditions with the source and the picture of the lattice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use dunlin_agent::LatticeView;
use dunlin_manifest::{ConfigValue, HostId, Snapshot};
use dunlin_placement::Desired;
use dunlin_source::{LastGood, State};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::events::{self, EventLog, What};
use crate::follow::source_conditions;
use crate::history::{Change, ChangeKind, Counts, Followed, History, Kept, Progress, Revision, changes};
use crate::host::Shared;
use crate::status::{
    Accepted, Ages, ComponentCondition, Condition, Facts, Kstatus, Picture, Truth, Wait, judge,
};

/// How often it is looked at how far the newest revision is.
const LOOK: Duration = Duration::from_millis(50);
/// So many events of each component are kept on disk.
const KEPT_EVENTS: usize = 20;

/// What this host observes.
pub(crate) struct Observed {
    pub(crate) events: Arc<EventLog>,
    inner: Mutex<Inner>,
    /// What the source said last, before placement.
    source: ArcSwap<Said>,
    /// What this host wants; before the source was read, what it wanted when it stopped.
    desired: watch::Receiver<Option<Desired>>,
    last_good: Option<Desired>,
}

struct Inner {
    history: History,
    ages: Ages,
    /// What was in force before the revision that is followed now.
    snapshot: Arc<Snapshot>,
    /// Mistakes that were told as events.
    held: BTreeSet<Condition>,
}

/// What the source said.
#[derive(Debug, Default)]
struct Said {
    read: bool,
    commit: Option<dunlin_source::Commit>,
    /// Mistakes and what keeps the source from being followed.
    conditions: Vec<Condition>,
}

/// What one component is told to be like.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    pub(crate) result: Kstatus,
    pub(crate) conditions: Vec<ComponentCondition>,
    pub(crate) waits: Vec<Wait>,
    pub(crate) identity: String,
}

impl Observed {
    /// What a host observes that starts with this past.
    pub(crate) fn new(
        id: &HostId,
        kept: Kept,
        past: Option<&LastGood>,
        last_good: Option<Desired>,
        desired: watch::Receiver<Option<Desired>>,
    ) -> Arc<Self> {
        let inner = Inner {
            history: History::new(kept.revisions, Instant::now()),
            ages: Ages::default(),
            snapshot: past.map(|past| Arc::clone(&past.snapshot)).unwrap_or_default(),
            held: BTreeSet::new(),
        };
        Arc::new(Self {
            events: Arc::new(EventLog::new(id, kept.events)),
            inner: Mutex::new(inner),
            source: ArcSwap::default(),
            desired,
            last_good,
        })
    }

    /// The source said something; called before anything is done about it.
    pub(crate) fn source(&self, state: &State, counts: Counts) {
        let conditions = source_conditions(state);
        let said = Said { read: state.read, commit: state.commit.clone(), conditions: conditions.clone() };
        self.source.store(Arc::new(said));
        if !state.read {
            return;
        }
        let mut inner = self.inner();
        let changes = changes(&inner.snapshot, &state.snapshot);
        inner.snapshot = Arc::clone(&state.snapshot);
        let held: BTreeSet<Condition> = conditions.into_iter().filter(holds_back).collect();
        let words = held.iter().map(|condition| condition.message.as_str()).collect::<Vec<_>>().join("; ");
        let in_words = changes.iter().map(ToString::to_string).collect();
        self.events.set_revision(&state.revision);
        let followed = Followed {
            id: state.revision.clone(),
            commit: state.commit.clone(),
            changes,
            held: (!held.is_empty()).then_some(words),
            applied: events::now(),
        };
        if inner.history.follow(followed, Instant::now(), counts) {
            self.events.note("", "", What::Revision { changes: in_words });
        }
        for condition in held.difference(&inner.held) {
            let component = condition.object.strip_prefix("component/").unwrap_or_default();
            self.events.note(component, "", What::Held { reason: condition.message.clone() });
        }
        inner.held = held;
    }

    /// What this host wants, as far as it knows.
    pub(crate) fn desired(&self) -> Option<Desired> {
        self.desired.borrow().clone().or_else(|| self.last_good.clone())
    }

    /// The commit that is followed, where the source is a Git repository.
    pub(crate) fn commit(&self) -> Option<dunlin_source::Commit> {
        self.source.load().commit.clone()
    }

    /// The last revisions, the newest first.
    pub(crate) fn revisions(&self) -> Vec<Revision> {
        self.inner().history.revisions().rev().cloned().collect()
    }

    /// All components as they are now: those in force, and those that never had a good form.
    pub(crate) fn components(
        &self,
        view: &LatticeView,
        snapshot: &Snapshot,
        now: Instant,
    ) -> BTreeMap<String, Told> {
        let (said, desired) = (self.source.load(), self.desired());
        let mistaken = said.conditions.iter().filter(|condition| condition.reason == "Invalid");
        let mistaken = mistaken.filter_map(|condition| condition.object.strip_prefix("component/"));
        let names: BTreeSet<&str> = snapshot.components.keys().map(String::as_str).chain(mistaken).collect();
        let picture = Picture::of(view, now);
        let mut inner = self.inner();
        inner.ages.keep(|component| names.contains(component));
        let tell = |name: &str| {
            let demand = desired.as_ref().and_then(|desired| desired.components.get(name));
            let secret = |object: &dunlin_manifest::Object<dunlin_manifest::WasmComponent>| {
                object.spec.config.values().any(|value| matches!(value, ConfigValue::Secret(_)))
            };
            let has_secrets = snapshot.components.get(name).is_some_and(secret);
            let digest = desired.as_ref().map(|desired| desired.digest.as_str());
            let facts = Facts {
                revision: desired.as_ref().map(|desired| desired.revision.clone()).unwrap_or_default(),
                accepted: accepted(&said, name),
                ..Facts::new(name, &picture, demand.map(|demand| (demand, has_secrets)), digest)
            };
            let identity = demand.map(|demand| demand.identity.clone()).unwrap_or_default();
            let (conditions, waits) = inner.ages.tell(name, &judge(&facts), &facts.revision, &identity, now);
            (name.to_owned(), Told { result: Kstatus::of(&conditions), conditions, waits, identity })
        };
        names.into_iter().map(tell).collect()
    }

    /// How far the newest revision is, given how all components are.
    fn progress(
        &self,
        told: &BTreeMap<String, Told>,
        view: &LatticeView,
        changes: &[Change],
        id: &str,
    ) -> Progress {
        let me = view.hosts.get(&view.me).and_then(|entry| entry.state.as_ref());
        if me.is_none_or(|state| state.revision.as_deref() != Some(id)) {
            return Progress::Waits(vec![format!("{} has not taken it in yet", view.me)]);
        }
        let mut waits = Vec::new();
        for change in changes {
            let Some(name) = change.object.strip_prefix("component/") else { continue };
            if change.kind == ChangeKind::Removed {
                waits.extend(still_at(view, name));
                continue;
            }
            let Some(told) = told.get(name) else { continue };
            match told.result {
                Kstatus::Current => {}
                Kstatus::InProgress => {
                    waits.extend(told.waits.iter().map(|wait| format!("{name}: {} {}", wait.of, wait.what)))
                }
                Kstatus::Failed => {
                    let stalled = |condition: &&ComponentCondition| {
                        condition.kind == "Stalled" && condition.status == Truth::True
                    };
                    let why = told.conditions.iter().find(stalled).map(|condition| condition.message.clone());
                    return Progress::Stalled(format!("{name}: {}", why.unwrap_or_default()));
                }
            }
            // Unknown, and nothing to name.
            if told.result == Kstatus::InProgress && told.waits.is_empty() {
                let ready = told.conditions.iter().find(|condition| condition.kind == "Ready");
                waits.extend(ready.map(|ready| format!("{name}: {}", ready.message)));
            }
        }
        if waits.is_empty() { Progress::Settled } else { Progress::Waits(waits) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a condition of the source keeps something that Git says from being taken.
fn holds_back(condition: &Condition) -> bool {
    condition.reason == "Invalid" || condition.reason.starts_with("Held")
}

fn accepted(said: &Said, component: &str) -> Accepted {
    let of = |reason: &dyn Fn(&Condition) -> bool| {
        let words: Vec<_> = said
            .conditions
            .iter()
            .filter(|condition| reason(condition))
            .map(|it| it.message.clone())
            .collect();
        (!words.is_empty()).then(|| words.join("; "))
    };
    let object = format!("component/{component}");
    if let Some(mistakes) = of(&|condition| condition.reason == "Invalid" && condition.object == object) {
        return Accepted::Invalid(mistakes);
    }
    if let Some(why) = of(&|condition| condition.object.is_empty() && condition.reason.starts_with("Held")) {
        return Accepted::HeldBack(why);
    }
    if let Some(why) = of(&|condition| condition.reason == "SourceUnreadable") {
        return Accepted::Unknown(why);
    }
    if said.read { Accepted::Yes } else { Accepted::Unknown("the source was not read yet".to_owned()) }
}

/// Hosts that still have a slot of a component that Git does not have any more.
fn still_at(view: &LatticeView, component: &str) -> Vec<String> {
    let has = view.hosts.iter().filter(|(_, entry)| {
        let slots = entry.state.as_ref().filter(|_| !entry.goodbye).map(|state| &state.slots);
        slots.is_some_and(|slots| slots.contains_key(component))
    });
    has.map(|(id, _)| format!("{component}: {id} still runs it")).collect()
}

/// Looks how the newest revision goes, and keeps history and events on disk.
pub(crate) async fn watch(folder: PathBuf, shared: Arc<Shared>) {
    let observed = &shared.observed;
    let (mut events, mut saved) = (observed.events.changes(), None);
    let mut seen: Option<Arc<LatticeView>> = None;
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let view = shared.told.load_full();
        // Also while nothing is under way: conditions have ages.
        if seen.as_ref().is_none_or(|seen| !Arc::ptr_eq(seen, &view)) {
            let (snapshot, now) = (shared.snapshot.borrow().clone(), Instant::now());
            let told = observed.components(&view, &snapshot, now);
            seen = Some(Arc::clone(&view));
            let newest = observed.inner().history.under_way().cloned();
            if let Some(Revision { id, changes, .. }) = newest {
                let progress = observed.progress(&told, &view, &changes, &id);
                observed.inner().history.look(progress, now, shared.counts());
            }
        }
        let revisions: Vec<Revision> = observed.inner().history.revisions().cloned().collect();
        // What grows while a revision is under way is not worth a write each time.
        let outcomes: Vec<_> =
            revisions.iter().map(|revision| (revision.id.clone(), revision.outcome.clone())).collect();
        let now = (*events.borrow_and_update(), outcomes);
        if saved.as_ref() == Some(&now) {
            continue;
        }
        saved = Some(now);
        let kept = observed
            .events
            .newest(KEPT_EVENTS, None)
            .iter()
            .map(|event| events::Event::clone(event))
            .collect();
        let (kept, folder) = (Kept::new(revisions, kept), folder.clone());
        match tokio::task::spawn_blocking(move || kept.save(&folder)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the history cannot be kept; a restart would forget it"),
            Err(error) => tracing::error!(%error, "keeping the history broke"),
        }
    }
}
