//! Hosts on the in-process bus, with real components and real HTTP.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod canary;
mod changes;
mod drain;
mod git;
mod links;
mod observed;
mod protocol;
mod restart;
mod site;
mod streams;
mod told;
mod trace;
