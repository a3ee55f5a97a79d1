//! Tables of the core: time is a number here.
