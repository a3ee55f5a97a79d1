//! Serves HTTP with the interface of another component: one path for each of its functions.

use guest_http::{Json, Query, answer, answer_json, path_and_query, read_body};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

wit_bindgen::generate!({ path: "../wit/greeter.wit", world: "guest" });

use example::greeter::greet::{self, Colours, Mood, Refusal, Size, Visit};

wasip2::http::proxy::export!(Importer);

struct Importer;

impl wasip2::exports::http::incoming_handler::Guest for Importer {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let (path, query) = path_and_query(&request);
        match path.as_str() {
            "/greet" => {
                let greeting = greet::greet(&query.text("name").unwrap_or_default());
                answer(out, 200, "text/plain", format!("{greeting}\n").as_bytes());
            }
            "/echo" => {
                let mut bytes = Vec::new();
                match read_body(&request, |piece| bytes.extend_from_slice(piece)) {
                    Ok(()) => answer(out, 200, "application/octet-stream", &greet::echo(&bytes)),
                    Err(error) => answer(out, 400, "text/plain", error.as_bytes()),
                }
            }
            "/welcome" => {
                let (status, json) = welcome(&query);
                answer_json(out, status, &json);
            }
            "/mirror" => answer(out, 200, "text/plain", mirror().as_bytes()),
            "/rest" => {
                greet::rest(query.parsed("ms").unwrap_or(1000));
                answer(out, 200, "text/plain", b"rested\n");
            }
            "/collapse" => {
                greet::collapse();
                answer(out, 200, "text/plain", b"still here\n");
            }
            // Needs no other component.
            "/ok" => answer(out, 200, "text/plain", b"ok\n"),
            _ => answer(out, 404, "text/plain", b"no such path\n"),
        }
    }
}

/// `?name=&times=&tag=&tag=&note=`, with `&loud=` or `&mood=`.
fn welcome(query: &Query) -> (u16, Json) {
    let visit = Visit {
        name: query.text("name").unwrap_or_default(),
        times: query.parsed("times").unwrap_or(0),
        tags: query.all("tag").map(|tag| String::from_utf8_lossy(tag).into_owned()).collect(),
        note: query.text("note"),
    };
    let mood = match (query.parsed("loud"), query.text("mood")) {
        (Some(times), _) => Mood::Loud(times),
        (None, Some(name)) => Mood::Named(name),
        (None, None) => Mood::Calm,
    };
    match greet::welcome(&visit, &mood) {
        Ok(visit) => {
            let json = Json::Object(vec![
                ("name", Json::Text(visit.name)),
                ("times", Json::Number(visit.times.into())),
                ("tags", Json::List(visit.tags.into_iter().map(Json::Text).collect())),
                ("note", Json::optional(visit.note, Json::Text)),
            ]);
            (200, json)
        }
        Err(Refusal::Nameless) => (403, Json::Object(vec![("refused", Json::text("nameless"))])),
        Err(Refusal::TooOften(times)) => (
            403,
            Json::Object(vec![("refused", Json::text("too often")), ("times", Json::Number(times.into()))]),
        ),
    }
}

/// Sends a value of every type there and back and says whether it is the same.
fn mirror() -> String {
    let numbers = (true, 1, -2, 3, -4, 5, -6, u64::MAX, i64::MIN, 1.5, -2.25, '☃');
    let nested = vec![None, Some(Ok("text".to_owned())), Some(Err(7))];
    let (came, size, colours, list) =
        greet::mirror(numbers, Size::Large, Colours::RED | Colours::BLUE, &nested);
    let same = came == numbers
        && matches!(size, Size::Large)
        && colours == Colours::RED | Colours::BLUE
        && list == nested;
    if same { "same\n".to_owned() } else { format!("different: {came:?} {size:?} {colours:?} {list:?}\n") }
}
