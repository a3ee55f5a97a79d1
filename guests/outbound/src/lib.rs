//! Makes the request it is asked to make: `?url=`, with `&method=` and `&body=` if given.

use guest_http::{Json, Query, answer_json, path_and_query, read_stream, write_all};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, IncomingRequest, Method, OutgoingBody, OutgoingRequest, ResponseOutparam, Scheme,
};

wasip2::http::proxy::export!(Outbound);

struct Outbound;

impl wasip2::exports::http::incoming_handler::Guest for Outbound {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let (_, query) = path_and_query(&request);
        match ask(&query) {
            Ok((status, body)) => {
                let body = Json::bytes(body);
                answer_json(
                    out,
                    200,
                    &Json::Object(vec![("status", Json::Number(status.into())), ("body", body)]),
                );
            }
            Err(error) => answer_json(out, 502, &Json::Object(vec![("error", Json::Text(error))])),
        }
    }
}

fn ask(query: &Query) -> Result<(u16, Vec<u8>), String> {
    let url = query.text("url").ok_or("?url= is missing")?;
    let (scheme, rest) = url.split_once("://").ok_or("the URL has no scheme")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let method = match query.text("method").as_deref() {
        None | Some("GET") => Method::Get,
        Some("POST") => Method::Post,
        Some("PUT") => Method::Put,
        Some("DELETE") => Method::Delete,
        Some(other) => Method::Other(other.to_owned()),
    };
    let request = OutgoingRequest::new(Fields::new());
    let refused = |()| "a part of the request was refused".to_owned();
    request.set_method(&method).map_err(refused)?;
    request.set_scheme(Some(&scheme)).map_err(refused)?;
    request.set_authority(Some(authority)).map_err(refused)?;
    request.set_path_with_query(Some(if path.is_empty() { "/" } else { path })).map_err(refused)?;
    let body = request.body().map_err(refused)?;
    let answer = outgoing_handler::handle(request, None).map_err(|error| format!("{error:?}"))?;
    if let Some(bytes) = query.bytes("body") {
        let stream = body.write().map_err(refused)?;
        write_all(&stream, bytes).map_err(|error| format!("{error:?}"))?;
    }
    OutgoingBody::finish(body, None).map_err(|error| format!("{error:?}"))?;
    answer.subscribe().block();
    let response =
        answer.get().ok_or("no answer after all")?.map_err(refused)?.map_err(|error| format!("{error:?}"))?;
    let mut bytes = Vec::new();
    let incoming = response.consume().map_err(refused)?;
    let stream = incoming.stream().map_err(refused)?;
    read_stream(&stream, &mut |piece: &[u8]| bytes.extend_from_slice(piece))?;
    Ok((response.status(), bytes))
}
