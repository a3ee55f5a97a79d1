//! Runs components: compile, cache, limits, imports.
//!
//! [`Engine::compile`] makes code of a component, [`Engine::prepare`] binds its imports to what its links lead to,
//! and the [`Workload`] that comes of it serves requests. Nothing here knows of hosts, sites or manifests.
//!
//! What is promised: a component whose imports are not all bound never runs; compilation never runs on the threads
//! that serve; one bad guest hurts only itself, whatever it does.

mod bindings;
mod body;
mod cache;
pub mod capability;
mod compile;
mod counters;
mod engine;
mod error;
mod guest;
pub mod invoke;
mod life;
mod limiter;
mod limits;
mod link;
mod load;
pub mod names;
mod shared;
mod ticker;
pub mod values;
mod worker;
mod workload;

pub use bindings::{Bindings, KeyValueBinding};
pub use body::ResponseBody;
pub use cache::CacheError;
pub use capability::egress::{BadHost, Egress};
pub use compile::{CodeFrom, CompileError, Compiled};
pub use counters::Counts;
pub use engine::{Engine, EngineConfig, EngineError};
pub use error::{BodyError, HandleError};
pub use guest::RequestContext;
pub use invoke::{Invoke, InvokeContext, InvokeError};
pub use limits::Limits;
pub use link::PrepareError;
pub use workload::Workload;
