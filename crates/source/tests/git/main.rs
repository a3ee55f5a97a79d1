//! The Git source over real repositories: a path, HTTP by `git http-backend`, and `ssh` by a stand-in for it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod broken;
mod clone;
mod common;
mod files;
mod follow;
mod http;
mod nudge;
mod order;
mod quick;
mod ssh;
