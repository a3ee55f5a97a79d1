//! Answers what it was configured with: `/config?key=` one value, `/config` all of them. `/answer` behaves as the value
//! of `answer` says, a status or a misdeed, and says the value of `say`: two configurations are two components.

use guest_http::{Json, answer, answer_json, path_and_query};
use wasip2::clocks::monotonic_clock;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

wit_bindgen::generate!({ path: "../wit/config.wit", world: "imports" });

use wasi::config::store::{self, Error};

wasip2::http::proxy::export!(Configured);

struct Configured;

impl wasip2::exports::http::incoming_handler::Guest for Configured {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let (path, query) = path_and_query(&request);
        if path == "/answer" {
            return behave(out);
        }
        if path != "/config" {
            return answer_json(out, 404, &failure("no such path"));
        }
        let found = match query.text("key") {
            Some(key) => {
                store::get(&key).map(|value| Json::Object(vec![("value", Json::optional(value, Json::Text))]))
            }
            None => store::get_all().map(|pairs| {
                let pairs = pairs.into_iter();
                Json::List(
                    pairs.map(|(key, value)| Json::List(vec![Json::Text(key), Json::Text(value)])).collect(),
                )
            }),
        };
        match found {
            Ok(json) => answer_json(out, 200, &json),
            Err(Error::Upstream(text) | Error::Io(text)) => answer_json(out, 500, &failure(&text)),
        }
    }
}

fn behave(out: ResponseOutparam) {
    let value = |key: &str| store::get(key).ok().flatten().unwrap_or_default();
    match value("answer").as_str() {
        "trap" => core::arch::wasm32::unreachable(),
        "late" => loop {
            monotonic_clock::subscribe_duration(3_600_000_000_000).block();
        },
        status => answer(out, status.parse().unwrap_or(200), "text/plain", value("say").as_bytes()),
    }
}

fn failure(text: &str) -> Json {
    Json::Object(vec![("error", Json::text(text))])
}
