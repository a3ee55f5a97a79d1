//! Every kind of mistake, as a reader sees it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod bindings;
mod component;
mod documents;

use dunlin_manifest::{File, read};
use expect_test::Expect;

const LATTICE: &str = "\
apiVersion: dunlin.dev/v1alpha1
kind: Lattice
metadata: { name: todo }
spec: { sites: { gcp: {}, aws: {} } }
";

/// Checks one file beside a good lattice.
fn check(yaml: &str, expected: Expect) {
    check_files(&[("lattice.yaml", LATTICE), ("t.yaml", yaml)], expected);
}

fn check_files(files: &[(&str, &str)], expected: Expect) {
    let files: Vec<File> =
        files.iter().map(|(path, text)| File { path: (*path).into(), text: (*text).into() }).collect();
    let mistakes = read(&files).mistakes;
    let text: String = mistakes.iter().map(|mistake| format!("{mistake}\n")).collect();
    expected.assert_eq(&text);
}

fn component(spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: {{ name: todo }}\nspec:\n  image: todo\n{spec}"
    )
}

fn provider(spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!("apiVersion: dunlin.dev/v1alpha1\nkind: WasmProvider\nmetadata: {{ name: redis }}\nspec:\n{spec}")
}
