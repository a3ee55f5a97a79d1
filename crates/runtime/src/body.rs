//! Bodies on their way in and out: bounded, and broken visibly when the instance behind them breaks.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::counters::add;
use crate::error::BodyError;
use crate::life::{Fate, Life};
use crate::shared::Shared;

/// What can go wrong in somebody's request body.
pub(crate) type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// A request body that fails in the guest beyond its limit.
pub(crate) struct Limited<B> {
    body: B,
    left: u64,
    limit: u64,
}

impl<B> Limited<B> {
    pub(crate) fn new(body: B, limit: u64) -> Self {
        Self { body, left: limit, limit }
    }
}

impl<B> Body for Limited<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<AnyError>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => {
                let error: AnyError = error.into();
                tracing::debug!(%error, "a request body broke off");
                return Poll::Ready(Some(Err(Error::ConnectionTerminated)));
            }
            Some(Ok(frame)) => frame,
        };
        let length = frame.data_ref().map_or(0, |data| data.remaining() as u64);
        match self.left.checked_sub(length) {
            Some(left) => self.left = left,
            None => return Poll::Ready(Some(Err(Error::HttpRequestBodySize(Some(self.limit))))),
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a component's answer. While it lives, its request counts as under way.
pub struct ResponseBody {
    body: WasiBody,
    life: Arc<Life>,
    shared: Arc<Shared>,
    permit: Option<OwnedSemaphorePermit>,
    /// What is left of the length that its head announced, in bytes. The guest's body itself does not know.
    announced: Option<u64>,
}

impl ResponseBody {
    pub(crate) fn new(
        body: WasiBody,
        announced: Option<u64>,
        life: Arc<Life>,
        shared: Arc<Shared>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let body = Self { body, life, shared, permit: Some(permit), announced };
        body.moved();
        body
    }

    /// It moved, so its instance may live on for a while.
    fn moved(&self) {
        if let Some(until) = Instant::now().checked_add(self.shared.limits.body_idle) {
            self.life.moved(until);
        }
    }

    fn broken(&mut self, error: BodyError) -> BodyError {
        self.permit = None;
        add(&self.shared.counters.broken_bodies);
        error
    }

    /// Why the body of a dead instance is not whole.
    fn death(&self) -> Option<BodyError> {
        match self.life.fate()? {
            Fate::Done => None,
            Fate::TimedOut => Some(BodyError::Stalled),
            Fate::Memory => Some(BodyError::Trapped("it ran out of memory".to_owned())),
            Fate::Trapped(reason) => Some(BodyError::Trapped(reason.clone())),
        }
    }
}

impl std::fmt::Debug for ResponseBody {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ResponseBody").field("life", &self.life).finish_non_exhaustive()
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => {
                self.moved();
                let length = frame.data_ref().map_or(0, |data| data.remaining() as u64);
                self.announced = self.announced.map(|announced| announced.saturating_sub(length));
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                let error = self.death().unwrap_or_else(|| BodyError::Broken(error.to_string()));
                Poll::Ready(Some(Err(self.broken(error))))
            }
            // wasmtime-wasi-http lets the body of an instance that died end as if it were whole.
            None => match self.death() {
                Some(error) if self.permit.is_some() => Poll::Ready(Some(Err(self.broken(error)))),
                _ => {
                    self.permit = None;
                    Poll::Ready(None)
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && self.death().is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        if let (None, Some(announced)) = (hint.upper(), self.announced) {
            // It need not all come: the answer to HEAD announces what there would be.
            hint.set_upper(announced.max(hint.lower()));
        }
        hint
    }
}
