//! Calls between hosts: bus, subjects, frames, presence, promises, nudges, router, streams.

mod bus;
pub mod call;
pub mod memory;
pub mod nats;
pub mod nudge;
pub mod permissions;
pub mod presence;
pub mod promises;
pub mod router;
mod spelling;
pub mod stream;
pub mod subjects;
pub mod trace_context;
pub mod wire;
pub mod witness;

pub use bus::{Bus, BusError, Connection, ConnectionState, Message, Subscription};
pub use call::{
    Answer, CallClient, CallCounters, CallError, CallServer, CallSettings, Candidate, Ending, Incoming,
    Refusal, Reply, Report, Request, Serve, Unanswered,
};
pub use router::{Executed, Place, Safety};
pub use stream::{Body, BodyBroken, BodySender, BodyStream, Piece, StreamCounters};
pub use trace_context::TraceContext;
