//! Which host gets a call, and what happens when it did not answer well: values in, values out.
//!
//! Everything here is free of sockets and clocks: times come in as arguments, chance as a closure. [`Peers`] is
//! the small state beside it (latencies, calls in flight, ejections), shared by all calls of a process.

mod budget;
mod decide;
mod order;
mod peers;
mod standing;

pub use budget::{Budget, BudgetSettings};
pub use decide::{Chances, Decision, Executed, Outcome, Safety, decide};
pub use order::{Place, Standing, UNSEEN, order};
pub use peers::{InFlight, Peers};
pub use standing::{Ejection, EjectionSettings, Latency};
