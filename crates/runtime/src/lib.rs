//! Runs components: compile, cache, limits, imports.
