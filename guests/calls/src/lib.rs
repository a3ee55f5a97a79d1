//! Asks a store as often as it is told and answers how long that took, by its own clock: the benchmark's caller.
//!
//! `/set?key=&bytes=` sets a value of that length; `/get?key=&times=` gets it that often, one after the other, and
//! answers in nanoseconds what half of the gets took at most (`p50`) and all together (`total`).

use guest_http::{Json, Query, answer_json, path_and_query};
use wasip2::clocks::monotonic_clock::now;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

wit_bindgen::generate!({ path: "../wit/keyvalue-draft2.wit", world: "imports" });

use wasi::keyvalue::store::{self, Error};

wasip2::http::proxy::export!(Calls);

struct Calls;

impl wasip2::exports::http::incoming_handler::Guest for Calls {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let (path, query) = path_and_query(&request);
        let result = match path.as_str() {
            "/set" => set(&query),
            "/get" => get(&query),
            _ => return answer_json(out, 404, &Json::text("there are /set and /get")),
        };
        match result {
            Ok(json) => answer_json(out, 200, &json),
            Err(error) => answer_json(out, 500, &Json::Text(format!("{error:?}"))),
        }
    }
}

fn set(query: &Query) -> Result<Json, Error> {
    let value = vec![b'x'; query.parsed("bytes").unwrap_or(16)];
    store::open("bench")?.set(&query.text("key").unwrap_or_default(), &value)?;
    Ok(Json::Bool(true))
}

fn get(query: &Query) -> Result<Json, Error> {
    let (bucket, key) = (store::open("bench")?, query.text("key").unwrap_or_default());
    let mut durations = Vec::new();
    let begun = now();
    for _ in 0..query.parsed("times").unwrap_or(1) {
        let asked = now();
        let value = bucket.get(&key)?;
        durations.push(now() - asked);
        if value.is_none() {
            return Err(Error::Other("nothing is there".to_owned()));
        }
    }
    let total = now() - begun;
    durations.sort_unstable();
    let middle = durations.get(durations.len() / 2).copied().unwrap_or_default();
    Ok(Json::Object(vec![("p50", Json::Number(middle.into())), ("total", Json::Number(total.into()))]))
}
