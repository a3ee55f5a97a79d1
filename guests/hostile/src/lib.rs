//! Misbehaves as its path says, over WASI 0.2; a few paths behave, to show that the next request is unharmed.

mod bodies;
mod harm;

use guest_http::{Json, Query, answer, answer_json, path_and_query};
use wasip2::clocks::monotonic_clock;
use wasip2::http::types::{IncomingRequest, Method, ResponseOutparam, Scheme};

wit_bindgen::generate!({ path: "../wit/logging.wit", world: "imports" });

wasip2::http::proxy::export!(Hostile);

struct Hostile;

impl wasip2::exports::http::incoming_handler::Guest for Hostile {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let (path, query) = path_and_query(&request);
        match path.as_str() {
            "/ok" => answer(out, 200, "text/plain", b"ok\n"),
            "/request" => answer_json(out, 200, &describe(&request)),
            "/slow" => {
                rest(query.parsed("ms").unwrap_or(1000));
                answer(out, 200, "text/plain", b"slow\n");
            }
            "/echo" => bodies::echo(&request, out),
            "/sink" => bodies::sink(&request, out),
            "/big" => bodies::big(out, query.parsed("bytes").unwrap_or(1 << 20)),
            "/half" => bodies::half(out, &query, || core::arch::wasm32::unreachable()),
            "/half-stall" => bodies::half(out, &query, || rest_forever()),
            "/headers" => harm::headers(out, &query),
            "/flood" => harm::flood(out, &query),
            "/loop" => harm::endless_loop(),
            "/memory" => harm::memory(),
            "/recurse" => answer(out, 200, "text/plain", harm::recurse(0).to_string().as_bytes()),
            "/trap" => core::arch::wasm32::unreachable(),
            "/silent" => rest_forever(),
            // Returns without ever having answered, which is not the same as silence.
            "/nothing" => drop(out),
            _ => answer(out, 404, "text/plain", b"no such misdeed\n"),
        }
    }
}

fn rest(milliseconds: u64) {
    monotonic_clock::subscribe_duration(milliseconds.saturating_mul(1_000_000)).block();
}

fn rest_forever() -> ! {
    loop {
        rest(3_600_000);
    }
}

/// The request as it came here.
fn describe(request: &IncomingRequest) -> Json {
    let method = match request.method() {
        Method::Other(other) => other,
        known => format!("{known:?}").trim_start_matches("Method::").to_ascii_uppercase(),
    };
    let scheme = request.scheme().map(|scheme| match scheme {
        Scheme::Http => "http".to_owned(),
        Scheme::Https => "https".to_owned(),
        Scheme::Other(other) => other,
    });
    let headers = request.headers().entries().into_iter();
    let headers = headers.map(|(name, value)| Json::List(vec![Json::Text(name), Json::bytes(value)]));
    Json::Object(vec![
        ("method", Json::Text(method)),
        ("scheme", Json::optional(scheme, Json::Text)),
        ("authority", Json::optional(request.authority(), Json::Text)),
        ("path", Json::optional(request.path_with_query(), Json::Text)),
        ("headers", Json::List(headers.collect())),
    ])
}

/// A number from the query, or what it is without.
fn number(query: &Query, name: &str, otherwise: usize) -> usize {
    query.parsed(name).unwrap_or(otherwise)
}
