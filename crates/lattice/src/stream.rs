//! Bodies too large for one message, or of unknown length: numbered frames over credit.
//!
//! The reader says how far the writer may write, in bytes from the beginning; so a slow reader stops the writer,
//! and what waits in memory is bounded per stream and per connection. A gap, a lost connection, silence, or a
//! reset from the other end breaks the stream: both ends free it, and the reader sees an error, never a short body.

mod body;
mod counters;
mod credit;
mod inbox;
mod outbox;
mod outgoing;
mod pump;
mod reader;
mod table;

pub use body::{Body, BodyBroken, BodySender, BodyStream, Piece};
pub use counters::StreamCounters;
pub(crate) use counters::Underway;
pub use credit::StreamLimits;
pub(crate) use credit::{FRAME_COST, Pool};
pub(crate) use inbox::{Inbox, Taken};
pub(crate) use outbox::Outbox;
pub(crate) use outgoing::{Outgoing, Route};
pub(crate) use pump::{Slot, pump};
pub(crate) use reader::{Direction, Reader};
pub(crate) use table::{Delivered, Table};
