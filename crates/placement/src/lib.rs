//! Pure: who is wanted where, and what may leave.
//!
//! Every host calls these functions with what it knows and comes to its own conclusion; there is no scheduler
//! to ask. Nothing here reads a clock, a socket or a file: ages come in as [`std::time::Duration`]s, and the
//! order of the input never matters. Two rules carry the rest:
//!
//! - *Starting* follows presence, which may be wrong: at worst a component runs once too often ([`wanted`]).
//! - *Stopping* follows answered promises only: a replica leaves when as many others as are asked in total have
//!   said that they stay ([`total_asked`], [`may_promise`], [`enough_promises`]).
//!
//! Failover is of the first kind: it adds starts in other sites ([`with_stand_ins`]) and ends nothing.

pub mod canary;
mod demand;
mod failover;
mod leave;
mod rank;
mod start;
mod view;
mod wanted;

pub use demand::{Before, Demand, Desired, Failover, Replicas, SiteDemand, Update};
pub use failover::{
    cut_off, home_ready, is_over, is_told, lost_for, lost_homes, prepares, stand_in, with_stand_ins,
};
pub use leave::{
    ASK_VALID, Asker, DELETED_IDLE, DELETED_LIMIT, KNOWN, PROMISE_BINDS, Responder, Yes, deleted_may_leave,
    enough_promises, may_promise, others_possible, promises_needed, total_asked,
};
pub use rank::{RANK_VERSION, before, order, score};
pub use start::{
    Hearing, RESTART_WAIT, RETRY_FIRST, RETRY_LONGEST, Standing, may_start, retry_after, standing,
};
pub use view::{Failure, HostView, SlotState, SlotView};
pub use wanted::{CANDIDATE, OVERDUE, Shortage, Wanted, fits, wanted};
