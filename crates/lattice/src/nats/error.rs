//! Why there can be no bus at all, or why it could not be asked.

use std::path::PathBuf;

/// What is wrong with the settings of the bus, or with the bus when it was asked something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NatsError {
    /// The settings name no server.
    #[error("no server is named: give at least one, such as nats://127.0.0.1:4222")]
    NoServer,
    /// A server's URL is not one.
    #[error("{url} is no server's URL: {reason}")]
    BadServer {
        /// The URL without its secrets.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be read.
    #[error("cannot read {path}: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// In the words of the system.
        reason: String,
    },
    /// A file should hold a user's JWT and the seed of its key.
    #[error("{path} is no credentials file: {reason}")]
    BadCredentials {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file should hold certificates.
    #[error("{path} cannot be an authority: {reason}")]
    BadAuthority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No server could be connected to.
    #[error("cannot connect to the bus: {0}")]
    Unreachable(String),
    /// The server did not say what it thinks of a subject.
    #[error("the bus did not say within {0:?} what is allowed")]
    Silent(std::time::Duration),
}
