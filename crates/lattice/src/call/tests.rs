//! Calls from end to end: on the in-process bus on a paused clock, and some of them over NATS as well.

mod harness;
mod honesty;
mod hostile;
mod nats;
mod once;
mod routing;
mod streams;
mod told;
