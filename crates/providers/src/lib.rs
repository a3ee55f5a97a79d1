//! What links lead to: key-value stores, configuration, logging.

pub mod config;
pub mod keyvalue;
pub mod logging;
