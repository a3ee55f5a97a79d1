//! A todo application in one WebAssembly component: a page, and the API that the page uses.
//!
//! The application is a function from a request and a store to an answer ([`app::respond`]); it knows nothing of
//! WebAssembly and is tested without. What the host of the component offers (HTTP, a key-value store, a log) is
//! joined to it in `component`, the only module with generated code.

pub mod app;
pub mod http;
pub mod page;
pub mod routes;
pub mod store;
pub mod todo;
pub mod url;

#[cfg(target_arch = "wasm32")]
mod component;
