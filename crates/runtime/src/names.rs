//! Names of interfaces, such as `wasi:http/types@0.2.6`: taking them apart, and what they mean to links. Pure.

use std::fmt;

/// The name of an imported or exported interface, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceName<'a> {
    /// `wasi:http`; empty for a plain name.
    pub package: &'a str,
    /// `types`; the whole of a plain name.
    pub interface: &'a str,
    /// `0.2.6`.
    pub version: Option<&'a str>,
}

impl<'a> InterfaceName<'a> {
    /// Takes `name` apart. Any text is a name: what has no `:` and `/` is a plain one.
    #[must_use]
    pub fn parse(name: &'a str) -> Self {
        let (path, version) = match name.split_once('@') {
            Some((path, version)) => (path, Some(version)),
            None => (name, None),
        };
        match path.split_once('/') {
            Some((package, interface)) if package.contains(':') => Self { package, interface, version },
            _ => Self { package: "", interface: path, version },
        }
    }

    /// Whether this is a version that code made for `major.minor` can use: `0.2` covers 0.2.0 to 0.2.12, and no draft.
    #[must_use]
    pub fn is_release_of(&self, major_minor: &str) -> bool {
        let rest = self.version.and_then(|version| version.strip_prefix(major_minor));
        let patch = rest.and_then(|rest| rest.strip_prefix('.'));
        patch.is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit()))
    }
}

impl fmt::Display for InterfaceName<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.package.is_empty() {
            write!(formatter, "{}/", self.package)?;
        }
        formatter.write_str(self.interface)?;
        self.version.map_or(Ok(()), |version| write!(formatter, "@{version}"))
    }
}

/// Whether the `import` of a link means the interface `name`.
///
/// A link may name a whole package (`wasi:keyvalue`) or one interface (`wasi:keyvalue/store`), either with a
/// version (`wasi:keyvalue@0.2.0-draft2`) or for all versions.
#[must_use]
pub fn covers(import: &str, name: &str) -> bool {
    let wanted = InterfaceName::parse(name);
    let (path, version) = match import.split_once('@') {
        Some((path, version)) => (path, Some(version)),
        None => (import, None),
    };
    let same_version = version.is_none() || version == wanted.version;
    let same_path = match path.split_once('/') {
        Some((package, interface)) => package == wanted.package && interface == wanted.interface,
        None => path == wanted.package || (wanted.package.is_empty() && path == wanted.interface),
    };
    same_version && same_path
}

/// `wasi:http/incoming-handler` of WASI 0.2.
pub(crate) fn is_http_handler_0_2(name: &str) -> bool {
    let name = InterfaceName::parse(name);
    name.package == "wasi:http" && name.interface == "incoming-handler" && name.is_release_of("0.2")
}

/// `wasi:http/handler` of WASI 0.3.
pub(crate) fn is_http_handler_0_3(name: &str) -> bool {
    let name = InterfaceName::parse(name);
    name.package == "wasi:http" && name.interface == "handler" && name.is_release_of("0.3")
}

/// What every component gets without a link.
pub(crate) fn is_given(name: &str) -> bool {
    let name = InterfaceName::parse(name);
    let released = name.is_release_of("0.2") || name.is_release_of("0.3");
    match (name.package, name.interface) {
        ("wasi:cli", interface) => released && interface != "run",
        ("wasi:clocks" | "wasi:random" | "wasi:io" | "wasi:filesystem" | "wasi:sockets", _)
        | ("wasi:http", "types") => released,
        ("wasi:config", "store") => matches!(name.version, Some("0.2.0-rc.1" | "0.2.0-draft")),
        ("wasi:config", "runtime") => name.version == Some("0.2.0-draft"),
        ("wasi:logging", "logging") => matches!(name.version, None | Some("0.1.0-draft")),
        _ => false,
    }
}

/// Outbound HTTP: `wasi:http/outgoing-handler` of 0.2 and `wasi:http/client` of 0.3.
pub(crate) fn is_outbound_http(name: &str) -> bool {
    let name = InterfaceName::parse(name);
    name.package == "wasi:http"
        && ((name.interface == "outgoing-handler" && name.is_release_of("0.2"))
            || (name.interface == "client" && name.is_release_of("0.3")))
}

/// The interfaces of `wasi:keyvalue` that are served, in either draft.
pub(crate) fn is_keyvalue(name: &str) -> bool {
    let name = InterfaceName::parse(name);
    name.package == "wasi:keyvalue"
        && matches!(name.interface, "store" | "atomics" | "batch")
        && matches!(name.version, Some("0.2.0-draft" | "0.2.0-draft2"))
}

/// How to link an interface that nobody linked, as a piece of a manifest.
pub(crate) fn how_to_link(name: &str) -> String {
    let interface = InterfaceName::parse(name);
    match interface.package {
        "wasi:keyvalue" if is_keyvalue(name) => {
            "links: { store: { import: \"wasi:keyvalue\", provider: { name: … } } }".to_owned()
        }
        "wasi:keyvalue" => {
            "only store, atomics and batch of 0.2.0-draft and 0.2.0-draft2 are known".to_owned()
        }
        "wasi:http" if is_outbound_http(name) => {
            "links: { out: { import: \"wasi:http/outgoing-handler\", egress: { hosts: [\"…\"] } } }"
                .to_owned()
        }
        "wasi:config" | "wasi:logging" => "this version is not known".to_owned(),
        package if package.starts_with("wasi:") => "this host does not offer it".to_owned(),
        _ => format!("links: {{ other: {{ import: \"{name}\", component: {{ name: … }} }} }}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_apart_and_together() {
        for name in ["wasi:http/types@0.2.6", "example:greeter/greet", "plain", "wasi:http/types@0.3.0-rc-1"]
        {
            assert_eq!(InterfaceName::parse(name).to_string(), name);
        }
    }

    #[test]
    fn a_draft_is_no_release() {
        assert!(is_http_handler_0_2("wasi:http/incoming-handler@0.2.11"));
        assert!(is_http_handler_0_3("wasi:http/handler@0.3.0"));
        assert!(!is_http_handler_0_3("wasi:http/handler@0.3.0-rc-2025-09-16"));
        assert!(!is_http_handler_0_2("wasi:http/incoming-handler@0.20.0"));
        assert!(!is_http_handler_0_2("wasi:http/incoming-handler"));
    }

    #[test]
    fn a_link_covers_a_package_or_an_interface() {
        let store = "wasi:keyvalue/store@0.2.0-draft2";
        for import in [
            "wasi:keyvalue",
            "wasi:keyvalue/store",
            "wasi:keyvalue@0.2.0-draft2",
            "wasi:keyvalue/store@0.2.0-draft2",
        ] {
            assert!(covers(import, store), "{import}");
        }
        for import in ["wasi:key", "wasi:keyvalue/batch", "wasi:keyvalue@0.2.0-draft", "store", ""] {
            assert!(!covers(import, store), "{import}");
        }
    }

    #[test]
    fn outbound_http_and_stores_are_never_given() {
        for name in [
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:http/client@0.3.0",
            "wasi:keyvalue/store@0.2.0-draft",
            "wasi:cli/run@0.2.0",
            "example:greeter/greet",
        ] {
            assert!(!is_given(name), "{name}");
        }
        assert!(is_given("wasi:cli/environment@0.2.3"));
    }
}
