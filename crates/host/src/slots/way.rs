//! The way of a call into a slot: to what serves, or, as often as Git says, to what is on trial beside it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dunlin_agent::InSlot;
use dunlin_placement::canary::takes_turn;
use dunlin_runtime::{HandleError, Invoke as _, InvokeContext, InvokeError, Workload};
use http::Response;

use super::HostSlot;
use crate::host::Shared;

/// Where one call goes. What comes of it is told with [`Way::handled`] where it is a request.
#[derive(Debug)]
pub(crate) struct Way {
    to: Arc<HostSlot>,
    workload: Arc<Workload>,
    /// Set if the call is part of a trial: where it goes if that did not begin with it.
    instead: Option<Arc<HostSlot>>,
}

impl Way {
    /// Into a slot, unless it takes no more calls.
    ///
    /// Nothing is locked or allocated: whose turn it is follows from a counter. While what serves is not ready, what
    /// is on trial gets the calls that nobody else could answer.
    pub(crate) fn into_slot(slot: &InSlot<HostSlot>) -> Option<Self> {
        let canary = slot.canary.as_ref().filter(|canary| canary.ready && canary.slot.has_room());
        let taken = canary.filter(|canary| !slot.ready || takes_turn(canary.slot.turn(), canary.weight));
        if let Some(canary) = taken
            && let Some(workload) = canary.slot.enter().cloned()
        {
            let (to, instead) = (Arc::clone(&canary.slot), Some(Arc::clone(&slot.slot)));
            return Some(Self { to, workload, instead });
        }
        Self::to(&slot.slot)
    }

    fn to(slot: &Arc<HostSlot>) -> Option<Self> {
        let workload = slot.enter().cloned()?;
        Some(Self { to: Arc::clone(slot), workload, instead: None })
    }

    /// What runs at its end.
    pub(crate) fn workload(&self) -> &Workload {
        &self.workload
    }

    /// The longest that a request may take there.
    pub(crate) fn request_timeout(&self) -> Duration {
        self.to.request_timeout()
    }

    /// The way to what serves, for a call that was part of a trial which did not begin with it.
    pub(crate) fn instead(&self) -> Option<Self> {
        Self::to(self.instead.as_ref()?)
    }

    /// Takes in how a request ended.
    pub(crate) fn handled<B>(
        &self,
        shared: &Shared,
        component: &str,
        result: &Result<Response<B>, HandleError>,
    ) {
        let failed = match result {
            Ok(response) => response.status().is_server_error(),
            // It could not even begin: that is a fault of its own, unlike being busy.
            Err(HandleError::Start(_)) => true,
            Err(error) if !error.may_have_executed() => return,
            Err(_) => true,
        };
        self.count(shared, component, failed);
    }

    /// Calls a function there; one that what is on trial did not begin goes to what serves.
    pub(crate) async fn invoke(
        &self,
        shared: &Shared,
        component: &str,
        (interface, function): (&str, &str),
        values: Bytes,
        context: &InvokeContext,
    ) -> Result<Bytes, InvokeError> {
        let result = self.workload.invoke(interface, function, values.clone(), context).await;
        match (&result, self.instead()) {
            (Err(InvokeError::NotExecuted(_)), Some(old)) => {
                old.workload.invoke(interface, function, values, context).await
            }
            (Err(InvokeError::NotExecuted(_)), None) => result,
            _ => {
                self.count(shared, component, result.is_err());
                result
            }
        }
    }

    fn count(&self, shared: &Shared, component: &str, failed: bool) {
        if self.instead.is_some() {
            self.to.count(failed);
            let outcome = if failed { "failed" } else { "answered" };
            shared.metrics.canary_calls.with_label_values(&[component, outcome]).inc();
        }
    }
}
