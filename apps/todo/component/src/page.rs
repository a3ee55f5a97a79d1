//! The page: a few files inside the component.

/// A file of the page.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    /// Where it is served.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// What it holds.
    pub bytes: &'static [u8],
    tag: u64,
}

/// All files of the page.
pub static FILES: [File; 4] = [
    file("/", "text/html; charset=utf-8", include_bytes!("../web/index.html")),
    file("/app.js", "text/javascript; charset=utf-8", include_bytes!("../web/app.js")),
    file("/style.css", "text/css; charset=utf-8", include_bytes!("../web/style.css")),
    file("/icon.svg", "image/svg+xml", include_bytes!("../web/icon.svg")),
];

/// The page may load what this component serves and talk to it, and nothing else.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'";

impl File {
    /// The entity tag: it changes with the content, and with nothing else.
    pub fn entity_tag(&self) -> String {
        format!("\"{:016x}\"", self.tag)
    }

    /// Whether a client that sent this `if-none-match` has the file already.
    pub fn is_known(&self, if_none_match: Option<&str>) -> bool {
        let tag = self.entity_tag();
        if_none_match.is_some_and(|tags| {
            tags.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == tag)
        })
    }
}

const fn file(path: &'static str, content_type: &'static str, bytes: &'static [u8]) -> File {
    File { path, content_type, bytes, tag: hash(bytes) }
}

/// FNV-1a, at compile time.
const fn hash(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_has_the_file_is_known() {
        let file = &FILES[0];
        let tag = file.entity_tag();
        assert!(file.is_known(Some(&tag)));
        assert!(file.is_known(Some(&format!("\"other\", W/{tag}"))));
        assert!(!file.is_known(Some("\"other\"")));
        assert!(!file.is_known(None));
        assert_ne!(tag, FILES[1].entity_tag());
    }

    #[test]
    fn the_page_loads_nothing_from_elsewhere() {
        for file in &FILES {
            let text = std::str::from_utf8(file.bytes).unwrap();
            let text = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("http://") && !text.contains("https://"), "{}", file.path);
        }
    }
}
