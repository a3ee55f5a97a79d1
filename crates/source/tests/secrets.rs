//! Secrets from files: for those they name, and for nobody else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::fs;

use dunlin_manifest::{File, read};
use dunlin_source::{Consumer, SecretError, SecretFiles, resolve_config};
use tempfile::TempDir;

fn secrets() -> (TempDir, SecretFiles) {
    let directory = tempfile::tempdir().unwrap();
    let api = directory.path().join("api");
    fs::create_dir(&api).unwrap();
    fs::write(api.join(".for"), "component/todo\n  provider/redis  \n").unwrap();
    fs::write(api.join("key"), "s3cret\n").unwrap();
    fs::write(api.join("lines"), "a\nb\n\n").unwrap();
    fs::write(api.join("binary"), [0xff]).unwrap();
    fs::write(api.join("large"), vec![b'a'; (1 << 20) + 1]).unwrap();
    fs::create_dir(directory.path().join("unlabelled")).unwrap();
    fs::write(directory.path().join("unlabelled/key"), "x").unwrap();
    let files = SecretFiles::new(directory.path());
    (directory, files)
}

fn todo() -> Consumer {
    Consumer::Component("todo".into())
}

#[test]
fn values() {
    let (_directory, files) = secrets();
    assert_eq!(
        files.get(&todo(), "api", "key").unwrap(),
        "s3cret",
        "without the line break that editors add"
    );
    assert_eq!(files.get(&todo(), "api", "lines").unwrap(), "a\nb\n", "and no more than that");
    assert_eq!(files.get(&Consumer::Provider("redis".into()), "api", "key").unwrap(), "s3cret");
}

#[test]
fn refusals() {
    let (directory, files) = secrets();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let message = |consumer: &Consumer, secret: &str, key: &str| {
        files.get(consumer, secret, key).unwrap_err().to_string()
    };
    assert_eq!(message(&todo(), "apo", "key"), format!("no secret \"apo\"; create {}", path("apo/key")));
    assert_eq!(
        message(&todo(), "api", "kay"),
        "secret \"api\" has no key \"kay\"; found binary, key, large, lines"
    );
    let other = Consumer::Component("redis".into());
    assert_eq!(
        message(&other, "api", "key"),
        format!(
            "secret \"api\" is not for component/redis; add a line component/redis to {}",
            path("api/.for")
        )
    );
    assert!(matches!(files.get(&todo(), "unlabelled", "key"), Err(SecretError::NotForYou { .. })));
    assert_eq!(message(&todo(), "api", "binary"), "key \"binary\" of secret \"api\" is not UTF-8");
    assert_eq!(message(&todo(), "api", "large"), "key \"large\" of secret \"api\" is larger than 1 MiB");
    for name in ["..", ".", "", "a/b", ".for", "../api", "a\0b"] {
        assert!(matches!(files.get(&todo(), name, "key"), Err(SecretError::Name { .. })), "{name:?}");
        assert!(matches!(files.get(&todo(), "api", name), Err(SecretError::Name { .. })), "{name:?}");
    }
    // Whoever may not use a secret does not learn its keys.
    assert!(matches!(files.get(&other, "api", "kay"), Err(SecretError::NotForYou { .. })));
}

#[test]
fn config_is_resolved_or_every_reason_is_told() {
    let (_directory, files) = secrets();
    let spec = |config: &str| {
        let text = format!(
            "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: {{ name: l }}\nspec: {{ sites: {{ gcp: {{}} }} }}\n---\napiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: {{ name: todo }}\nspec: {{ image: todo, sites: {{}}, config: {{ {config} }} }}\n"
        );
        let reading = read(&[File { path: "t".into(), text }]);
        assert_eq!(reading.mistakes, vec![]);
        reading.snapshot.components["todo"].spec.clone()
    };
    let good = spec("LEVEL: { value: info }, KEY: { valueFrom: { secretKeyRef: { name: api, key: key } } }");
    let values = resolve_config("todo", &good, &files).unwrap();
    assert_eq!(
        values.into_iter().collect::<Vec<_>>(),
        [("KEY".into(), "s3cret".into()), ("LEVEL".into(), "info".to_owned())]
    );
    let bad = spec(
        "A: { valueFrom: { secretKeyRef: { name: apo, key: key } } }, B: { valueFrom: { secretKeyRef: { name: api, key: kay } } }",
    );
    let errors = resolve_config("todo", &bad, &files).unwrap_err();
    assert_eq!(errors.iter().map(|error| error.key.as_str()).collect::<Vec<_>>(), ["A", "B"]);
    assert!(
        resolve_config("other", &good, &files).unwrap_err()[0]
            .to_string()
            .starts_with("config KEY: secret \"api\" is not for")
    );
}
