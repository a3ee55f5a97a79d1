//! What one instance owns on the host's side: its WASI context, its resources, its account.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use http::{HeaderMap, HeaderValue};
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::Instant;
use wasmtime::component::GuestTaskId;
use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use crate::capability::egress;
use crate::capability::stdio::Lines;
use crate::counters::add;
use crate::invoke::InvokeContext;
use crate::life::Life;
use crate::limiter::Limiter;
use crate::shared::Shared;
use crate::ticker::Running;

/// What a request carries besides itself.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// When the client stops waiting for the head of the answer.
    pub deadline: Instant,
    /// W3C `traceparent`, if it has one. Goes along with outbound requests to which the guest gives none.
    pub traceparent: Option<String>,
    /// W3C `tracestate`, if it has one; goes where `traceparent` goes.
    pub tracestate: Option<String>,
}

/// What follows a request into its instance.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) context: RequestContext,
    /// The instance that took it.
    pub(crate) life: OnceLock<Arc<Life>>,
    /// Told when the deadline has passed without an answer.
    pub(crate) expired: Notify,
}

impl Ticket {
    pub(crate) fn new(context: RequestContext) -> Arc<Self> {
        Arc::new(Self { context, life: OnceLock::new(), expired: Notify::new() })
    }
}

/// The data of a store.
pub(crate) struct Guest {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    pub(crate) table: ResourceTable,
    hooks: Hooks,
    pub(crate) limiter: Limiter,
    pub(crate) shared: Arc<Shared>,
    pub(crate) life: Arc<Life>,
    /// The requests this instance was given; at most as many as it may ever get.
    requests: Vec<(GuestTaskId, Arc<Ticket>)>,
    _permit: OwnedSemaphorePermit,
    _running: Running,
}

impl Guest {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        life: &Arc<Life>,
        permit: OwnedSemaphorePermit,
        running: Running,
    ) -> Self {
        add(&shared.counters.instances);
        let limits = &shared.limits;
        // No preopened directory, no environment, no arguments; sockets exist and every address is refused.
        let mut wasi = WasiCtx::builder();
        wasi.stdout(Lines::stdout(&shared.log)).stderr(Lines::stderr(&shared.log));
        wasi.allow_tcp(false).allow_udp(false);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(limits.headers);
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        Self {
            wasi: wasi.build(),
            http,
            table,
            hooks: Hooks { shared: Arc::clone(shared), latest: None },
            limiter: Limiter::new(limits, Arc::clone(&shared.memory)),
            shared: Arc::clone(shared),
            life: Arc::clone(life),
            requests: Vec::with_capacity(1),
            _permit: permit,
            _running: running,
        }
    }

    /// Puts `guest` into a store that holds it to its limits.
    pub(crate) fn into_store(self, engine: &wasmtime::Engine) -> Store<Self> {
        let handles = self.shared.limits.handles;
        let mut store = Store::new(engine, self);
        store.limiter(|guest| &mut guest.limiter);
        store.set_max_component_handles(handles);
        if let Some(tasks) = store.concurrent_resource_table() {
            tasks.set_max_capacity(handles);
        }
        store.epoch_deadline_callback(|store| Ok(Life::tick(&store.data().life)));
        store.set_epoch_deadline(1);
        store
    }

    /// Notes that `task` of this instance works for a request.
    pub(crate) fn begin(&mut self, task: GuestTaskId, ticket: &Arc<Ticket>) {
        if self.requests.is_empty() {
            self.life.begin(ticket.context.deadline);
        } else {
            self.life.share(ticket.context.deadline);
        }
        self.hooks.latest = Some(Arc::clone(ticket));
        self.requests.push((task, Arc::clone(ticket)));
    }

    /// Notes that this instance was made for one call of another component.
    pub(crate) fn invoked(&mut self, context: &InvokeContext) {
        let InvokeContext { deadline, traceparent } = context.clone();
        let ticket = Ticket::new(RequestContext { deadline, traceparent, tracestate: None });
        self.hooks.latest = Some(ticket);
    }

    /// The request that the running code works for; the latest, if that is not known.
    pub(crate) fn request(store: &mut StoreContextMut<'_, Self>) -> RequestContext {
        if store.data().requests.len() > 1 {
            let original = store.async_call_stack().ok().and_then(Iterator::last);
            let known = store.data().requests.iter().find(|(task, _)| Some(*task) == original);
            if let Some((_, ticket)) = known {
                return ticket.context.clone();
            }
        }
        store.data().hooks.latest.as_ref().map_or_else(
            || RequestContext { deadline: store.data().life.kill_at(), traceparent: None, tracestate: None },
            |ticket| ticket.context.clone(),
        )
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.shared.counters.instances.fetch_sub(1, Ordering::Relaxed);
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

/// Where `wasi:http` asks us.
struct Hooks {
    shared: Arc<Shared>,
    latest: Option<Arc<Ticket>>,
}

/// What `wasi:http` waits for after it asked for a request to be sent.
type Sending = Box<dyn Future<Output = Result<egress::Outbound, Error>> + Send>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        mut request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _read: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Sending {
        let shared = Arc::clone(&self.shared);
        let latest = self.latest.clone();
        if let Some(latest) = &latest {
            trace(request.headers_mut(), &latest.context);
        }
        Box::new(async move {
            // Without a link the import is not there at all, so this is not reached.
            let Some(egress) = &shared.egress else { return Err(Error::HttpRequestDenied) };
            let deadline =
                latest.map_or_else(|| Instant::now() + shared.limits.start, |latest| latest.context.deadline);
            let sent = egress::send(egress, request, options, deadline).await;
            if matches!(sent, Err(Error::HttpRequestDenied | Error::DestinationIpProhibited)) {
                add(&shared.counters.egress_denied);
            }
            sent
        })
    }
}

/// Lets a trace go on outside. A guest that names one itself knows better.
fn trace(headers: &mut HeaderMap, context: &RequestContext) {
    let value = |text: &Option<String>| HeaderValue::from_str(text.as_deref()?).ok();
    if headers.contains_key("traceparent") {
        return;
    }
    if let Some(parent) = value(&context.traceparent) {
        headers.insert("traceparent", parent);
        // Without the parent that it belongs to, a state would be worth nothing.
        headers.remove("tracestate");
        if let Some(state) = value(&context.tracestate) {
            headers.insert("tracestate", state);
        }
    }
}
