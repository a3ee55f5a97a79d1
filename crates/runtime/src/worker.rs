//! Instances at work: how wasmtime-wasi-http's handler starts them, feeds them and lets them go.
//!
//! As `wasmtime serve` does, an instance of WASI 0.2 serves one request, so that requests share nothing; one of
//! WASI 0.3, whose components are made for it, serves several at once and some more after another.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use dunlin_providers::logging::Level;
use tokio::time::{Sleep, timeout};
use wasmtime::component::GuestTaskId;
use wasmtime::{PoolConcurrencyLimitError, Store, StoreContextMut, Trap};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};

use crate::counters::add;
use crate::guest::{Guest, Ticket};
use crate::life::{Fate, Life};
use crate::shared::Shared;

/// Requests that one instance of WASI 0.3 serves in its life, and at once.
const REUSE: usize = 128;
const AT_ONCE: usize = 16;
/// How long an instance without work is kept.
const IDLE: Duration = Duration::from_secs(5);
/// How long a request waits for an instance that is just ending. Requests are bounded, so this is no queue.
const ENDING: Duration = Duration::from_millis(100);

/// Why no instance was started.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum StartError {
    /// As many are alive as may be.
    #[error("{0}")]
    NoRoom(String),
    /// It did not come up in time.
    #[error("it did not start within {0:?}")]
    TooSlow(Duration),
    /// Not enough memory to begin with.
    #[error("it needs more memory to start than its limit of {0} bytes")]
    Memory(u64),
    /// It trapped.
    #[error("{0}")]
    Trapped(String),
}

/// Starts instances.
pub(crate) struct Starter(pub(crate) Arc<Shared>);

impl HandlerState for Starter {
    type StoreData = Guest;
    type WorkerExpiration = Expiry;
    type WorkerState = Work;

    async fn instantiate(&self) -> wasmtime::Result<Instance<Guest, Expiry, Work>> {
        let shared = &self.0;
        let Some(pre) = &shared.http else {
            return Err(StartError::Trapped("it does not serve HTTP".to_owned()).into());
        };
        let (mut store, life) = new_store(shared).await?;
        let proxy =
            start(shared, &life, &mut store, async |store| pre.instantiate_async(store).await).await?;
        let at_once = match pre {
            ProxyPre::P2(_) => 1,
            ProxyPre::P3(_) => AT_ONCE,
        };
        let reuse = if at_once == 1 { 1 } else { REUSE };
        Ok(Instance {
            store,
            proxy,
            view: Guest::http,
            expiration: Expiry {
                sleep: Box::pin(tokio::time::sleep_until(life.kill_at())),
                life: Arc::clone(&life),
            },
            state: Work { life, reuse, at_once },
        })
    }
}

/// A store for one more instance, if there may be one.
pub(crate) async fn new_store(shared: &Arc<Shared>) -> Result<(Store<Guest>, Arc<Life>), StartError> {
    let permit = match Arc::clone(&shared.instances).try_acquire_owned() {
        Ok(permit) => permit,
        Err(_) => match timeout(ENDING, Arc::clone(&shared.instances).acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            _ => {
                let text =
                    format!("{} instances are alive, as many as may be", shared.limits.max_concurrency);
                return Err(StartError::NoRoom(text));
            }
        },
    };
    let life = Life::new(shared.limits.start, &shared.seats);
    let guest = Guest::new(shared, &life, permit, shared.engine.running());
    Ok((guest.into_store(shared.engine.wasmtime()), life))
}

/// Runs `instantiate` on `store`, within the time a start may take, and says plainly why if it fails.
pub(crate) async fn start<T>(
    shared: &Arc<Shared>,
    life: &Arc<Life>,
    store: &mut Store<Guest>,
    instantiate: impl AsyncFnOnce(&mut Store<Guest>) -> wasmtime::Result<T>,
) -> Result<T, StartError> {
    let started = timeout(shared.limits.start, instantiate(store)).await;
    life.stand_up();
    let error = match started {
        Ok(Ok(started)) => {
            add(&shared.counters.started);
            return Ok(started);
        }
        Ok(Err(_)) if life.is_overdue() => StartError::TooSlow(shared.limits.start),
        Err(_) => StartError::TooSlow(shared.limits.start),
        Ok(Err(error)) if error.is::<PoolConcurrencyLimitError>() => {
            StartError::NoRoom("the host has no room for one more instance".to_owned())
        }
        Ok(Err(_)) if store.data().limiter.refused() => StartError::Memory(shared.limits.memory),
        Ok(Err(error)) => StartError::Trapped(describe(&error)),
    };
    Err(error)
}

/// What one instance still takes on.
pub(crate) struct Work {
    life: Arc<Life>,
    reuse: usize,
    at_once: usize,
}

impl WorkerState for Work {
    type StoreData = Guest;
    type RequestData = Arc<Ticket>;

    fn should_accept_request(&self, at_once: usize, total: usize) -> ShouldAccept {
        if total >= self.reuse {
            ShouldAccept::Never
        } else if at_once >= self.at_once {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        mut store: StoreContextMut<'_, Guest>,
        ticket: Arc<Ticket>,
        task: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + 'static + Send + Sync>> {
        let _ = ticket.life.set(Arc::clone(&self.life));
        store.data_mut().begin(task, &ticket);
        if self.reuse == 1 {
            return Box::pin(std::future::pending());
        }
        // Keeps an instance with a request that got no answer from taking more; `Expiry` stops it.
        Box::pin(async move { ticket.expired.notified().await })
    }

    fn drop(&self, store: Store<Guest>, result: wasmtime::Result<()>) {
        finish(&store, &self.life, result);
    }
}

/// Tells how an instance ended. Its bodies break off when the store goes, so they must know before.
pub(crate) fn finish(store: &Store<Guest>, life: &Life, result: wasmtime::Result<()>) {
    let shared = &store.data().shared;
    let fate = match result {
        Ok(()) => Fate::Done,
        Err(_) if life.is_overdue() => Fate::TimedOut,
        Err(_) if store.data().limiter.refused() => Fate::Memory,
        Err(error) => Fate::Trapped(describe(&error)),
    };
    match &fate {
        Fate::Done | Fate::TimedOut => {}
        Fate::Memory => {
            add(&shared.counters.out_of_memory);
            let text = format!("out of memory: the limit is {} bytes", shared.limits.memory);
            shared.log.log(Level::Error, "dunlin", &text);
        }
        Fate::Trapped(reason) => {
            add(&shared.counters.trapped);
            shared.log.log(Level::Error, "dunlin", &format!("trapped: {reason}"));
        }
    }
    life.end(fate);
}

/// An error of an instance in one line.
pub(crate) fn describe(error: &wasmtime::Error) -> String {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return format!("it exited with status {}", exit.0);
    }
    let text = match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    let line = text.trim().lines().next().unwrap_or("no reason given");
    line[..line.floor_char_boundary(300)].to_owned()
}

/// Stops an instance whose time is over.
pub(crate) struct Expiry {
    life: Arc<Life>,
    sleep: Pin<Box<Sleep>>,
}

impl WorkerExpiration for Expiry {
    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        status: WorkerStatus,
        since: std::time::Instant,
    ) -> Poll<()> {
        // It is polled whenever the instance waits for something.
        self.life.stand_up();
        self.life.watch(context.waker());
        loop {
            let until = match status {
                WorkerStatus::Idle => tokio::time::Instant::from_std(since + IDLE),
                WorkerStatus::Requests | WorkerStatus::PostReturn => self.life.kill_at(),
            };
            // Moved later only when it rings: a timer is dear, and nearly every request grants more time.
            if self.sleep.deadline() > until {
                self.sleep.as_mut().reset(until);
            }
            if self.sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if tokio::time::Instant::now() >= until {
                if status != WorkerStatus::Idle {
                    self.life.overdue();
                }
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(until);
        }
    }
}
