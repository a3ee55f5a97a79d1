//! Calls between components: what a link to another component leads to, and how one is called.

pub(crate) mod callee;
pub(crate) mod caller;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

/// A component that can be called, here or elsewhere.
#[async_trait]
pub trait Invoke: Send + Sync + 'static {
    /// Calls `function` of `interface` with the values of its parameters, and gives those of its results.
    ///
    /// `interface` is the name that the caller imports, with its version: `example:greeter/greet@0.1.0`.
    ///
    /// Values are written one after the other in the component model's value encoding; see [`crate::values`].
    ///
    /// # Errors
    ///
    /// See [`InvokeError`]; the guest that called traps on any of them, since its interface has no place for them.
    async fn invoke(
        &self,
        interface: &str,
        function: &str,
        values: Bytes,
        context: &InvokeContext,
    ) -> Result<Bytes, InvokeError>;
}

/// What a call carries besides its values.
#[derive(Debug, Clone)]
pub struct InvokeContext {
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// W3C `traceparent` of the request that caused this, if it has one.
    pub traceparent: Option<String>,
}

/// Why a call gave no results.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// Nothing was executed.
    #[error("not executed: {0}")]
    NotExecuted(String),
    /// It may or may not have been executed.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// It was executed and the callee trapped.
    #[error("the callee trapped: {0}")]
    Trapped(String),
}
