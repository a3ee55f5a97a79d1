//! The programs that real parts are made of, and how to get those that are missing.

use std::path::PathBuf;

/// nats-server, if it is there: the one that `DUNLIN_NATS_SERVER` names, or the path's.
pub(crate) fn nats_server() -> Option<PathBuf> {
    named("DUNLIN_NATS_SERVER").or_else(|| on_path("nats-server"))
}

/// redis-server, if it is there: the one that `DUNLIN_REDIS_SERVER` names, or the path's.
pub(crate) fn redis_server() -> Option<PathBuf> {
    named("DUNLIN_REDIS_SERVER").or_else(|| on_path("redis-server"))
}

/// What to do where there is no nats-server.
pub(crate) const GET_NATS: &str = "nats-server is not on the path: install it (`go install github.com/nats-io/nats-server/v2@latest`, \
     or your distribution's package), name it with DUNLIN_NATS_SERVER, or leave --real out";

fn named(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|name| !name.is_empty()).map(PathBuf::from)
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
