//! Credentials as servers and clients take them: real nats-servers with the configurations that were made, real
//! clients with the users that were made, every right used and every forbidden act tried.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod acts;
mod client;
mod files;
mod forbidden;
mod leaves;
mod linked;
mod raw_leaf;
mod remote;
mod show;
mod topology;
mod world;
