//! Another component at the end of a link: a slot of this host, else over the lattice.

use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use dunlin_lattice::{Body, Ending, Executed, Request, Safety};
use dunlin_runtime::{Invoke, InvokeContext, InvokeError};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::calls::{Calls, Names};
use crate::directory::Directory;
use crate::host::Shared;
use crate::metrics::CallMeter;
use crate::slots::Way;
use crate::spans;

/// One component's link to another.
pub(super) struct LinkedComponent {
    pub(super) calls: Arc<Calls>,
    pub(super) directory: Arc<ArcSwap<Directory>>,
    pub(super) host: Weak<Shared>,
    pub(super) component: String,
    pub(super) link: String,
    pub(super) target: String,
    pub(super) meter: CallMeter,
    pub(super) timeout: Duration,
}

impl LinkedComponent {
    /// Calls a function of a component that runs in this process.
    async fn here(
        &self,
        host: &Shared,
        way: &Way,
        interface: &str,
        function: &str,
        values: Bytes,
        context: InvokeContext,
    ) -> Result<Bytes, InvokeError> {
        let names = Names {
            component: &self.component,
            link: &self.link,
            target: &self.target,
            function,
            traceparent: context.traceparent.as_deref(),
        };
        let mut underway = self.calls.begin(Some(&self.meter), names).stays_here();
        let (context, span) = spans::invoked(&self.target, function, context);
        let invoking = way.invoke(host, &self.target, (interface, function), values, &context);
        let result = invoking.instrument(span.clone()).await;
        let ending = match &result {
            Ok(_) => Ending::Answered,
            Err(InvokeError::NotExecuted(_)) => Ending::NotExecuted,
            Err(InvokeError::Unknown(_)) => Ending::Unknown,
            Err(InvokeError::Trapped(_)) => Ending::Failed,
        };
        span.record("outcome", ending.word());
        underway.ends(ending);
        result
    }
}

#[async_trait]
impl Invoke for LinkedComponent {
    async fn invoke(
        &self,
        interface: &str,
        function: &str,
        values: Bytes,
        context: &InvokeContext,
    ) -> Result<Bytes, InvokeError> {
        let deadline = context.deadline.min(Instant::now() + self.timeout);
        let context = InvokeContext { deadline, traceparent: context.traceparent.clone() };
        let here = self.host.upgrade().and_then(|host| {
            let slots = host.slots.load();
            let way = Way::into_slot(slots.get(&self.target).filter(|slot| slot.ready)?)?;
            drop(slots);
            Some((host, way))
        });
        if let Some((host, way)) = here {
            return self.here(&host, &way, interface, function, values, context).await;
        }
        let replicas = self.directory.load().component(&self.target).to_vec();
        let request = Request {
            target: self.target.clone(),
            function: format!("{interface}#{function}"),
            from_component: self.component.clone(),
            link: self.link.clone(),
            values,
            body: Body::Empty,
            deadline,
            // What a function does is not known here.
            safety: Safety::Write,
            traceparent: context.traceparent,
        };
        let reply = self.calls.call(&self.meter, &replicas, request).await.map_err(|error| {
            let text = format!("component {:?}: {error}", self.target);
            match error.executed() {
                Executed::No => InvokeError::NotExecuted(text),
                Executed::Unknown => InvokeError::Unknown(text),
                Executed::Yes => InvokeError::Trapped(text),
            }
        })?;
        Ok(reply.values)
    }
}
