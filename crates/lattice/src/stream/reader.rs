//! Turns an inbox into a [`BodyStream`]: hands pieces to whoever reads and grants credit as they are taken.

use std::sync::Arc;

use tracing::Span;

use super::credit::Share;
use super::{BodyBroken, BodyStream, Inbox, Piece, Route, Table, Taken};
use crate::call::frames::{Credit, Kind, Reset};

/// Which body of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Request,
    Answer,
}

impl Direction {
    pub(crate) fn reset(self, reason: String) -> Kind {
        let (request, answer) = (self == Self::Request, self == Self::Answer);
        Kind::Reset(Reset { request, answer, reason })
    }
}

/// The reading end of one body. Dropped before its end, it tells the writer to stop.
pub(crate) struct Reader {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) share: Share,
    pub(crate) table: Arc<Table>,
    pub(crate) route: Route,
    pub(crate) direction: Direction,
    consumed: u64,
    granted: u64,
    over: bool,
    span: Span,
}

impl Reader {
    pub(crate) fn new(
        inbox: Arc<Inbox>,
        share: Share,
        table: Arc<Table>,
        route: Route,
        direction: Direction,
    ) -> Self {
        let span = tracing::debug_span!(
            "stream",
            call = format_args!("{:032x}", route.id),
            ?direction,
            end = "reads"
        );
        tracing::debug!(parent: &span, "opened");
        Self { inbox, share, table, route, direction, consumed: 0, granted: 0, over: false, span }
    }

    /// Lets the writer go on once a quarter of the window is used up. Called with the first read, so that a body
    /// that nobody reads never leaves its host.
    pub(crate) async fn grant(&mut self) {
        let open = self.granted - self.consumed;
        let window = self.share.window();
        if open > window - window / 4 || self.inbox.is_over() {
            return;
        }
        self.granted = self.consumed + window;
        self.inbox.allow(self.granted);
        if self.route.send(Kind::Credit(Credit { up_to: self.granted })).await.is_err() {
            self.inbox.break_off(BodyBroken::ConnectionLost);
        }
    }

    async fn piece(&mut self) -> Option<Result<Piece, BodyBroken>> {
        while !self.over {
            self.grant().await;
            match self.inbox.take() {
                Taken::Data(bytes) => {
                    self.consumed += bytes.len() as u64 + super::FRAME_COST;
                    self.table.counters.receives(bytes.len());
                    return Some(Ok(Piece::Data(bytes)));
                }
                Taken::End(trailers) => {
                    self.close();
                    return trailers.map(|trailers| Ok(Piece::Trailers(trailers)));
                }
                Taken::Broken(reason) => {
                    self.table.counters.breaks(&reason);
                    tracing::debug!(parent: &self.span, %reason, "broken");
                    // A second reset for the same body is ignored at the other end.
                    self.route.send_later(self.direction.reset(reason.to_string()));
                    self.close();
                    return Some(Err(reason));
                }
                Taken::Nothing => {
                    let idle = self.share.limits().idle;
                    if tokio::time::timeout(idle, self.inbox.changed()).await.is_err() {
                        self.inbox.break_off(BodyBroken::Idle(idle));
                    }
                }
            }
        }
        None
    }

    fn close(&mut self) {
        self.over = true;
        self.table.close_inbox(self.route.id);
    }

    pub(crate) fn into_stream(self) -> BodyStream {
        BodyStream::new(futures::stream::unfold(self, |mut reader| async {
            reader.piece().await.map(|piece| (piece, reader))
        }))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !self.over {
            // Also if it broke at this end only: then the writer does not know yet.
            if !self.inbox.has_ended() {
                self.table.counters.goes_unread();
                tracing::debug!(parent: &self.span, "nobody reads it any more");
                self.route.send_later(self.direction.reset("nobody reads it any more".to_owned()));
            }
            self.close();
        }
    }
}
