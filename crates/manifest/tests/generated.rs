//! The generated files are not stale, and the schema says what the reader says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use dunlin_manifest::{File, json_schema, read, reference_page};
use expect_test::expect_file;
use serde_json::Value;

/// Fails when a file is stale; `UPDATE_EXPECT=1 cargo test -p dunlin-manifest --test generated` writes it anew.
#[test]
fn the_schema_is_not_stale() {
    let schema = serde_json::to_string_pretty(&json_schema()).unwrap() + "\n";
    expect_file!["../../../docs/reference/dunlin.schema.json"].assert_eq(&schema);
}

/// Fails when a file is stale; `UPDATE_EXPECT=1 cargo test -p dunlin-manifest --test generated` writes it anew.
#[test]
fn the_reference_page_is_not_stale() {
    expect_file!["../../../docs/reference/manifest.md"].assert_eq(&reference_page());
}

#[test]
fn every_field_has_a_meaning() {
    for line in reference_page().lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.split(" | ").collect();
        assert!(cells.last().is_some_and(|meaning| meaning.len() > 10), "{line}");
    }
}

/// A complete implementation of JSON Schema, over single objects in JSON, agrees with the reader as long as
/// no object other than this one is involved.
#[test]
fn editors_say_what_the_reader_says() {
    let validator = jsonschema::validator_for(&json_schema()).unwrap();
    let good = serde_json::json!({
        "apiVersion": "dunlin.dev/v1alpha1", "kind": "WasmComponent", "metadata": { "name": "todo" },
        "spec": {
            "image": "todo", "sites": { "gcp": { "replicas": 2 } }, "http": { "path": "/api" },
            "links": { "out": { "import": "wasi:http/outgoing-handler", "egress": { "hosts": ["a.b"] }, "timeout": "3s" } },
            "config": { "A": { "value": "a" } }, "readiness": { "path": "/" },
            "resources": { "limits": { "memory": "64Mi" } }, "maxConcurrency": 5,
            "update": { "canary": { "weight": 10, "hold": "30s", "abort": { "errorRatio": "0.02", "minRequests": 100 } } }
        }
    });
    let changes: &[(&str, Value)] = &[
        ("/spec/maxConcurrency", 5.into()),
        ("/spec/maxConcurrency", 0.into()),
        ("/spec/maxConcurrency", "5".into()),
        ("/spec/sites", serde_json::json!({ "Gcp": {} })),
        ("/spec/sites/gcp/replicas", "all".into()),
        ("/spec/sites/gcp/replicas", "some".into()),
        ("/spec/sites/gcp/replicas", 1001.into()),
        ("/spec/sites/gcp", Value::Null),
        ("/spec/http/path", "api".into()),
        ("/spec/http", serde_json::json!({ "remote": "Never" })),
        ("/spec/links/out/timeout", "3".into()),
        ("/spec/links/out/timeout", 3.into()),
        ("/spec/links/out/import", "wasi".into()),
        ("/spec/links/out/egress", serde_json::json!({ "hosts": [] })),
        ("/spec/links/out", serde_json::json!({ "import": "wasi:http" })),
        ("/spec/config/A", serde_json::json!({})),
        (
            "/spec/config/A",
            serde_json::json!({ "value": "a", "valueFrom": { "secretKeyRef": { "name": "a", "key": "b" } } }),
        ),
        ("/spec/resources/limits/memory", 67_108_864.into()),
        ("/spec/resources/limits/memory", "64MB".into()),
        ("/spec/readiness", serde_json::json!({ "paths": "/" })),
        ("/spec/update/canary/abort/errorRatio", "2%".into()),
        ("/spec/update/canary/abort/errorRatio", "1.01".into()),
        ("/spec/update/canary/abort/errorRatio", "1.0".into()),
        ("/spec/update/canary/abort/errorRatio", 1.into()),
        ("/spec/update/canary/abort/minRequests", 0.into()),
        ("/spec/update/canary/weight", 100.into()),
        ("/metadata/name", "Todo".into()),
        ("/kind", "WasmComponet".into()),
        ("/apiVersion", "dunlin.dev/v2".into()),
    ];
    assert!(validator.is_valid(&good));
    for (pointer, value) in changes {
        let mut object = good.clone();
        *object.pointer_mut(pointer).unwrap() = value.clone();
        let lattice = "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: { name: l }\nspec: { sites: { gcp: {} } }\n";
        let file = |path: &str, text: String| File { path: path.into(), text };
        let reading = read(&[file("l.yaml", lattice.into()), file("t.yaml", object.to_string())]);
        assert_eq!(
            validator.is_valid(&object),
            reading.mistakes.is_empty(),
            "{pointer} {value}: {:?}",
            reading.mistakes
        );
    }
}
