//! A lattice that seems to run: it answers what a host would, and is found as a `dunlin dev`.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use dunlin_host::status::{Manifests, Status};
use dunlin_manifest::{File, HostId, read};
use serde_json::{Value, json};

use crate::workbench::Bench;

/// Lets a lattice seem to run what `app` of the clone says now, whose files it names `prefix` and their own name. It
/// follows the clone's branch, or without `git` the directory.
pub fn run(bench: &Bench, prefix: &str, git: bool) {
    let files = ["lattice.yaml", "redis.yaml", "todo.yaml"]
        .map(|name| File { path: format!("{prefix}{name}"), text: bench.read(&format!("app/{name}")) });
    let reading = read(&files);
    assert!(reading.mistakes.is_empty(), "{:?}", reading.mistakes);
    let revision = if git { bench.git(&["rev-parse", "HEAD"]) } else { "dir-0123456789ab".to_owned() };
    let status = Status { lattice: "todo".into(), revision: revision.clone(), ..Status::default() };
    let manifests = Manifests { revision, snapshot: reading.snapshot };
    let answers = [
        ("/v1/status", serde_json::to_string(&status).unwrap()),
        ("/v1/manifests", serde_json::to_string(&manifests).unwrap()),
    ];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mine = bench.mine();
    let follows = git.then(|| json!({ "url": mine, "branch": Value::Null, "path": "app", "tree": mine }));
    let announced = json!({
        "process": 7, "directory": mine.join("app"), "git": follows, "control": address, "token": "", "sites": [],
        "hosts": [(HostId::new("gcp", "gcp-1"), address, address)],
    });
    let folder = bench.path("runtime/dunlin");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("dev-7.json"), announced.to_string()).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut line = String::new();
            let asked = BufReader::new(&stream).read_line(&mut line);
            let found = answers.iter().find(|(path, _)| line.split(' ').nth(1) == Some(*path));
            // Whoever only looks whether somebody listens asks nothing.
            if let (Ok(1..), Some((_, body))) = (asked, found) {
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
                );
                drop((&stream).write_all(format!("{head}{body}").as_bytes()));
            }
        }
    });
}
