//! Misbehaves as its path says, over WASI 0.3: what 0.2 cannot do, and the like of what it can.

use wasip3::clocks::monotonic_clock;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{spawn_local, wit_future, wit_stream};

wasip3::http::service::export!(Hostile);

struct Hostile;

/// An hour in nanoseconds: longer than anybody waits.
const HOUR: u64 = 3_600_000_000_000;

impl wasip3::exports::http::handler::Guest for Hostile {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        match path.split('?').next().unwrap_or_default() {
            "/ok" => Ok(answer(200, "ok\n")),
            "/loop" => loop {
                std::hint::black_box(&path);
            },
            // Waiting for nothing at all would be a deadlock, which the runtime sees at once.
            "/deadlock" => std::future::pending().await,
            "/silent" => {
                monotonic_clock::wait_for(HOUR).await;
                Ok(answer(200, "late\n"))
            }
            "/spawn" => {
                spawn_without_end().await;
                Ok(answer(200, "never\n"))
            }
            "/spawn-after" => {
                spawn_local(spawn_without_end());
                Ok(answer(200, "ok\n"))
            }
            "/trap" => core::arch::wasm32::unreachable(),
            "/error" => Err(ErrorCode::InternalError(Some("as asked".to_owned()))),
            "/half" => Ok(half()),
            _ => Ok(answer(404, "no such misdeed\n")),
        }
    }
}

/// Spawns tasks that wait, letting others run now and then.
async fn spawn_without_end() {
    loop {
        for _ in 0..1000 {
            spawn_local(monotonic_clock::wait_for(HOUR));
        }
        monotonic_clock::wait_for(1_000).await;
    }
}

/// An answer whose body breaks off: it says 12 bytes and has 6, then traps.
fn half() -> Response {
    let headers = Fields::new();
    let _ = headers.append("content-length", b"12");
    let (mut body, reader) = wit_stream::new();
    let (trailers, no_trailers) = wit_future::new(|| Ok(None));
    let (response, _sent) = Response::new(headers, Some(reader), no_trailers);
    spawn_local(async move {
        let _ = body.write_all(b"half a".to_vec()).await;
        let _kept_open = (body, trailers);
        core::arch::wasm32::unreachable()
    });
    response
}

fn answer(status: u16, text: &'static str) -> Response {
    let (mut body, reader) = wit_stream::new();
    let (trailers, no_trailers) = wit_future::new(|| Ok(None));
    let (response, _sent) = Response::new(Fields::new(), Some(reader), no_trailers);
    let _ = response.set_status_code(status);
    drop(trailers);
    spawn_local(async move {
        let _ = body.write_all(text.as_bytes().to_vec()).await;
    });
    response
}
