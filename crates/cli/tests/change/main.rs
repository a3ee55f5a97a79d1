//! The commands that change Git, with a real `git` in repositories of their own.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod completion;
mod differing;
mod moving;
mod pin;
mod promote;
mod pushing;
mod refusals;
mod reviews;
mod rollback;
mod running;
mod workbench;
