//! The main job, as a user sees it: `dunlin dev` in a process of its own, over real HTTP.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// Measured figures are for whoever reads the test's output.
#![allow(clippy::print_stderr)]

mod across;
mod bad_input;
mod calls;
mod canary;
mod check;
mod check_servers;
mod everyday;
mod failover;
mod faults;
mod git;
mod guests;
mod host;
mod http;
mod keep;
mod ledger;
mod memory;
mod moves;
mod named;
mod observed;
mod order;
mod real;
mod repository;
mod stale;
mod store;
mod streaming;
mod stuck;
mod survive;
mod traffic;
mod trickle;
mod variants;
mod world;
