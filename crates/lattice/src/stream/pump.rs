//! Moves a body out: waits for credit, takes a piece, sends it in frames, until the end or until it breaks.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tracing::Instrument as _;

use super::inbox::TRAILERS;
use super::{
    Body, BodyBroken, BodyStream, Direction, FRAME_COST, Outbox, Piece, Route, StreamCounters, Table,
};
use crate::call::frames::{Data, Kind, OVERHEAD};

/// A frame is not worth sending for less than this, if more of the body is there.
const LEAST: u64 = 8 * 1024;

/// A body that is sent at most once if it is a stream, and as often as needed if it is bytes.
pub(crate) enum Slot {
    Empty,
    Whole(Bytes),
    Stream(Mutex<Option<BodyStream>>),
}

impl Slot {
    pub(crate) fn new(body: Body) -> Self {
        match body {
            Body::Empty => Self::Empty,
            Body::Whole(bytes) => Self::Whole(bytes),
            Body::Stream(stream) => Self::Stream(Mutex::new(Some(stream))),
        }
    }

    /// Whether it can be sent from its beginning.
    pub(crate) fn is_intact(&self) -> bool {
        match self {
            Self::Empty | Self::Whole(_) => true,
            Self::Stream(stream) => stream.lock().unwrap_or_else(PoisonError::into_inner).is_some(),
        }
    }

    /// The body as it was given, if nothing of it was taken; from now on nobody else can take a stream.
    pub(crate) fn give_back(&self) -> Option<Body> {
        match self {
            Self::Empty => Some(Body::Empty),
            Self::Whole(bytes) => Some(Body::Whole(bytes.clone())),
            Self::Stream(_) => self.take().map(Body::Stream),
        }
    }

    fn take(&self) -> Option<BodyStream> {
        match self {
            Self::Empty => Some(BodyStream::new(futures::stream::empty())),
            Self::Whole(bytes) => {
                let piece = Ok(Piece::Data(bytes.clone()));
                Some(BodyStream::new(futures::stream::once(std::future::ready(piece))))
            }
            Self::Stream(stream) => stream.lock().unwrap_or_else(PoisonError::into_inner).take(),
        }
    }
}

/// Sends the body. Nothing is taken out of `slot` before the other end has granted credit. The pump ends when the
/// body ends, when either end breaks it, or when nothing moves; the other end is told in each case.
pub(crate) async fn pump(
    slot: Arc<Slot>,
    outbox: Arc<Outbox>,
    table: Arc<Table>,
    route: Route,
    direction: Direction,
) {
    let (id, idle) = (route.id, table.limits().idle);
    let _registered = Registered { table: &table, id };
    let max = route.outgoing.connection.max_payload().saturating_sub(OVERHEAD).max(1);
    let span = tracing::debug_span!("stream", call = format_args!("{id:032x}"), ?direction, end = "writes");
    tracing::debug!(parent: &span, "opened");
    let mut writer = Writer {
        outbox: &outbox,
        route: &route,
        counters: &table.counters,
        idle,
        chunk: table.limits().chunk.min(max),
        sent: 0,
        next: 0,
    };
    if let Err(reason) = writer.run(&slot).instrument(span.clone()).await {
        table.counters.breaks(&reason);
        tracing::debug!(parent: &span, %reason, "broken off");
        route.send_later(direction.reset(reason.to_string()));
    }
}

/// Takes the outbox off the table, also when the pump is aborted.
struct Registered<'a> {
    table: &'a Table,
    id: u128,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.table.close_outbox(self.id);
    }
}

struct Writer<'a> {
    outbox: &'a Outbox,
    route: &'a Route,
    counters: &'a StreamCounters,
    idle: std::time::Duration,
    chunk: usize,
    sent: u64,
    next: u64,
}

impl Writer<'_> {
    async fn run(&mut self, slot: &Slot) -> Result<(), BodyBroken> {
        self.credit(1).await?;
        let Some(mut body) = slot.take() else {
            return Err(BodyBroken::Source("it was sent before".to_owned()));
        };
        loop {
            let piece = tokio::select! {
                piece = tokio::time::timeout(self.idle, body.next()) => piece.map_err(|_| BodyBroken::Idle(self.idle))?,
                broken = self.outbox.broken() => return Err(broken),
            };
            match piece.transpose()? {
                Some(Piece::Data(bytes)) => self.data(bytes).await?,
                Some(Piece::Trailers(trailers)) if trailers.len() > TRAILERS => {
                    return Err(BodyBroken::Source("more than 64 KiB of trailers".to_owned()));
                }
                Some(Piece::Trailers(trailers)) => return self.end(Some(trailers)).await,
                None => return self.end(None).await,
            }
        }
    }

    async fn data(&mut self, mut bytes: Bytes) -> Result<(), BodyBroken> {
        while !bytes.is_empty() {
            let least = LEAST.min(bytes.len() as u64).min(self.chunk as u64);
            let room = self.credit(least).await?;
            let length = bytes.len().min(self.chunk).min(usize::try_from(room).unwrap_or(usize::MAX));
            self.send(bytes.split_to(length), false, None).await?;
        }
        Ok(())
    }

    async fn end(&mut self, trailers: Option<Bytes>) -> Result<(), BodyBroken> {
        self.send(Bytes::new(), true, trailers).await
    }

    /// Waits until at least `least` more bytes may be sent in one frame; returns how many may.
    async fn credit(&self, least: u64) -> Result<u64, BodyBroken> {
        let up_to = self.sent + FRAME_COST + least;
        match tokio::time::timeout(self.idle, self.outbox.allowed(up_to)).await {
            Ok(allowed) => Ok(allowed? - self.sent - FRAME_COST),
            Err(_) => Err(BodyBroken::Idle(self.idle)),
        }
    }

    async fn send(&mut self, bytes: Bytes, end: bool, trailers: Option<Bytes>) -> Result<(), BodyBroken> {
        if !bytes.is_empty() {
            self.sent += bytes.len() as u64 + FRAME_COST;
            self.counters.sends(bytes.len());
        }
        let data = Data { sequence: self.next, bytes, end, trailers };
        self.next += 1;
        self.route.send(Kind::Data(data)).await.map_err(|_| BodyBroken::ConnectionLost)
    }
}
