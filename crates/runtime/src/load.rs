//! The one place of this repository that is allowed `unsafe`: turning compiled code back into a component.

use wasmtime::component::Component;

/// Loads code that this program compiled earlier.
///
/// # Errors
///
/// The bytes are of another version of wasmtime or of another configuration, or no code at all.
///
/// The caller must have authenticated `code`: see the comment inside. [`crate::cache`] is the only caller.
#[allow(unsafe_code)]
pub(crate) fn load(engine: &wasmtime::Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize` is sound for bytes that `Component::serialize` made and nobody changed. The cache calls
    // this only with bytes whose HMAC-SHA256, made with a key that only this user can read and that never left this
    // machine, was checked over this very buffer; so they are what this program wrote, whole and unchanged. They
    // are read into memory first and loaded from there, so the file cannot change between check and use. wasmtime
    // itself refuses code of another version or configuration.
    unsafe { Component::deserialize(engine, code) }
}
