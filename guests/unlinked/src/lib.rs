//! Imports what nobody offers: a host must refuse it by the name of that import, before it runs.

use guest_http::answer;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

wit_bindgen::generate!({ path: "../wit/missing.wit", world: "imports" });

wasip2::http::proxy::export!(Unlinked);

struct Unlinked;

impl wasip2::exports::http::incoming_handler::Guest for Unlinked {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        answer(out, 200, "text/plain", example::missing::thing::ask().as_bytes());
    }
}
