//! What the test guests share: a request's path and query, an answer, a little JSON.

mod json;
mod query;

pub use json::Json;
pub use query::Query;

use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

/// Most bytes that WASI 0.2 takes in one blocking write.
const WRITE: usize = 4096;

/// The path of a request, and its query taken apart.
pub fn path_and_query(request: &IncomingRequest) -> (String, Query) {
    let whole = request.path_with_query().unwrap_or_default();
    let (path, query) = whole.split_once('?').unwrap_or((&whole, ""));
    (path.to_owned(), Query::parse(query))
}

/// The path of a request and its arguments: those of the query and of a body that is a form. A body of any other type
/// is the argument `value`, so that it may be of any bytes and any length.
pub fn path_and_arguments(request: &IncomingRequest) -> Result<(String, Query), String> {
    let (path, mut arguments) = path_and_query(request);
    let kinds = request.headers().get("content-type");
    let form = kinds.iter().any(|kind| kind == b"application/x-www-form-urlencoded");
    let mut body = Vec::new();
    read_body(request, |bytes| body.extend_from_slice(bytes))?;
    if form {
        arguments.extend(Query::parse(&String::from_utf8_lossy(&body)));
    } else if !kinds.is_empty() {
        arguments.push("value", body);
    }
    Ok((path, arguments))
}

/// Begins an answer; its body is written through the stream and ended by [`finish`].
pub fn begin(
    answer: ResponseOutparam,
    status: u16,
    headers: &[(&str, &str)],
) -> Option<(OutgoingBody, OutputStream)> {
    let fields = Fields::new();
    for (name, value) in headers {
        let _ = fields.append(name, value.as_bytes());
    }
    let response = OutgoingResponse::new(fields);
    let _ = response.set_status_code(status);
    let body = response.body().ok()?;
    ResponseOutparam::set(answer, Ok(response));
    let stream = body.write().ok()?;
    Some((body, stream))
}

/// Ends a body.
pub fn finish(body: OutgoingBody, stream: OutputStream) {
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

/// A whole answer.
pub fn answer(out: ResponseOutparam, status: u16, content_type: &str, bytes: &[u8]) {
    let length = bytes.len().to_string();
    let headers = [("content-type", content_type), ("content-length", length.as_str())];
    if let Some((body, stream)) = begin(out, status, &headers) {
        let _ = write_all(&stream, bytes);
        finish(body, stream);
    }
}

/// A whole answer in JSON.
pub fn answer_json(out: ResponseOutparam, status: u16, json: &Json) {
    answer(out, status, "application/json", format!("{json}\n").as_bytes());
}

/// Writes everything, waiting for the reader.
pub fn write_all(stream: &OutputStream, bytes: &[u8]) -> Result<(), StreamError> {
    bytes.chunks(WRITE).try_for_each(|chunk| stream.blocking_write_and_flush(chunk))
}

/// Calls `each` with every piece of the request's body, until its end or an error.
pub fn read_body(request: &IncomingRequest, mut each: impl FnMut(&[u8])) -> Result<(), String> {
    let body = request.consume().map_err(|()| "the body was taken already".to_owned())?;
    let stream = body.stream().map_err(|()| "the stream was taken already".to_owned())?;
    read_stream(&stream, &mut each)
}

/// The same for any stream.
pub fn read_stream(stream: &InputStream, each: &mut impl FnMut(&[u8])) -> Result<(), String> {
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(bytes) => each(&bytes),
            Err(StreamError::Closed) => return Ok(()),
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
    }
}
