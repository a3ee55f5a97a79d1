//! How frames leave: at once, or a little later from places that cannot wait (a drop, a dispatcher).

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::call::frames::{Frame, Kind};
use crate::{BusError, Connection, wire};

/// How many frames may wait to be sent by [`Outgoing::later`]. Beyond, they are dropped: the other end's timeouts
/// do then what a reset would have done sooner.
const LATER: usize = 4096;

type Late = (Arc<str>, Option<Arc<str>>, Bytes);

/// The sending side of one connection.
pub(crate) struct Outgoing {
    pub(crate) connection: Arc<dyn Connection>,
    late: mpsc::Sender<Late>,
}

impl Outgoing {
    /// Starts the task that sends late frames; it ends when the last user is gone.
    pub(crate) fn start(connection: Arc<dyn Connection>) -> Arc<Self> {
        let (late, mut frames) = mpsc::channel::<Late>(LATER);
        let bus = Arc::clone(&connection);
        tokio::spawn(async move {
            while let Some((subject, reply, frame)) = frames.recv().await {
                if let Err(error) = bus.publish(&subject, reply.as_deref(), frame).await {
                    tracing::debug!(%error, %subject, "a frame was not sent");
                }
            }
        });
        Arc::new(Self { connection, late })
    }

    pub(crate) fn later(&self, subject: &Arc<str>, reply: Option<&Arc<str>>, frame: Bytes) {
        if self.late.try_send((Arc::clone(subject), reply.cloned(), frame)).is_err() {
            tracing::debug!(%subject, "too many frames wait to be sent; one was dropped");
        }
    }
}

/// Where the frames of one call go.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) id: u128,
    pub(crate) outgoing: Arc<Outgoing>,
    pub(crate) subject: Arc<str>,
    /// Set by the caller, so that a "no responders" comes back when the callee is gone.
    pub(crate) reply: Option<Arc<str>>,
}

impl Route {
    pub(crate) fn frame(&self, kind: Kind) -> Bytes {
        wire::encode(&Frame::new(self.id, kind))
    }

    pub(crate) async fn send(&self, kind: Kind) -> Result<(), BusError> {
        let frame = self.frame(kind);
        self.outgoing.connection.publish(&self.subject, self.reply.as_deref(), frame).await
    }

    pub(crate) fn send_later(&self, kind: Kind) {
        self.outgoing.later(&self.subject, self.reply.as_ref(), self.frame(kind));
    }
}
