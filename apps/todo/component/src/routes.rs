//! Which path is what, and which methods it takes.

use crate::page::{self, File};

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// A file of the page.
    File(&'static File),
    /// All todos.
    Todos,
    /// One todo. `None` for what cannot be an id: there is no such todo, today or ever.
    Todo(Option<u64>),
}

/// The route of a path, if it has one.
pub fn find(path: &str) -> Option<Route> {
    if let Some(file) = page::FILES.iter().find(|file| file.path == path) {
        return Some(Route::File(file));
    }
    match path.strip_prefix("/api")? {
        "" | "/" => Some(Route::Todos),
        rest => {
            let id = rest.strip_prefix('/')?;
            (!id.contains('/')).then(|| Route::Todo(parse_id(id)))
        }
    }
}

impl Route {
    /// The methods it takes, as the header `allow` lists them.
    pub fn methods(self) -> &'static str {
        match self {
            Self::File(_) => "GET, HEAD, OPTIONS",
            Self::Todos => "GET, HEAD, POST, DELETE, OPTIONS",
            Self::Todo(_) => "GET, HEAD, PUT, PATCH, DELETE, OPTIONS",
        }
    }

    /// Whether it takes this method.
    pub fn takes(self, method: &str) -> bool {
        self.methods().split(", ").any(|known| known == method)
    }
}

/// An id as it is written in a URL: one way only, so that a todo has one address.
pub fn parse_id(text: &str) -> Option<u64> {
    let id: u64 = text.parse().ok()?;
    (id > 0 && id.to_string() == text).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_routes() {
        assert!(matches!(find("/"), Some(Route::File(file)) if file.content_type.starts_with("text/html")));
        assert!(matches!(find("/app.js"), Some(Route::File(_))));
        assert_eq!(find("/api"), Some(Route::Todos));
        assert_eq!(find("/api/"), Some(Route::Todos));
        assert_eq!(find("/api/7"), Some(Route::Todo(Some(7))));
        for path in ["", "/apis", "/api/7/8", "/index", "/../app.js", "//app.js", "/app.js/"] {
            assert_eq!(find(path), None, "{path}");
        }
    }

    #[test]
    fn an_id_is_written_in_one_way() {
        for text in ["0", "07", "+7", "-7", "7.0", "seven", "18446744073709551616", "７", "%37"] {
            assert_eq!(find(&format!("/api/{text}")), Some(Route::Todo(None)), "{text}");
        }
        assert_eq!(parse_id("18446744073709551615"), Some(u64::MAX));
    }
}
