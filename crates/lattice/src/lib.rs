//! Calls between hosts: bus, subjects, frames, presence, promises, router, streams.

mod bus;

pub use bus::{Bus, BusError, Connection, ConnectionState, Message, Subscription};
