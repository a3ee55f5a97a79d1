//! Calls from end to end on the in-process bus, on a paused clock.

mod harness;
mod honesty;
mod hostile;
mod once;
mod routing;
mod streams;
mod told;
