//! Offers `example:greeter/greet` to other components; serves no HTTP.

use wasip2::clocks::monotonic_clock;

wit_bindgen::generate!({ path: "../wit/greeter.wit", world: "greeter" });

use exports::example::greeter::greet::{Colours, Guest, Mood, Refusal, Size, Visit};

type Numbers = (bool, u8, i8, u16, i16, u32, i32, u64, i64, f32, f64, char);
type Nested = Vec<Option<Result<String, u64>>>;

struct Greeter;

impl Guest for Greeter {
    fn greet(name: String) -> String {
        format!("Hello, {name}!")
    }

    fn echo(bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    fn welcome(visit: Visit, mood: Mood) -> Result<Visit, Refusal> {
        if visit.name.is_empty() {
            return Err(Refusal::Nameless);
        }
        if visit.times >= 3 {
            return Err(Refusal::TooOften(visit.times));
        }
        let note = match mood {
            Mood::Calm => visit.note,
            Mood::Loud(times) => Some("!".repeat(times.into())),
            Mood::Named(name) => Some(name),
        };
        Ok(Visit { times: visit.times + 1, note, ..visit })
    }

    fn mirror(
        numbers: Numbers,
        size: Size,
        colours: Colours,
        nested: Nested,
    ) -> (Numbers, Size, Colours, Nested) {
        (numbers, size, colours, nested)
    }

    fn rest(milliseconds: u64) {
        monotonic_clock::subscribe_duration(milliseconds.saturating_mul(1_000_000)).block();
    }

    fn collapse() {
        core::arch::wasm32::unreachable()
    }
}

export!(Greeter);
