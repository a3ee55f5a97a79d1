//! `dunlin pin`, with a real registry.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use dunlin_testkit::Registry;

use crate::workbench::{Bench, TODO};

/// `me` with the password `secret`.
const USERS: &str = "me:$2b$04$bz6FuN36mc.gw3BITAAGz.zHv2qXprNbaA6p6pHaLwnA0JbuTrASa\n";
const BASIC: &str = "Basic bWU6c2VjcmV0";

/// Sends one request; gives the status and the headers.
fn send(address: SocketAddr, method: &str, path: &str, kind: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: {BASIC}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Puts an image under a tag, and gives its digest. Its one blob is in it.
fn push(registry: &Registry, repository: &str, tag: &str, note: &str) -> String {
    const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let address = registry.address();
    let started = send(address, "POST", &format!("/v2/{repository}/blobs/uploads/"), "text/plain", "");
    let location = header(&started, "location");
    let path =
        location.split_once("//").map_or(location.as_str(), |(_, rest)| &rest[rest.find('/').unwrap()..]);
    let sign = if path.contains('?') { '&' } else { '?' };
    let put = send(address, "PUT", &format!("{path}{sign}digest={EMPTY}"), "application/octet-stream", "{}");
    assert!(put.starts_with("HTTP/1.1 201"), "{put}");
    let part = |kind: &str| format!(r#"{{"mediaType":"{kind}","digest":"{EMPTY}","size":2}}"#);
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[{}],"annotations":{{"note":"{note}"}}}}"#,
        part("application/vnd.wasm.config.v0+json"),
        part("application/wasm")
    );
    let put = send(
        address,
        "PUT",
        &format!("/v2/{repository}/manifests/{tag}"),
        "application/vnd.oci.image.manifest.v1+json",
        &manifest,
    );
    assert!(put.starts_with("HTTP/1.1 201"), "{put}");
    header(&put, "docker-content-digest")
}

fn header(answer: &str, name: &str) -> String {
    let found = answer.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    });
    found.unwrap_or_else(|| panic!("no {name} in {answer}"))
}

fn with_images(registry: &Registry) -> Bench {
    let bench = Bench::new();
    let text = TODO.replace("registry.example.com", &registry.address().to_string());
    bench.write("app/todo.yaml", &text);
    bench.git(&["commit", "--quiet", "--all", "-m", "Use another registry"]);
    bench
}

#[test]
fn tags_become_digests_and_what_has_one_is_left() {
    let registry = Registry::open();
    let (todo, shop) = (push(&registry, "todo", "1", "first"), push(&registry, "shop", "1", "shop"));
    let bench = with_images(&registry);
    let address = registry.address();
    let text = bench.text(&["pin", "--directory", "app"]);
    assert!(text.contains(&todo) && text.contains("nothing is written yet"), "{text}");
    bench.text(&["pin", "--directory", "app", "--commit"]);
    let pinned = bench.read("app/todo.yaml");
    assert!(pinned.contains(&format!("image: {address}/todo:1@{todo}\n  # Where it runs.")), "{pinned}");
    assert!(pinned.contains(&format!("image: {address}/shop:1@{shop}\n")), "{pinned}");
    assert_eq!(bench.git(&["log", "-1", "--format=%s"]), "shop, todo: pin images");

    let moved = push(&registry, "todo", "1", "second");
    assert_ne!(moved, todo);
    let text = bench.text(&["pin", "todo", "--directory", "app"]);
    assert!(text.contains("nothing to change"), "what has a digest is not asked for: {text}");
    bench.text(&["pin", "todo", "--again", "--directory", "app", "--commit"]);
    assert!(bench.read("app/todo.yaml").contains(&format!("todo:1@{moved}")));
    let subject = bench.git(&["log", "-1", "--format=%s"]);
    assert_eq!(subject, format!("todo: pin 1 ({})", &moved[7..14]));
}

#[test]
fn what_a_registry_does_not_have_or_say() {
    let registry = Registry::open();
    let bench = with_images(&registry);
    let text = bench.fails(&["pin", "todo", "--directory", "app"], 1);
    assert!(text.contains("no such repository or tag") && text.contains("/todo:1"), "{text}");
    drop(registry);
    let text = bench.fails(&["pin", "todo", "--directory", "app"], 1);
    assert!(text.contains("cannot be reached"), "{text}");
    bench.write("app/todo.yaml", &TODO.replace("registry.example.com/", ""));
    let text = bench.fails(&["pin", "todo", "--directory", "app"], 2);
    assert!(text.contains("names no registry"), "{text}");
    let text = bench.fails(&["pin", "tood", "--directory", "app"], 2);
    assert!(text.contains("no component \"tood\""), "{text}");
}

#[test]
fn what_one_registry_does_not_know_keeps_no_other_from_being_pinned() {
    let registry = Registry::open();
    let shop = push(&registry, "shop", "1", "shop");
    let bench = with_images(&registry);
    let text = bench.fails(&["pin", "--directory", "app", "--commit"], 1);
    assert!(text.contains("cannot pin todo") && text.contains("no such repository or tag"), "{text}");
    assert!(text.contains("shop: pin 1 (") && !text.contains("code:"), "{text}");
    let pinned = bench.read("app/todo.yaml");
    assert!(pinned.contains(&format!("shop:1@{shop}\n")) && pinned.contains("/todo:1\n"), "{pinned}");
    let text = bench.fails(&["pin", "--directory", "app"], 1);
    assert!(text.contains("cannot pin todo") && !text.contains("nothing to change"), "{text}");
}

#[test]
fn the_credentials_are_those_of_docker_login() {
    let registry = Registry::with_users(USERS);
    let digest = push(&registry, "todo", "1", "first");
    let bench = with_images(&registry);
    let address = registry.address();
    let text = bench.fails(&["pin", "todo", "--directory", "app"], 1);
    assert!(text.contains(&format!("docker login {address}")), "{text}");
    let config = |token: &str| {
        std::fs::create_dir_all(bench.path(".docker")).unwrap();
        let json = format!(r#"{{"auths":{{"{address}":{{"auth":"{token}"}}}}}}"#);
        std::fs::write(bench.path(".docker/config.json"), json).unwrap();
    };
    config("bWU6d3Jvbmc=");
    let text = bench.fails(&["pin", "todo", "--directory", "app"], 1);
    assert!(text.contains("do not suffice") && !text.contains("wrong"), "{text}");
    config("bWU6c2VjcmV0");
    let text = bench.text(&["pin", "todo", "--directory", "app"]);
    assert!(text.contains(&digest), "{text}");
}
