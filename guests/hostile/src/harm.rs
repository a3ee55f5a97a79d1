//! What a component may try against its host.

use std::hint::black_box;

use guest_http::{Query, answer, finish, write_all};
use wasip2::cli::stderr::get_stderr;
use wasip2::http::types::{Fields, OutgoingResponse, ResponseOutparam};

use crate::number;
use crate::wasi::logging::logging::{Level, log};

/// Never ends and never yields.
pub fn endless_loop() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Takes memory, and touches it, until there is no more.
pub fn memory() -> ! {
    let mut held = Vec::new();
    loop {
        held.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Calls itself without end.
#[allow(unconditional_recursion)]
pub fn recurse(depth: u64) -> u64 {
    black_box(recurse(black_box(depth + 1))) + 1
}

/// Headers without measure: `count` of `size` bytes each.
pub fn headers(out: ResponseOutparam, query: &Query) {
    let fields = Fields::new();
    let value = vec![b'h'; number(query, "size", 1000)];
    for index in 0..number(query, "count", 2000) {
        if fields.append(&format!("x-header-{index}"), &value).is_err() {
            return answer(out, 500, "text/plain", format!("refused at header {index}\n").as_bytes());
        }
    }
    let response = OutgoingResponse::new(fields);
    let Ok(body) = response.body() else { return };
    ResponseOutparam::set(out, Ok(response));
    if let Ok(stream) = body.write() {
        let _ = write_all(&stream, b"headers\n");
        finish(body, stream);
    }
}

/// Logs `lines` lines of `size` bytes through wasi:logging and as many on standard error.
pub fn flood(out: ResponseOutparam, query: &Query) {
    let line = "f".repeat(number(query, "size", 200));
    let stderr = get_stderr();
    for index in 0..number(query, "lines", 20_000) {
        log(Level::Info, "flood", &format!("{index} {line}"));
        let _ = write_all(&stderr, format!("{index} {line}\n").as_bytes());
    }
    answer(out, 200, "text/plain", b"flooded\n");
}
