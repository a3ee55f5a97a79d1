//! Heads of HTTP requests and responses as they cross the lattice. Bodies go beside them, as the lattice's bodies.

use bytes::Bytes;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, request, response};
use prost::Message;

/// The function that a forwarded request calls.
pub(crate) const HANDLE: &str = "http";

/// Headers that concern one connection only (RFC 9110, section 7.6.1) and therefore do not travel.
const HOP_BY_HOP: [&str; 7] =
    ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

#[derive(Clone, PartialEq, Message)]
struct RequestHead {
    #[prost(string, tag = "1")]
    method: String,
    #[prost(string, tag = "2")]
    scheme: String,
    #[prost(string, tag = "3")]
    authority: String,
    #[prost(string, tag = "4")]
    path_and_query: String,
    #[prost(message, repeated, tag = "5")]
    headers: Vec<Header>,
}

#[derive(Clone, PartialEq, Message)]
struct ResponseHead {
    #[prost(uint32, tag = "1")]
    status: u32,
    #[prost(message, repeated, tag = "2")]
    headers: Vec<Header>,
}

#[derive(Clone, PartialEq, Message)]
struct Trailers {
    #[prost(message, repeated, tag = "1")]
    headers: Vec<Header>,
}

#[derive(Clone, PartialEq, Message)]
struct Header {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

/// A head that another host sent and that is no HTTP.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeadError {
    /// The bytes are not a head at all.
    #[error("not a head: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// A part of it breaks the rules of HTTP.
    #[error("not HTTP: {0}")]
    NotHttp(#[from] http::Error),
}

/// Writes a request's head down.
pub(crate) fn encode_request(head: &request::Parts) -> Bytes {
    let authority = head.uri.authority().map(ToString::to_string);
    let from_header =
        || head.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    let message = RequestHead {
        method: head.method.as_str().to_owned(),
        scheme: head.uri.scheme_str().unwrap_or("http").to_owned(),
        authority: authority.or_else(from_header).unwrap_or_default(),
        path_and_query: head.uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned(),
        headers: encode_headers(&head.headers),
    };
    message.encode_to_vec().into()
}

/// Reads a request's head; the inverse of [`encode_request`].
///
/// # Errors
/// What came is no head of HTTP.
pub(crate) fn decode_request(bytes: Bytes) -> Result<request::Parts, HeadError> {
    let message = RequestHead::decode(bytes)?;
    let mut uri = Uri::builder().path_and_query(message.path_and_query);
    if !message.authority.is_empty() {
        let scheme = Scheme::try_from(message.scheme.as_str()).map_err(http::Error::from)?;
        uri = uri.scheme(scheme).authority(message.authority);
    }
    let method = Method::from_bytes(message.method.as_bytes()).map_err(http::Error::from)?;
    let (mut parts, ()) = http::Request::builder().method(method).uri(uri.build()?).body(())?.into_parts();
    decode_headers(message.headers, &mut parts.headers)?;
    Ok(parts)
}

/// Writes a response's head down.
pub(crate) fn encode_response(head: &response::Parts) -> Bytes {
    let message =
        ResponseHead { status: u32::from(head.status.as_u16()), headers: encode_headers(&head.headers) };
    message.encode_to_vec().into()
}

/// Reads a response's head; the inverse of [`encode_response`].
///
/// # Errors
/// What came is no head of HTTP.
pub(crate) fn decode_response(bytes: Bytes) -> Result<response::Parts, HeadError> {
    let message = ResponseHead::decode(bytes)?;
    // A number that is no u16 is no status either; 0 is refused below.
    let status =
        StatusCode::from_u16(u16::try_from(message.status).unwrap_or(0)).map_err(http::Error::from)?;
    let (mut parts, ()) = http::Response::builder().status(status).body(())?.into_parts();
    decode_headers(message.headers, &mut parts.headers)?;
    Ok(parts)
}

/// Writes trailers down.
pub(crate) fn encode_trailers(trailers: &HeaderMap) -> Bytes {
    Trailers { headers: encode_headers(trailers) }.encode_to_vec().into()
}

/// Reads trailers; the inverse of [`encode_trailers`].
///
/// # Errors
/// What came are no headers.
pub(crate) fn decode_trailers(bytes: Bytes) -> Result<HeaderMap, HeadError> {
    let mut trailers = HeaderMap::new();
    decode_headers(Trailers::decode(bytes)?.headers, &mut trailers)?;
    Ok(trailers)
}

fn encode_headers(headers: &HeaderMap) -> Vec<Header> {
    let named: Vec<&str> = headers
        .get_all(http::header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    // What `Connection` names concerns that connection as well.
    let of_connection =
        |name: &str| HOP_BY_HOP.contains(&name) || named.iter().any(|other| other.eq_ignore_ascii_case(name));
    headers
        .iter()
        .filter(|(name, _)| !of_connection(name.as_str()))
        .map(|(name, value)| Header {
            name: name.as_str().to_owned(),
            value: Bytes::copy_from_slice(value.as_bytes()),
        })
        .collect()
}

fn decode_headers(headers: Vec<Header>, into: &mut HeaderMap) -> Result<(), HeadError> {
    for header in headers {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(http::Error::from)?;
        if HOP_BY_HOP.contains(&name.as_str()) {
            continue;
        }
        into.append(name, HeaderValue::from_maybe_shared(header.value).map_err(http::Error::from)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_survives_the_way() {
        let (head, ()) = http::Request::builder()
            .method("PATCH")
            .uri("http://example.com:8080/api/1?x=%20y")
            .header("x-a", "1")
            .header("x-a", "2")
            .header("connection", "close, X-Private")
            .header("x-private", "1")
            .body(())
            .unwrap()
            .into_parts();
        let arrived = decode_request(encode_request(&head)).unwrap();
        assert_eq!((arrived.method, arrived.uri), (head.method, head.uri));
        assert_eq!(arrived.headers.get_all("x-a").iter().count(), 2);
        for name in ["connection", "x-private"] {
            assert!(!arrived.headers.contains_key(name), "{name} belongs to one connection only");
        }
    }

    #[test]
    fn what_is_no_head_is_refused() {
        assert!(decode_request(Bytes::from_static(b"\xff\xff")).is_err());
        let message =
            RequestHead { method: "G T".into(), path_and_query: "/".into(), ..RequestHead::default() };
        assert!(decode_request(message.encode_to_vec().into()).is_err());
        assert!(
            decode_response(ResponseHead { status: 70_000, headers: vec![] }.encode_to_vec().into()).is_err()
        );
    }
}
