//! The store in Redis, against a real redis-server, bad networks, and a server that is not one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;
mod conformance;
mod counting;
mod fake;
mod frozen;
mod listing;
mod once;
mod outages;
mod secured;
