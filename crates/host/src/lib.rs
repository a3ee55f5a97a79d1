//! The process that runs components and opens providers.
