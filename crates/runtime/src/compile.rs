//! From bytes to code: what is a component that can be of use, and what it imports and exports.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::names::{InterfaceName, is_http_handler_0_2, is_http_handler_0_3};

/// First bytes of any WebAssembly.
const MAGIC: &[u8] = b"\0asm";
/// What follows in a component and in a core module.
const COMPONENT: [u8; 4] = [0x0d, 0, 1, 0];
const CORE_MODULE: [u8; 4] = [1, 0, 0, 0];

/// Why bytes cannot be run.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum CompileError {
    /// Something else altogether.
    #[error("this is not WebAssembly: it is {found}")]
    NotWebAssembly {
        /// What it looks like.
        found: &'static str,
    },
    /// WebAssembly, but not a component.
    #[error(
        "this is a core WebAssembly module, not a component: build it for the target wasm32-wasip2, or make a component of it with `wasm-tools component new`"
    )]
    CoreModule,
    /// A component that nobody can call.
    #[error(
        "this component exports nothing usable: it exports {}, and needs wasi:http/incoming-handler 0.2.x, wasi:http/handler 0.3.x, or an interface of its own",
        listed(.exports)
    )]
    NothingUsable {
        /// What it exports.
        exports: Vec<String>,
    },
    /// More bytes than allowed.
    #[error("this component has {size} bytes; at most {limit} are allowed")]
    TooLarge {
        /// Its bytes.
        size: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// WebAssembly that does not hold together, or uses what this host does not support.
    #[error("this component is not valid: {0}")]
    Invalid(String),
    /// The compiler itself failed.
    #[error("the compiler failed: {0}")]
    Failed(String),
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "nothing at all".to_owned() } else { names.join(", ") }
}

/// Where compiled code came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeFrom {
    /// It was compiled now.
    Compiler,
    /// It was on disk.
    Cache,
    /// It was in use already.
    Memory,
}

/// A component, compiled.
pub struct Compiled {
    component: Component,
    digest: String,
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Compiled {
    /// `component` as it is, if it is of any use.
    pub(crate) fn new(component: Component, digest: String) -> Result<Self, CompileError> {
        let engine = component.engine().clone();
        let ty = component.component_type();
        let imports = ty.imports(&engine).map(|(name, _)| name.to_owned()).collect();
        let mut exports = Vec::new();
        let mut usable = false;
        for (name, export) in ty.exports(&engine) {
            exports.push(name.to_owned());
            let callable = matches!(export.ty, ComponentItem::ComponentInstance(_));
            let package = InterfaceName::parse(name).package;
            usable |= callable
                && (is_http_handler_0_2(name)
                    || is_http_handler_0_3(name)
                    || !(package.is_empty() || package.starts_with("wasi:")));
        }
        if !usable {
            return Err(CompileError::NothingUsable { exports });
        }
        Ok(Self { component, digest, imports, exports })
    }

    /// `sha256:` and the digest of the component's bytes.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Names of what it imports, such as `wasi:keyvalue/store@0.2.0-draft2`.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// Names of what it exports.
    #[must_use]
    pub fn exports(&self) -> &[String] {
        &self.exports
    }

    /// Whether it serves HTTP.
    #[must_use]
    pub fn serves_http(&self) -> bool {
        self.exports.iter().any(|name| is_http_handler_0_2(name) || is_http_handler_0_3(name))
    }

    pub(crate) fn component(&self) -> &Component {
        &self.component
    }
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Compiled")
            .field("digest", &self.digest)
            .field("imports", &self.imports)
            .field("exports", &self.exports)
            .finish_non_exhaustive()
    }
}

/// Whether `bytes` can be a component at all.
pub(crate) fn check_kind(bytes: &[u8], limit: u64) -> Result<(), CompileError> {
    let size = bytes.len() as u64;
    if size > limit {
        return Err(CompileError::TooLarge { size, limit });
    }
    if !bytes.starts_with(MAGIC) {
        return Err(CompileError::NotWebAssembly { found: looks_like(bytes) });
    }
    match bytes.get(4..8) {
        Some(kind) if kind == COMPONENT => Ok(()),
        Some(kind) if kind == CORE_MODULE => Err(CompileError::CoreModule),
        Some(_) => Err(CompileError::Invalid("it is of a version that is not known".to_owned())),
        None => Err(CompileError::Invalid("it ends after a few bytes".to_owned())),
    }
}

fn looks_like(bytes: &[u8]) -> &'static str {
    let text = bytes.trim_ascii_start();
    match text {
        [] => "empty",
        [b'(', ..] => "text, perhaps WebAssembly's; the binary form is needed",
        [b'<', ..] => "text, perhaps a web page",
        [b'{', ..] => "text, perhaps JSON",
        [0x7f, b'E', b'L', b'F', ..] => "a program or library of this machine's kind (ELF)",
        [0x1f, 0x8b, ..] => "compressed (gzip); unpack it first",
        _ if std::str::from_utf8(text).is_ok() => "text",
        _ => "some other kind of file",
    }
}

/// The digest of `bytes` as images have it.
pub(crate) fn digest_of(bytes: &Bytes) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_it_is_instead() {
        let kind = |bytes: &[u8]| check_kind(bytes, 100).unwrap_err();
        assert_eq!(kind(b""), CompileError::NotWebAssembly { found: "empty" });
        assert!(kind(b"<!DOCTYPE html>").to_string().contains("web page"));
        assert_eq!(kind(b"\0asm\x01\0\0\0"), CompileError::CoreModule);
        assert!(matches!(kind(b"\0asm"), CompileError::Invalid(_)));
        assert_eq!(kind(&[0; 101]), CompileError::TooLarge { size: 101, limit: 100 });
        assert!(check_kind(b"\0asm\x0d\0\x01\0", 100).is_ok());
    }

    #[test]
    fn digests_are_those_of_images() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest_of(&Bytes::new()), empty);
    }
}
