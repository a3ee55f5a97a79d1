//! What links lead to: key-value stores and logs.

pub mod keyvalue;
pub mod logging;
