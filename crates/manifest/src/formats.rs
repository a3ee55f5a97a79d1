//! The forms that texts may have: names, images, hostnames, paths. Each is a name that the schema mentions
//! as `format`, a check, the words that say what is allowed, and a pattern for editors.

use crate::names::is_dns_label;
use crate::ratio::Ratio;
use crate::types::Replicas;
use crate::units::{parse_bytes, parse_duration};

/// One form that a text may have.
pub(crate) struct Format {
    /// What the schema calls it.
    pub(crate) name: &'static str,
    /// What the reference page calls it.
    pub(crate) title: &'static str,
    /// What is allowed, for messages.
    pub(crate) allowed: &'static str,
    /// An ECMA pattern for editors, where one says it (nearly) as well as the check.
    pub(crate) pattern: Option<&'static str>,
    /// Whether a text has the form.
    pub(crate) check: fn(&str) -> bool,
}

/// All forms.
pub(crate) const FORMATS: &[Format] = &[
    Format {
        name: "dns-label",
        title: "name",
        allowed: "a DNS label: 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends",
        pattern: Some("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"),
        check: is_dns_label,
    },
    Format {
        name: "dns-subdomain",
        title: "name",
        allowed: "a name of lower-case letters, digits, - and ., at most 253",
        pattern: Some("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$"),
        check: is_dns_name,
    },
    Format {
        name: "host-name",
        title: "hostname",
        allowed: "a hostname such as todo.example.com, without port or wildcard",
        pattern: Some("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$"),
        check: is_dns_name,
    },
    Format {
        name: "authority",
        title: "host or host:port",
        allowed: "a hostname or address, optionally with a port: api.example.com or api.example.com:8443",
        pattern: None,
        check: is_authority,
    },
    Format {
        name: "image",
        title: "image",
        allowed: "an OCI reference such as registry.example.com/todo:1.4.0@sha256:…",
        pattern: None,
        check: |text| ImageReference::parse(text).is_some(),
    },
    Format {
        name: "import",
        title: "import",
        allowed: "an import such as wasi:keyvalue, wasi:keyvalue/store or wasi:http/outgoing-handler@0.2.0",
        pattern: Some(
            "^[a-z][a-z0-9-]*:[a-z][a-z0-9-]*(/[a-z][a-z0-9-]*)?(@[0-9]+\\.[0-9]+\\.[0-9]+[-+.0-9A-Za-z]*)?$",
        ),
        check: |text| crate::overlaps::Import::parse(text).is_some(),
    },
    Format {
        name: "path",
        title: "path",
        allowed: "a path that begins with / and has no .., ?, #, % or blank",
        pattern: Some("^/[^?#%\\s]*$"),
        check: is_path,
    },
    Format {
        name: "redis-url",
        title: "URL",
        allowed: "redis://HOST:PORT or rediss://HOST:PORT, without user or password",
        pattern: Some("^rediss?://[^@?#\\s]+$"),
        check: is_redis_url,
    },
    Format {
        name: "bucket",
        title: "bucket",
        allowed: "1 to 63 letters, digits, -, _ and .",
        pattern: Some("^[-._a-zA-Z0-9]{1,63}$"),
        check: |text| text.len() <= 63 && is_key(text),
    },
    Format {
        name: "config-key",
        title: "key",
        allowed: "1 to 253 letters, digits, -, _ and .",
        pattern: Some("^[-._a-zA-Z0-9]{1,253}$"),
        check: is_key,
    },
    Format {
        name: "label-key",
        title: "label key",
        allowed: "a label key as in Kubernetes: disk or example.com/disk",
        pattern: None,
        check: is_label_key,
    },
    Format {
        name: "label-value",
        title: "label value",
        allowed: "a label value as in Kubernetes: at most 63 letters, digits, -, _ and .",
        pattern: Some("^(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?$"),
        check: |text| text.is_empty() || is_label_word(text),
    },
    Format {
        name: "replicas",
        title: "whole number or `all`",
        allowed: "a whole number from 0 to 1000, or all",
        pattern: Some("^all$"),
        check: |text| text == "all" || text.parse::<u32>().is_ok_and(|count| count <= Replicas::MAXIMUM),
    },
    Format {
        name: "go-duration",
        title: "time",
        allowed: "a time such as 5s, 500ms or 1m30s",
        pattern: Some("^([0-9]{1,5}(h|m|s|ms)){1,4}$"),
        check: |text| parse_duration(text).is_some(),
    },
    Format {
        name: "quantity",
        title: "amount of memory",
        allowed: "an amount of memory such as 64Mi",
        pattern: Some("^[0-9]+(\\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$"),
        check: |text| parse_bytes(text).is_some(),
    },
    Format {
        name: "ratio",
        title: "decimal in quotes",
        allowed: "a decimal from 0 to 1 in quotes, such as \"0.02\"",
        pattern: Some("^(0(\\.[0-9]{1,6})?|1(\\.0{1,6})?)$"),
        check: |text| Ratio::parse(text).is_some(),
    },
];

/// The form that the schema calls `name`.
pub(crate) fn find(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

fn is_dns_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_dns_label)
}

fn is_authority(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host =
        bracketed.map_or_else(|| is_dns_name(host), |host| host.parse::<std::net::Ipv6Addr>().is_ok());
    is_host && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

fn is_path(text: &str) -> bool {
    text.starts_with('/')
        && text.len() <= 1024
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%\\".contains(&byte))
        && !text.contains("//")
        && !text.split('/').any(|segment| segment == "." || segment == "..")
}

fn is_redis_url(text: &str) -> bool {
    let rest = text.strip_prefix("redis://").or_else(|| text.strip_prefix("rediss://"));
    rest.is_some_and(|rest| {
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        is_authority(authority) && database.len() <= 5 && database.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn is_key(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text != "."
        && text != ".."
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn is_label_word(text: &str) -> bool {
    let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 63 && is_key(text) && ends(text.bytes().next()) && ends(text.bytes().last())
}

fn is_label_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_dns_name(prefix) && is_label_word(name),
        None => is_label_word(text),
    }
}

/// The parts of an OCI reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReference {
    /// The registry with its port; empty when the reference names none.
    pub registry: String,
    /// The repository within the registry.
    pub repository: String,
    /// The tag.
    pub tag: Option<String>,
    /// The digest, `sha256:` and 64 hexadecimal digits.
    pub digest: Option<String>,
}

impl ImageReference {
    /// Takes a reference apart; `None` if it has not the form that OCI gives it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        // A colon after the last slash begins the tag; before it, the port.
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (rest, None),
        };
        let (registry, repository) = match path.split_once('/') {
            Some((first, repository)) if first.contains(['.', ':']) || first == "localhost" => {
                (first, repository)
            }
            _ => ("", path),
        };
        let is_hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let digest_fits = |digest: &str| {
            digest
                .strip_prefix("sha256:")
                .is_some_and(|hash| hash.len() == 64 && hash.bytes().all(is_hexadecimal))
        };
        let fits = text.len() <= 512
            && (registry.is_empty() || is_authority(registry))
            && repository.split('/').all(is_repository_part)
            && tag.is_none_or(is_tag)
            && digest.is_none_or(digest_fits);
        fits.then(|| Self {
            registry: registry.into(),
            repository: repository.into(),
            tag: tag.map(Into::into),
            digest: digest.map(Into::into),
        })
    }
}

fn is_tag(text: &str) -> bool {
    text.len() <= 128 && is_key(text) && !text.starts_with(['.', '-'])
}

fn is_repository_part(text: &str) -> bool {
    let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    ends(text.bytes().next())
        && ends(text.bytes().last())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::{FORMATS, ImageReference, find};

    #[test]
    fn forms() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let pinned = format!("registry.example.com:5000/team/todo:1.4.0@{digest}");
        for (format, good, bad) in [
            (
                "host-name",
                vec!["todo.example.com", "localhost"],
                vec!["", "*.example.com", "a..b", "a:80", "A.b"],
            ),
            (
                "authority",
                vec!["api.stripe.com", "10.0.0.1:80", "[::1]:80", "[::1]"],
                vec!["", "a:", "a:0", "a:99999", "http://a", "a/b", "::1"],
            ),
            (
                "image",
                vec![
                    &pinned,
                    "todo",
                    "todo:1",
                    "localhost/todo",
                    "a/b/c@sha256:0000000000000000000000000000000000000000000000000000000000000000",
                ],
                vec!["", "Todo", "todo:", "todo@sha256:12", "a//b", "/todo", "todo:a b", "https://a/b"],
            ),
            (
                "path",
                vec!["/", "/api", "/a/b-c_d~"],
                vec!["", "api", "/a?b", "/a b", "/../x", "/a/./b", "//", "/%2e", "/é"],
            ),
            (
                "redis-url",
                vec!["redis://redis:6379", "rediss://r", "redis://r:1/0"],
                vec!["http://r", "redis://", "redis://user:pw@r", "redis://r/a"],
            ),
            ("label-key", vec!["disk", "example.com/disk"], vec!["", "/", "a/b/c", "-a"]),
            ("label-value", vec!["", "ssd"], vec!["-", "a b"]),
            ("ratio", vec!["0", "1", "0.02"], vec!["", "1.5", "2%", "-0.1", "0."]),
            ("config-key", vec!["LOG_LEVEL", "a.b"], vec!["", ".", "..", "a/b"]),
        ] {
            let format = find(format).unwrap();
            for text in good {
                assert!((format.check)(text), "{}: {text:?} is good", format.name);
            }
            for text in bad {
                assert!(!(format.check)(text), "{}: {text:?} is bad", format.name);
            }
        }
        let image = ImageReference::parse(&pinned).unwrap();
        assert_eq!(
            (image.registry.as_str(), image.repository.as_str()),
            ("registry.example.com:5000", "team/todo")
        );
        assert_eq!((image.tag.as_deref(), image.digest), (Some("1.4.0"), Some(digest)));
    }

    #[test]
    fn names_are_unique() {
        for (index, format) in FORMATS.iter().enumerate() {
            assert!(FORMATS[index + 1..].iter().all(|other| other.name != format.name), "{}", format.name);
        }
    }
}
