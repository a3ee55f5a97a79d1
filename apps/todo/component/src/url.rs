//! The address at which a client reaches this application.
//!
//! A todo carries its absolute URL. What the client typed is known from the request itself, or, behind a proxy,
//! from `Forwarded` (RFC 7239) or the `X-Forwarded-…` headers that came before it.

use crate::http::Request;

/// `https://todo.example.com`, without a path.
pub fn origin(request: &Request) -> String {
    let forwarded = request.header("forwarded");
    let scheme = forwarded
        .and_then(|forwarded| parameter(forwarded, "proto"))
        .filter(|scheme| is_scheme(scheme))
        .or_else(|| first(request.header("x-forwarded-proto")?).filter(|scheme| is_scheme(scheme)))
        .or_else(|| request.scheme.clone().filter(|scheme| is_scheme(scheme)))
        .map_or_else(|| "http".to_owned(), |scheme| scheme.to_ascii_lowercase());
    let host = forwarded
        .and_then(|forwarded| parameter(forwarded, "host"))
        .filter(|host| is_host(host))
        .or_else(|| first(request.header("x-forwarded-host")?).filter(|host| is_host(host)))
        .or_else(|| request.authority.clone().filter(|host| is_host(host)))
        .or_else(|| request.header("host").map(str::to_owned).filter(|host| is_host(host)))
        .unwrap_or_else(|| "localhost".to_owned());
    format!("{scheme}://{host}")
}

/// The URL of a todo.
pub fn of_todo(origin: &str, id: u64) -> String {
    format!("{origin}/api/{id}")
}

/// The value of a parameter in the first element of `Forwarded`: that of the proxy nearest to the client.
fn parameter(forwarded: &str, name: &str) -> Option<String> {
    let element = forwarded.split(',').next()?;
    element.split(';').find_map(|pair| {
        let (known, value) = pair.split_once('=')?;
        known.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// The first of the values in a list.
fn first(list: &str) -> Option<String> {
    list.split(',').next().map(|value| value.trim().to_owned())
}

fn is_scheme(text: &str) -> bool {
    text.eq_ignore_ascii_case("http") || text.eq_ignore_ascii_case("https")
}

/// A host with an optional port. Anything else would be an address that a client could be sent astray with.
fn is_host(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    !text.is_empty() && text.len() <= 255 && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&str, &str)], expected: &str) {
        let request = Request {
            scheme: Some("http".to_owned()),
            authority: Some("inside:8082".to_owned()),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..Request::default()
        };
        assert_eq!(origin(&request), expected, "{headers:?}");
    }

    #[test]
    fn the_request_itself_says_where_it_was_sent() {
        check(&[], "http://inside:8082");
        let request = Request { headers: vec![("host".to_owned(), "h:1".to_owned())], ..Request::default() };
        assert_eq!(origin(&request), "http://h:1");
        assert_eq!(origin(&Request::default()), "http://localhost");
    }

    #[test]
    fn a_proxy_is_believed() {
        check(
            &[("x-forwarded-proto", "https"), ("x-forwarded-host", "todo.example.com")],
            "https://todo.example.com",
        );
        check(&[("x-forwarded-proto", "HTTPS, http")], "https://inside:8082");
        check(&[("x-forwarded-host", "a.example, b.example")], "http://a.example");
        check(
            &[("forwarded", "for=1.2.3.4;proto=https;host=\"a.example:8443\", proto=http")],
            "https://a.example:8443",
        );
        check(&[("forwarded", "Proto=https"), ("x-forwarded-proto", "http")], "https://inside:8082");
        check(&[("forwarded", "for=[::1]"), ("x-forwarded-host", "[::1]:80")], "http://[::1]:80");
    }

    #[test]
    fn nonsense_is_not_believed() {
        check(&[("x-forwarded-proto", "javascript"), ("x-forwarded-host", "a/b\"><")], "http://inside:8082");
        check(&[("forwarded", "host=\"evil@x\";proto=ftp")], "http://inside:8082");
        check(&[("x-forwarded-host", "")], "http://inside:8082");
    }
}
