//! HTTP/2 beside HTTP/1.1, hostnames, and what a client is told when nobody answers.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::site::{World, get, ready, sees, send};

const OBJECTS: &str = "---\nkind: WasmComponent\nmetadata: { name: hello }\n\
    spec: { image: \"example.com/hello:1\", sites: { a: {} }, http: { hostnames: [hello.example], path: / } }\n\
    ---\nkind: WasmComponent\nmetadata: { name: ghost }\n\
    spec: { image: \"example.com/ghost:1\", sites: { a: {} }, http: { path: /ghost } }\n";

#[tokio::test(flavor = "multi_thread")]
async fn http2_and_hostnames() {
    let world = World::new(OBJECTS, &[("hello", "hello")]);
    let host = world.host("a", "h1").await;
    sees(&host, "hello", |status| ready(status, "hello", "a") == 1).await;

    let stream = TcpStream::connect(host.http()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for _ in 0..3 {
        let request = Request::get("http://hello.example/").body(Full::<Bytes>::default()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello\n");
    }

    let named = |name: &str| Request::get("/").header("host", name).body(Full::default()).unwrap();
    assert_eq!(send(host.http(), named("HELLO.example:80")).await.unwrap().status(), 200);
    let other = send(host.http(), named("other.example")).await.unwrap();
    assert_eq!(other.status(), 404);
    assert!(String::from_utf8_lossy(other.body()).contains("no component has a route for other.example/"));

    let ghost = get(host.http(), "/ghost").await.unwrap();
    assert_eq!(
        (ghost.status().as_u16(), &ghost.headers()["retry-after"]),
        (503, &http::HeaderValue::from_static("1"))
    );
    sees(&host, "the reason", |status| {
        status.conditions.iter().any(|condition| {
            condition.object == "component/ghost" && condition.message.contains("--wasm ghost=FILE")
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_one_host() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let world = World::new(OBJECTS, &[("hello", "hello")]);
    let host = world.host("a", "h1").await;
    for head in ["host: a\r\nhost: b\r\n", "host: a b\r\n", "host: \u{e9}\r\n", ""] {
        let mut stream = TcpStream::connect(host.http()).await.unwrap();
        stream
            .write_all(format!("GET / HTTP/1.1\r\n{head}connection: close\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{head:?}: {answer}");
    }
    assert_eq!(host.metrics().requests_and_failures().1, 0, "a client's mistake is no failure of ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_cannot_serve_its_route_says_so() {
    let objects = "---\nkind: WasmComponent\nmetadata: { name: greeter }\n\
        spec: { image: \"example.com/greeter:1\", sites: { a: {} }, http: {} }\n\
        ---\nkind: WasmComponent\nmetadata: { name: hello }\n\
        spec: { image: \"example.com/hello:1\", sites: { a: {} }, http: { path: /x }, readiness: { path: /no } }\n\
        ---\nkind: WasmComponent\nmetadata: { name: slow }\n\
        spec: { image: \"example.com/hostile:1\", sites: { a: {} }, http: { path: /y }, readiness: { path: /trap } }\n";
    let world = World::new(objects, &[("greeter", "greeter"), ("hello", "hello"), ("slow", "hostile")]);
    let host = world.host("a", "h1").await;
    let has = |object: &'static str, word: &'static str| {
        move |status: &dunlin_host::status::Status| {
            status.conditions.iter().any(|found| found.object == object && found.message.contains(word))
        }
    };
    sees(&host, "no HTTP", has("component/greeter", "does not serve HTTP")).await;
    sees(&host, "not ready", has("component/slow", "readiness path /trap")).await;
    sees(&host, "one that is ready", |status| ready(status, "hello", "a") == 1).await;
}
