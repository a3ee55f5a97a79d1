//! Real servers and bad networks for tests and benchmarks; nothing of it is part of what users run.
//!
//! Everything here panics when it cannot do what was asked: a test that cannot start its server has failed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod git_repository;
mod git_server;
mod nats;
mod process;
mod proxy;
mod redis;
mod registry;
mod wait;

pub use git_repository::GitRepository;
pub use git_server::{GitServer, Mood};
pub use nats::{NatsServer, nats_server};
pub use process::{Process, free_port};
pub use proxy::Proxy;
pub use redis::{RedisServer, redis_server};
pub use registry::{Registry, registry_server};
pub use wait::{eventually, eventually_async};
