//! The control loop of one host: hears presence, decides by placement, starts and stops slots.
//!
//! [`Agent::start`] joins four things: a lattice connection (who is there, who promises to stay), what is wanted
//! (from the host's source), a [`Launcher`] that makes slots, and [`dunlin_placement`], which decides. It knows
//! nothing of WebAssembly and HTTP: the host brings both, the simulation neither.

mod agent;
mod core;
mod events;
mod run;
mod slots;
mod state;
mod view;

pub use crate::core::Bugs;
pub use agent::{Agent, AgentConfig, AgentError, AgentHandle};
pub use events::{Batch, Event, Events, What};
pub use slots::{CanaryInSlot, InSlot, Launcher, Slot, SlotTable, StartFailure};
pub use state::{
    CanaryReport, Condition, FailoverReport, HostFacts, HostState, STATE_VERSION, SlotReport, UpdateReport,
};
pub use view::{HostEntry, LatticeView};
