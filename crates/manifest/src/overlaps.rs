//! When two links bind the same import, and two routes the same requests.

/// An import as a link names it: `namespace:package[/interface][@version]`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Import<'a> {
    /// `namespace:package`.
    pub(crate) package: &'a str,
    /// The interface; without it, all of the package.
    pub(crate) interface: Option<&'a str>,
    /// The version; without it, every version.
    pub(crate) version: Option<&'a str>,
}

impl<'a> Import<'a> {
    /// Takes an import apart; `None` if it has not the form.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (path, version) = split_optional(text, '@');
        let (package, interface) = split_optional(path, '/');
        let (namespace, name) = package.split_once(':')?;
        let fits = [Some(namespace), Some(name), interface].into_iter().flatten().all(is_word)
            && version.is_none_or(is_version);
        fits.then_some(Self { package, interface, version })
    }

    /// Whether some interface in some version is meant by both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let same =
            |mine: Option<&str>, others: Option<&str>| mine.is_none() || others.is_none() || mine == others;
        self.package == other.package
            && same(self.interface, other.interface)
            && same(self.version, other.version)
    }
}

fn split_optional(text: &str, separator: char) -> (&str, Option<&str>) {
    text.split_once(separator).map_or((text, None), |(left, right)| (left, Some(right)))
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.len() <= 63
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_version(text: &str) -> bool {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<_> = core.split('.').collect();
    numbers.len() == 3
        && text.len() <= 63
        && numbers.iter().all(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-+.".contains(&byte))
}

/// Whether two routes are for the same requests: the same path (a `/` at its end does not count) and a
/// hostname in common, where no hostname means all and only equals itself.
pub(crate) fn same_route(mine: (&[&str], &str), other: (&[&str], &str)) -> bool {
    mine.1.trim_end_matches('/') == other.1.trim_end_matches('/')
        && ((mine.0.is_empty() && other.0.is_empty())
            || mine.0.iter().any(|hostname| other.0.contains(hostname)))
}

#[cfg(test)]
mod tests {
    use super::{Import, same_route};

    #[test]
    fn imports() {
        for (left, right, overlap) in [
            ("wasi:keyvalue", "wasi:keyvalue", true),
            ("wasi:keyvalue", "wasi:keyvalue/store", true),
            ("wasi:keyvalue/atomics", "wasi:keyvalue/store", false),
            ("wasi:keyvalue/store@0.2.0-draft", "wasi:keyvalue/store@0.2.0-draft2", false),
            ("wasi:keyvalue@0.2.0-draft", "wasi:keyvalue/store", true),
            ("wasi:keyvalue", "wasi:http", false),
        ] {
            let (left, right) = (Import::parse(left).unwrap(), Import::parse(right).unwrap());
            assert_eq!(
                (left.overlaps(&right), right.overlaps(&left)),
                (overlap, overlap),
                "{left:?} {right:?}"
            );
        }
        for text in [
            "",
            "wasi",
            "wasi:",
            ":keyvalue",
            "wasi:keyvalue/",
            "wasi:keyvalue/a/b",
            "wasi:keyvalue@",
            "wasi:keyvalue@1",
            "Wasi:keyvalue",
        ] {
            assert_eq!(Import::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn routes() {
        assert!(same_route((&[], "/api/"), (&[], "/api")));
        assert!(same_route((&["a", "b"], "/"), (&["b"], "/")));
        assert!(!same_route((&["a"], "/"), (&["b"], "/")));
        assert!(!same_route((&[], "/"), (&["b"], "/")), "a route with a hostname is closer than one without");
        assert!(!same_route((&[], "/"), (&[], "/api")));
    }
}
