//! The main job, as a user sees it: `dunlin dev` in a process of its own, over real HTTP.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod check;
mod check_servers;
mod everyday;
mod faults;
mod http;
mod moves;
mod real;
mod traffic;
mod world;
