//! What is refused before it runs, and in which words; and what the cache saves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use common::{engine, eventually, guest, whole};
use dunlin_runtime::{Bindings, CompileError, Egress, Engine, EngineConfig, Limits, PrepareError};

fn wasm(text: &str) -> Bytes {
    Bytes::from(wat::parse_str(text).unwrap())
}

#[tokio::test]
async fn bytes_that_cannot_run_are_told_apart() {
    let engine =
        Engine::new(EngineConfig { largest_component: 10_000, instances: 10, ..EngineConfig::default() })
            .unwrap();
    let compile = async |bytes: Bytes| engine.compile(bytes).await.unwrap_err();
    assert!(matches!(compile(Bytes::from_static(b"hello")).await, CompileError::NotWebAssembly { .. }));
    assert_eq!(compile(wasm("(module)")).await, CompileError::CoreModule);
    assert_eq!(compile(wasm("(component)")).await, CompileError::NothingUsable { exports: vec![] });
    let command = "(component (component $c (import \"f\" (func $f)) (export \"run\" (func $f)))
        (core module $m (func (export \"f\"))) (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i \"f\"))) (instance $r (instantiate $c (with \"f\" (func $f))))
        (export \"wasi:cli/run@0.2.0\" (instance $r)))";
    let error = compile(wasm(command)).await;
    assert_eq!(error, CompileError::NothingUsable { exports: vec!["wasi:cli/run@0.2.0".to_owned()] });
    assert!(error.to_string().contains("wasi:http/incoming-handler"), "{error}");
    assert!(matches!(compile(Bytes::from(vec![0; 10_001])).await, CompileError::TooLarge { .. }));
    let mut broken = wasm(&guest("")).to_vec();
    broken.truncate(3_000);
    assert!(matches!(compile(Bytes::from(broken)).await, CompileError::Invalid(_)));
}

/// A component that imports `names` as empty interfaces and exports an interface of its own.
fn importing(names: &[&str]) -> String {
    let imports: String = names.iter().map(|name| format!("(import \"{name}\" (instance))")).collect();
    format!("(component {imports} (instance $i) (export \"example:greeter/greet\" (instance $i)))")
}

#[tokio::test]
async fn every_import_without_a_link_is_named() {
    let engine = engine();
    let names = [
        "wasi:keyvalue/store@0.2.0-draft2",
        "wasi:http/types@0.2.3",
        "wasi:http/outgoing-handler@0.2.3",
        "example:other/thing@1.0.0",
        "wasi:config/store@0.2.0-rc.1",
    ];
    let compiled = engine.compile(wasm(&importing(&names))).await.unwrap();
    assert_eq!(compiled.imports(), names);
    let error = engine.prepare(&compiled, Bindings::default(), Limits::default()).unwrap_err();
    let PrepareError::Unlinked { imports } = &error else { panic!("{error}") };
    assert_eq!(*imports, [names[0], names[2], names[3]]);
    let text = error.to_string();
    for hint in ["provider: { name: … }", "egress: { hosts: [\"…\"] }", "component: { name: … }"] {
        assert!(text.contains(hint), "{text}");
    }
    let egress = Egress::new(["example.com"], Duration::from_secs(1)).unwrap();
    let bindings = Bindings { egress: Some(egress), ..Bindings::default() };
    let error = engine.prepare(&compiled, bindings, Limits::default()).unwrap_err();
    assert_eq!(error, PrepareError::Unlinked { imports: vec![names[0].to_owned(), names[3].to_owned()] });
}

#[tokio::test]
async fn a_component_that_begins_beyond_its_limit_is_refused() {
    let engine = engine();
    let compiled = engine.compile(wasm(&guest(""))).await.unwrap();
    let limits = Limits { memory: 65_536, ..Limits::default() };
    let error = engine.prepare(&compiled, Bindings::default(), limits).unwrap_err();
    assert_eq!(error, PrepareError::Memory { needed: 131_072, limit: 65_536 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_compiled_is_kept_and_what_is_damaged_is_compiled_again() {
    let home = tempfile::tempdir().unwrap();
    // The last instance of the engine before may take a moment to go.
    let open = async || {
        let mut engine = None;
        eventually("the cache is free", || {
            let cache = Some(home.path().to_owned());
            engine = Engine::new(EngineConfig { cache, instances: 10, ..EngineConfig::default() }).ok();
            engine.is_some()
        })
        .await;
        engine.unwrap()
    };
    let bytes = wasm(&guest("(call $ok (local.get $out))"));
    let serves = async |engine: &Engine| {
        let compiled = engine.compile(bytes.clone()).await.unwrap();
        let workload = engine.prepare(&compiled, Bindings::default(), Limits::default()).unwrap();
        assert_eq!(whole(&workload, "/").await.1, "ok");
        compiled
    };
    let digest = serves(&open().await).await.digest().to_owned();
    let code = fs::read_dir(home.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|suffix| suffix == "cwasm"))
        .unwrap();
    assert!(code.to_str().unwrap().contains(digest.trim_start_matches("sha256:")));
    let good = fs::read(&code).unwrap();
    // What is not there, what is cut short, and what somebody changed.
    for damage in [None, Some(&good[..good.len() / 2]), Some(&[good.as_slice(), b"more"].concat())] {
        match damage {
            None => fs::remove_file(&code).unwrap(),
            Some(bytes) => fs::write(&code, bytes).unwrap(),
        }
        serves(&open().await).await;
        assert_eq!(fs::read(&code).unwrap().len(), good.len());
    }
    // And what is good is not written again.
    let written = fs::read(&code).unwrap();
    serves(&open().await).await;
    assert_eq!(fs::read(&code).unwrap(), written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_component_is_compiled_once() {
    let engine = engine();
    let bytes = wasm(&guest("(call $ok (local.get $out))"));
    let (first, second) = tokio::join!(engine.compile(bytes.clone()), engine.compile(bytes));
    assert!(std::sync::Arc::ptr_eq(&first.unwrap(), &second.unwrap()));
}
