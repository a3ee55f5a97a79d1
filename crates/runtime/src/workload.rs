//! A component with its imports bound: what serves requests.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt as _, Empty};
use tokio::time::{Instant, timeout_at};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::{ExpirationError, InstantiationError, ProxyHandler, ProxyPre};
use wasmtime_wasi_http::{p2, p3};

use crate::body::{AnyError, Limited, ResponseBody};
use crate::counters::{Counts, add};
use crate::error::HandleError;
use crate::guest::{RequestContext, Ticket};
use crate::life::Fate;
use crate::shared::Shared;
use crate::worker::{StartError, Starter};

/// How long after an answer failed its instance may take to say why.
const REASON: Duration = Duration::from_millis(250);

/// A component that is ready to serve. Cheap to clone; dropped when its last clone and its last request are.
#[derive(Clone)]
pub struct Workload {
    shared: Arc<Shared>,
    handler: ProxyHandler<Starter>,
}

impl Workload {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn new(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        Self { handler: ProxyHandler::new(Starter(Arc::clone(&shared))), shared }
    }

    /// Whether it serves HTTP, and by which version of WASI.
    #[must_use]
    pub fn serves_http(&self) -> Option<&'static str> {
        self.shared.http.as_ref().map(|http| match http {
            ProxyPre::P2(_) => "0.2",
            ProxyPre::P3(_) => "0.3",
        })
    }

    /// Gives `request` to the component, and its answer back as soon as its head is there.
    ///
    /// The head is due by `context.deadline`; for the body see [`crate::Limits::body_idle`]. The request needs an
    /// authority in its URI or a `host` header. Cancelling stops no instance before its deadline.
    ///
    /// # Errors
    ///
    /// See [`HandleError`]. Other requests, and other components, are never the worse for one.
    pub async fn handle<B>(
        &self,
        request: Request<B>,
        context: RequestContext,
    ) -> Result<Response<ResponseBody>, HandleError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<AnyError>,
    {
        let counters = &self.shared.counters;
        add(&counters.requests);
        let result = self.try_handle(request, context).await;
        match &result {
            Ok(_) => add(&counters.answered),
            Err(HandleError::Busy(_)) => add(&counters.busy),
            Err(HandleError::TimedOut) => add(&counters.timed_out),
            Err(_) => {}
        }
        result
    }

    async fn try_handle<B>(
        &self,
        request: Request<B>,
        context: RequestContext,
    ) -> Result<Response<ResponseBody>, HandleError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<AnyError>,
    {
        let limits = &self.shared.limits;
        if self.shared.http.is_none() {
            return Err(HandleError::NotHttp);
        }
        let deadline = context.deadline;
        if Instant::now() >= deadline {
            return Err(HandleError::DeadlinePassed);
        }
        if request.uri().authority().is_none() && !request.headers().contains_key(header::HOST) {
            return Err(HandleError::BadRequest("it names no host".to_owned()));
        }
        // A body that came over the lattice knows its length from the header alone.
        let length = request.body().size_hint().lower().max(announced(request.headers()).unwrap_or(0));
        if length > limits.request_body {
            return Err(HandleError::BodyTooLarge { limit: limits.request_body });
        }
        let Ok(permit) = Arc::clone(&self.shared.requests).try_acquire_owned() else {
            let most = limits.max_concurrency;
            return Err(HandleError::Busy(format!("{most} requests are under way, as many as may be")));
        };
        let request = request.map(|body| Limited::new(body, limits.request_body).boxed_unsync());
        let ticket = Ticket::new(context);
        let answer = timeout_at(deadline, self.handler.handle(Arc::clone(&ticket), request)).await;
        let response = match answer {
            Err(_) => {
                ticket.expired.notify_one();
                return Err(HandleError::TimedOut);
            }
            Ok(Err(error)) => return Err(self.explain(&error, &ticket).await),
            Ok(Ok(response)) => response,
        };
        check_head(&response, limits.headers)?;
        let Some(life) = ticket.life.get().cloned() else {
            return Err(HandleError::BadAnswer("it came from no instance".to_owned()));
        };
        let announced = announced(response.headers());
        Ok(response.map(|body| ResponseBody::new(body, announced, life, Arc::clone(&self.shared), permit)))
    }

    /// Why there is no answer.
    async fn explain(&self, error: &wasmtime::Error, ticket: &Ticket) -> HandleError {
        if let Some(start) = error.downcast_ref::<InstantiationError<Arc<Ticket>>>() {
            return match start.error.downcast_ref::<StartError>() {
                Some(StartError::NoRoom(text)) => HandleError::Busy(text.clone()),
                Some(other) => HandleError::Start(other.to_string()),
                None => HandleError::Start(start.error.to_string()),
            };
        }
        if error.is::<ExpirationError>() {
            return HandleError::TimedOut;
        }
        if let Some(code) = error.downcast_ref::<p2::bindings::http::types::ErrorCode>() {
            return HandleError::Guest(format!("{code:?}"));
        }
        if let Some(code) = error.downcast_ref::<p3::bindings::http::types::ErrorCode>() {
            return HandleError::Guest(format!("{code:?}"));
        }
        let Some(life) = ticket.life.get() else {
            return HandleError::Start(crate::worker::describe(error));
        };
        match life.ends_within(REASON).await {
            Some(Fate::TimedOut) => HandleError::TimedOut,
            Some(Fate::Memory) => HandleError::Memory { limit: self.shared.limits.memory },
            // A link that gave up at the deadline traps the guest in the same moment.
            Some(Fate::Trapped(_)) if Instant::now() >= ticket.context.deadline => HandleError::TimedOut,
            Some(Fate::Trapped(reason)) => HandleError::Trapped(reason.clone()),
            Some(Fate::Done) | None => HandleError::NoAnswer,
        }
    }

    /// Asks `path` of the component, as a readiness check does, and gives the status.
    ///
    /// # Errors
    ///
    /// As [`Workload::handle`]; also when `path` is no path.
    pub async fn probe(&self, path: &str, deadline: Instant) -> Result<StatusCode, HandleError> {
        let request = Request::get(path)
            .header(header::HOST, "localhost")
            .header(header::USER_AGENT, "dunlin-probe")
            .body(Empty::<Bytes>::new())
            .map_err(|error| HandleError::BadRequest(error.to_string()))?;
        let context = RequestContext { deadline, traceparent: None, tracestate: None };
        Ok(self.handle(request, context).await?.status())
    }

    /// Requests under way: begun, and their bodies not yet at an end.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        (self.shared.limits.max_concurrency as usize).saturating_sub(self.shared.requests.available_permits())
    }

    /// Whether it would begin with one more request now.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.shared.requests.available_permits() > 0
    }

    /// What it did so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts { log_dropped: self.shared.log.dropped(), ..self.shared.counters.read() }
    }
}

impl std::fmt::Debug for Workload {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Workload")
            .field("serves_http", &self.serves_http())
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

/// Refuses a head that no server could send on.
fn check_head(response: &Response<WasiBody>, most: usize) -> Result<(), HandleError> {
    if response.status().is_informational() {
        let text = format!("status {} is no final answer", response.status().as_u16());
        return Err(HandleError::BadAnswer(text));
    }
    let size = size_of_headers(response.headers());
    if size > most {
        return Err(HandleError::BadAnswer(format!("its headers take {size} bytes of at most {most}")));
    }
    Ok(())
}

/// The length of a body that its head announces, in bytes.
fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn size_of_headers(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}
