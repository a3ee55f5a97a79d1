//! Wrong input: each mistake has its own words and its way out, and nothing is lost.

use std::process::Command;

use crate::http::{get, send};
use crate::world::{World, guest};

fn fails(arguments: &[&str], code: i32, words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_dunlin"))
        .args(arguments)
        .env("XDG_RUNTIME_DIR", folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    for word in words {
        assert!(text.contains(word), "{arguments:?}: {word:?} is missing in:\n{text}");
    }
}

#[test]
fn the_command_line_says_what_is_wrong_and_the_way_out() {
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().to_str().unwrap();
    fails(&["dev", path], 2, &["no sites", "kind: Lattice"]);
    fails(&["dev", "no/such/directory"], 2, &["no/such/directory"]);
    fails(&["dev", path, "--wasm", "todo=no-such-file"], 2, &["no-such-file", "build the component first"]);
    fails(&["dev", "--git", path], 2, &[path, "no Git repository", "git init"]);
    fails(&["dev", path, "--wasm", "todo"], 2, &["COMPONENT=FILE"]);
    fails(&["status"], 1, &["no `dunlin dev` runs", "dunlin dev"]);
    fails(&["move", "todo", "gcp"], 2, &["SITE=REPLICAS"]);
    let todo = concat!(env!("CARGO_MANIFEST_DIR"), "/../../apps/todo/manifests");
    fails(&["move", "tood", "gcp=1", "--directory", todo], 2, &["tood", "todo"]);
    fails(&["move", "todo", "gpc=1", "--directory", todo], 2, &["gpc", "gcp"]);
    fails(&["diff", todo], 2, &["nothing to compare with", "no `dunlin dev` runs", "start one"]);
    fails(&["dev", todo, "--sites", "mars"], 2, &["unknown site \"mars\"", "gcp"]);
    fails(&["dev", todo, "--hosts", "0"], 2, &["--hosts"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    fails(&["dev", todo, "--port", &port], 2, &["is taken", "--port"]);
}

/// A lattice of one site with one component of this code.
fn with_code(name: &str, code: &[u8]) -> (World, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(format!("{name}.wasm"));
    std::fs::write(&file, code).unwrap();
    let manifest = format!(
        "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: {{ name: l }}\nspec: {{ sites: {{ a: {{}} }} }}\n---\n\
         apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: {{ name: {name} }}\n\
         spec: {{ image: \"example.com/{name}:1\", sites: {{ a: {{}} }}, http: {{}} }}\n"
    );
    let argument = format!("{name}={}", file.display());
    (World::start(&[("all.yaml", manifest)], &[], &["--hosts", "1", "--wasm", &argument]), folder)
}

#[test]
fn code_that_cannot_run_is_refused_in_words() {
    let core = b"\0asm\x01\0\0\0".as_slice();
    let component = b"\0asm\x0d\0\x01\0".as_slice();
    let unlinked = std::fs::read(guest("unlinked")).unwrap();
    let cases: [(&str, &[u8], &[&str]); 4] = [
        ("text", b"hello, this is text", &["not WebAssembly"]),
        ("core", core, &["core", "module", "component"]),
        ("empty", component, &["wasi:http"]),
        ("unlinked", &unlinked, &["example:missing/thing"]),
    ];
    for (name, code, words) in cases {
        let (world, _folder) = with_code(name, code);
        let message = world.wait_for("the condition", || {
            let conditions = world.status()?["conditions"].as_array()?.clone();
            let object = format!("component/{name}");
            // Until it was tried there are other conditions: no live host yet, none ready.
            let failed = |found: &&serde_json::Value| {
                found["object"] == object.as_str() && found["reason"] == "Failed"
            };
            Some(conditions.iter().find(failed)?["message"].as_str()?.to_owned())
        });
        for word in words {
            assert!(message.contains(word), "{name}: {word:?} is missing in: {message}");
        }
        // A host takes requests once it knows who else is there.
        let answer = world.wait_for("an answer", || get(&world.site("a")).ok());
        assert_eq!(answer.status, 503, "{name}");
    }
}

#[test]
fn requests_that_make_no_sense_get_a_sensible_status() {
    let world = World::todo(&["--sites", "gcp"]);
    let site = world.site("gcp");
    let big = format!(r#"{{"title":"{}"}}"#, "x".repeat(20 << 20));
    for (method, path, body, expected) in [
        ("POST", "/api", Some("not json"), 400),
        ("POST", "/api", Some("{\"title\":7}"), 400),
        ("POST", "/api", Some(big.as_str()), 413),
        ("GET", "/api/../../etc/passwd", None, 404),
        ("GET", "/api/99", None, 404),
        ("PUT", "/api", Some("{}"), 405),
    ] {
        let answer = send(method, &format!("{site}{path}"), body);
        match answer {
            Ok(answer) => assert_eq!(answer.status, expected, "{method} {path}: {answer:?}"),
            // A server may close on a body that it will not read before the client has sent all of it.
            Err(error) => assert_eq!(expected, 413, "{method} {path}: {error}"),
        }
    }
    assert_eq!(
        get(&format!("{site}/api")).unwrap().body.trim(),
        "[]",
        "nothing was stored, nothing is broken"
    );
}

#[test]
fn a_store_that_is_damaged_is_said_and_left_as_it_is() {
    let data = tempfile::tempdir().unwrap();
    let stores = data.path().join("gcp-1/stores");
    std::fs::create_dir_all(&stores).unwrap();
    std::fs::write(stores.join("redis.redb"), b"this is no database, whatever its name says").unwrap();
    let todo = concat!(env!("CARGO_MANIFEST_DIR"), "/../../apps/todo/manifests");
    let files: Vec<_> = std::fs::read_dir(todo)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                std::fs::read_to_string(&path).unwrap(),
            )
        })
        .collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    let arguments = ["--data", data.path().to_str().unwrap()];
    let world = World::start(&files, &[("todo", "todo")], &arguments);
    let message = world.wait_for("the condition", || {
        let conditions = world.status()?["conditions"].as_array()?.clone();
        let found = conditions.iter().find(|condition| condition["object"] == "provider/redis")?;
        Some(found["message"].as_str()?.to_owned())
    });
    assert!(message.contains("redis.redb"), "{message}");
    let left = std::fs::read(stores.join("redis.redb")).unwrap();
    assert_eq!(left, b"this is no database, whatever its name says");
}
