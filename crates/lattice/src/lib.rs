//! Calls between hosts: bus, subjects, frames, presence, promises, router, streams.

mod bus;
pub mod memory;
pub mod presence;
pub mod promises;
pub mod subjects;
pub mod wire;

pub use bus::{Bus, BusError, Connection, ConnectionState, Message, Subscription};
