//! Bodies: whole ones both ways, and answers that break off.

use guest_http::{Json, Query, answer, answer_json, begin, finish, read_body, write_all};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};
use wasip2::io::streams::StreamError;

use crate::number;

/// Streams the request's body back as it comes.
pub fn echo(request: &IncomingRequest, out: ResponseOutparam) {
    let Some((body, to)) = begin(out, 200, &[("content-type", "application/octet-stream")]) else { return };
    if let Ok(asked) = request.consume()
        && let Ok(from) = asked.stream()
    {
        loop {
            match to.blocking_splice(&from, 64 * 1024) {
                Ok(_) => {}
                Err(StreamError::Closed) => break,
                // A body that broke off must not look like one that ended.
                Err(StreamError::LastOperationFailed(_)) => core::arch::wasm32::unreachable(),
            }
        }
    }
    finish(body, to);
}

/// Reads the whole body and answers its length and the sum of all bytes, each times its position from one.
pub fn sink(request: &IncomingRequest, out: ResponseOutparam) {
    let (mut length, mut sum) = (0_u64, 0_u64);
    let each = |bytes: &[u8]| {
        for &byte in bytes {
            length += 1;
            sum = sum.wrapping_add(u64::from(byte).wrapping_mul(length));
        }
    };
    match read_body(request, each) {
        Ok(()) => answer(out, 200, "text/plain", format!("{length} {sum}\n").as_bytes()),
        Err(error) => answer_json(out, 400, &Json::Object(vec![("error", Json::Text(error))])),
    }
}

/// Answers that many bytes: each is the low byte of its own position.
pub fn big(out: ResponseOutparam, length: u64) {
    let text = length.to_string();
    let headers = [("content-type", "application/octet-stream"), ("content-length", text.as_str())];
    let Some((body, stream)) = begin(out, 200, &headers) else { return };
    let block: Vec<u8> = (0..4096_u32).map(|position| position as u8).collect();
    let mut left = length;
    while left > 0 {
        let piece = &block[..block.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
        if write_all(&stream, piece).is_err() {
            return;
        }
        left -= piece.len() as u64;
    }
    finish(body, stream);
}

/// Answers half of what it promised, then does what the caller says; `?length=0` promises nothing.
pub fn half(out: ResponseOutparam, query: &Query, then: impl FnOnce() -> ()) {
    let length = number(query, "length", 12);
    let text = length.to_string();
    let mut headers = vec![("content-type", "text/plain")];
    if length > 0 {
        headers.push(("content-length", text.as_str()));
    }
    let Some((_body, stream)) = begin(out, 200, &headers) else { return };
    let _ = write_all(&stream, &vec![b'x'; length / 2]);
    then();
}
