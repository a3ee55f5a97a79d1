//! The process that runs components and opens providers: config, build, run, drain.
//!
//! [`Host::start`] joins the parts: the source says what is wanted, the agent decides what runs here, the runtime runs
//! it, the lattice reaches what is elsewhere. Nothing here decides placement or speaks a wire format of its own
//! beyond what calls carry.

mod admin;
mod bus;
mod calls;
mod config;
mod desired;
mod directory;
mod error;
pub mod events;
mod follow;
mod former;
pub mod history;
mod host;
pub mod images;
mod ingress;
mod link;
mod links;
mod metrics;
mod observe;
mod readiness;
mod remember;
mod serve;
pub mod server;
mod slots;
mod source;
mod spans;
pub mod status;
mod stores;
mod trials;
mod wake;
pub mod watch;
pub mod why;
mod wire;

pub use config::HostConfig;
pub use dunlin_runtime::{Engine, EngineConfig, EngineError};
pub use error::HostError;
pub use host::Host;
pub use metrics::Metrics;
pub use source::SourceChoice;
