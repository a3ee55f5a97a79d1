//! The shell around the core: hears, carries out, publishes. Decides nothing.

mod inner;
mod story;
mod work;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use dunlin_lattice::Connection;
use dunlin_lattice::presence::{Presence, PresenceConfig};
use dunlin_lattice::promises::{Ask, Promises, Promising};
use dunlin_lattice::subjects::Subjects;
use dunlin_placement::{Desired, RANK_VERSION};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior, sleep_until};

use crate::agent::{AgentConfig, AgentHandle};
use crate::core::{Core, Settings, World};
use crate::events::Events;
use crate::slots::{Launcher, SlotTable};
use crate::state::HostFacts;
use crate::view::LatticeView;
use inner::Inner;
use work::{Event, Work};

/// Ages cross their limits without anything else happening: the core looks at least this often.
const TICK: Duration = Duration::from_millis(250);

/// What others show is looked at no more often than this for each host that is known: of hundreds one changes all the
/// time, and each look is at all of them.
const REST: Duration = Duration::from_micros(200);

/// A wish to drain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drain {
    /// How long others are waited for.
    pub(crate) grace: Duration,
}

/// What the loop and the answering of promises share.
#[derive(Debug)]
struct Shared<S> {
    presence: Arc<Presence>,
    inner: Mutex<Inner<S>>,
    wake: Arc<Notify>,
}

impl<S> Shared<S> {
    fn inner(&self) -> MutexGuard<'_, Inner<S>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: crate::slots::Slot> Promising for Shared<S> {
    fn will_you_stay(&self, ask: &Ask) -> bool {
        self.inner().with_world(&self.presence, |core: &mut Core, world: &World<'_>| {
            core.will_you_stay(world, &ask.component, &ask.from, ask.id)
        })
    }

    fn done(&self, ask: &Ask) {
        self.inner().core.release(&ask.component, &ask.from, ask.id);
        self.wake.notify_one();
    }
}

/// The inputs of the loop.
struct Inputs {
    desired: watch::Receiver<Option<Desired>>,
    facts: watch::Receiver<HostFacts>,
    drain: watch::Receiver<Option<Drain>>,
}

pub(crate) fn start<L: Launcher>(
    config: AgentConfig,
    launcher: Arc<L>,
    connection: Arc<dyn Connection>,
    subjects: Subjects,
    desired: watch::Receiver<Option<Desired>>,
    facts: watch::Receiver<HostFacts>,
) -> AgentHandle<L::Slot> {
    let me = config.id.clone();
    let presence = Arc::new(Presence::start(
        Arc::clone(&connection),
        PresenceConfig {
            subjects: subjects.clone(),
            me: me.clone(),
            incarnation: None,
            seed: config.seed,
            rank: RANK_VERSION,
        },
    ));
    let settings = Settings {
        me: me.clone(),
        incarnation: presence.incarnation(),
        labels: Arc::new(config.labels),
        memory_capacity: config.memory_capacity,
        weight: config.weight,
        ran: config.ran.clone(),
        aborted: config.aborted,
        start_limit: config.start_limit,
        bugs: config.bugs,
    };
    let core = Core::new(settings, config.last_good, Instant::now());
    let shared = Arc::new(Shared {
        presence: Arc::clone(&presence),
        inner: Mutex::new(Inner::new(core)),
        wake: Arc::new(Notify::new()),
    });
    let promising: Arc<dyn Promising> = Arc::clone(&shared) as _;
    let promises = Promises::start(connection, subjects, me.clone(), promising);

    let slots = Arc::new(ArcSwap::from_pointee(SlotTable::new(Default::default())));
    let view = Arc::new(ArcSwap::from_pointee(LatticeView { me, deaf: false, hosts: Default::default() }));
    let (ran_sender, ran) = watch::channel(config.ran);
    let (drain, drain_receiver) = watch::channel(None);
    let (drained_sender, drained) = watch::channel(false);
    let events = Events::new();
    let work = Work {
        launcher,
        promises: Arc::new(promises),
        shared,
        tasks: Default::default(),
        starts: Default::default(),
        preparing: None,
        retiring: 0,
        slots: Arc::clone(&slots),
        view: Arc::clone(&view),
        ran: ran_sender,
        published: None,
        story: Default::default(),
        events: events.clone(),
        start_limit: config.start_limit,
    };
    let inputs = Inputs { desired, facts, drain: drain_receiver };
    let task = tokio::spawn(run(work, inputs, drained_sender));
    AgentHandle { slots, view, ran, drain, drained, presence, events, task }
}

async fn run<L: Launcher>(mut work: Work<L>, mut inputs: Inputs, drained: watch::Sender<bool>) {
    let wake = Arc::clone(&work.shared.wake);
    let mut changes = work.shared.presence.changes();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    inputs.desired.mark_changed();
    let mut rested = Instant::now();
    loop {
        // A sender that is gone leaves its last value in force.
        tokio::select! {
            biased;
            Some(ended) = work.tasks.join_next_with_id(), if !work.tasks.is_empty() => {
                let event = work.event_of(ended);
                work.handle(event);
            }
            Ok(()) = inputs.desired.changed() => {
                let desired = inputs.desired.borrow_and_update().clone();
                if let Some(desired) = desired {
                    work.shared.inner().core.source_read(desired);
                }
            }
            Ok(()) = inputs.drain.changed() => {
                let wish = *inputs.drain.borrow_and_update();
                if let Some(Drain { grace }) = wish {
                    work.shared.inner().core.drain(grace, Instant::now());
                }
            }
            Ok(()) = inputs.facts.changed() => {}
            () = next_change(&mut changes, rested) => {}
            () = wake.notified() => {}
            _ = tick.tick() => {}
        }
        // Everything that has ended by now counts in the same step.
        while let Some(ended) = work.tasks.try_join_next_with_id() {
            let event = work.event_of(ended);
            work.handle(event);
        }
        work.step(&inputs.facts.borrow_and_update().clone());
        let known = u32::try_from(work.view.load().hosts.len()).unwrap_or(u32::MAX);
        rested = Instant::now() + REST.saturating_mul(known).min(TICK);
        if work.is_drained() {
            break;
        }
    }
    work.shared.presence.goodbye().await;
    drained.send_replace(true);
}

/// Until others show something new, and not before `rested`. Nothing is lost if something else comes first: every step
/// sees all that there is.
async fn next_change(changes: &mut watch::Receiver<u64>, rested: Instant) {
    if changes.changed().await.is_err() {
        // A sender that is gone changes nothing any more.
        std::future::pending::<()>().await;
    }
    sleep_until(rested).await;
}

impl<L: Launcher> Work<L> {
    fn handle(&mut self, event: Option<Event<L::Slot>>) {
        if let Some(event) = event {
            self.take_in(event);
        }
    }
}
