//! Mistakes in objects as such, and in YAML.

use dunlin_manifest::{File, read};
use expect_test::expect;

use super::{LATTICE, check, check_files, component};

#[test]
fn objects() {
    let todo = component("sites: {}");
    check(
        &format!("{todo}---\n{todo}"),
        expect![[r#"
        t.yaml:10:19: metadata.name: WasmComponent/todo a second time: the first is in t.yaml:1
    "#]],
    );
    check(
        &format!("{LATTICE}---\n{}", LATTICE.replace("name: todo", "name: other")),
        expect![[r#"
        t.yaml:3:19: metadata.name: Lattice/todo a second time: the first is in lattice.yaml:1
        t.yaml:8:19: metadata.name: a second Lattice: the first is in lattice.yaml:1
    "#]],
    );
    check(
        &todo.replace("name: todo", "name: Todo_App"),
        expect![[r#"
        t.yaml:3:19: metadata.name: "Todo_App": did you mean "todo-app"? (allowed: a DNS label: 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends)
    "#]],
    );
    check(
        &todo.replace("metadata: { name: todo }\n", ""),
        expect![[r#"
        t.yaml:1:1: the field "metadata" is missing: it takes a mapping with annotations, labels, name
    "#]],
    );
    check(
        &todo.replace("v1alpha1", "v1"),
        expect![[r#"
        t.yaml:1:13: apiVersion: "dunlin.dev/v1" (allowed: dunlin.dev/v1alpha1)
    "#]],
    );
    check(
        &todo.replace("WasmComponent", "WasmComponet"),
        expect![[r#"
        t.yaml:2:7: kind: unknown kind "WasmComponet": did you mean "WasmComponent"? (allowed: Lattice, WasmComponent, WasmProvider)
    "#]],
    );
    check(
        &todo.replace("dunlin.dev/v1alpha1", "dunlin.dve/v1alpha1"),
        expect![[r#"
        t.yaml:1:13: apiVersion: the apiVersion "dunlin.dve/v1alpha1" (allowed: dunlin.dev/v1alpha1)
    "#]],
    );
    check(
        &todo.replace("apiVersion: dunlin.dev/v1alpha1\n", ""),
        expect![[r#"
        t.yaml:1:1: apiVersion: no apiVersion (allowed: dunlin.dev/v1alpha1)
    "#]],
    );
    check(
        &todo.replace("{ name: todo }", "{ name: todo, label: {}, labels: { a/b/c: x } }"),
        expect![[r#"
            t.yaml:3:25: metadata.label: unknown field "label": did you mean "labels"? (allowed: annotations, labels, name)
            t.yaml:3:46: metadata.labels["a/b/c"]: the name "a/b/c" (allowed: a label key as in Kubernetes: disk or example.com/disk)
        "#]],
    );
    check_files(
        &[("t.yaml", &todo)],
        expect![[r#"
        t.yaml:1:1: no Lattice in any file: add one that names the sites: kind: Lattice, spec: { sites: { gcp: {}, aws: {} } } (allowed: exactly one)
    "#]],
    );
    check_files(
        &[("l.yaml", &LATTICE.replace("{ gcp: {}, aws: {} }", "{}"))],
        expect![[r#"
        l.yaml:4:16: spec.sites: nothing in it (allowed: at least one entry)
    "#]],
    );
}

#[test]
fn others_are_passed_over() {
    check(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a, a]\n",
        expect![[r#""#]],
    );
    check(
        "apiVersion: v1\nkind: Secret\nmetadata: { name: a }\n---\napiVersion: apps/v1\nkind: Deployment\n---\n# nothing\n",
        expect![[r#""#]],
    );
    check("apiVersion: core.oam.dev/v1beta1\nkind: WasmComponent\n", expect![[r#""#]]);
    check("- op: replace\n  path: /spec\n", expect![[r#""#]]);
    check("replicas: 3\n", expect![[r#""#]]);
    check("", expect![[r#""#]]);
}

#[test]
fn lists() {
    let list = "\
apiVersion: v1
kind: List
items:
- apiVersion: dunlin.dev/v1alpha1
  kind: WasmComponent
  metadata: { name: todo, namespace: team, creationTimestamp: null, uid: 1, generation: 3 }
  spec:
    image: todo
    sites: { gpc: {} }
  status: { ready: 1 }
- apiVersion: v1
  kind: Secret
";
    check(
        list,
        expect![[r#"
        t.yaml:9:14: items[0].spec.sites.gpc: unknown site "gpc": did you mean "gcp"? (allowed: aws, gcp)
    "#]],
    );
}

#[test]
fn broken_yaml() {
    check(
        "a: [1, 2\nb: 3\n",
        expect![[r#"
        t.yaml:2:2: not YAML: illegal placement of ':' indicator: objects of this file stay as they were
    "#]],
    );
    check(
        "just words\n",
        expect![[r#"
        t.yaml:1:1: "just words" (allowed: documents that are mappings with apiVersion and kind)
    "#]],
    );
    check(
        "a: *nobody\n",
        expect![[r#"
        t.yaml:1:4: not YAML: while parsing node, found unknown anchor: objects of this file stay as they were
    "#]],
    );
    check("\ta: 1\n", expect![[r#""#]]);
    check(
        &"[".repeat(100),
        expect![[r#"
        t.yaml:1:65: more than 64 levels of nesting: objects of this file stay as they were
    "#]],
    );
    check(
        &"{a: ".repeat(100_000),
        expect![[r#"
        t.yaml:1:1021: not YAML: recursion limit exceeded: objects of this file stay as they were
    "#]],
    );
    let bomb = (1..30).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        let item = format!("*a{}", level - 1);
        format!(
            "{text}a{level}: &a{level} [{item}, {item}, {item}, {item}, {item}, {item}, {item}, {item}]\n"
        )
    });
    check(
        &bomb,
        expect![[r#"
            t.yaml:6:25: more than 16 MiB once aliases are written out: objects of this file stay as they were
        "#]],
    );
}

#[test]
fn anchors_and_merge_keys_are_written_out() {
    let yaml = component(
        "sites:\n  gcp: &common { replicas: 2, hostLabels: { disk: ssd } }\n  aws: { <<: *common, replicas: 1 }",
    );
    check(&yaml, expect![[r#""#]]);
    check(
        &component("sites:\n  gcp: &wrong { replica: 2 }\n  aws: *wrong"),
        expect![[r#"
        t.yaml:7:19: spec.sites.gcp.replica: unknown field "replica": did you mean "replicas"? (allowed: hostLabels, replicas)
        t.yaml:8:10: spec.sites.aws.replica: unknown field "replica": did you mean "replicas"? (allowed: hostLabels, replicas)
    "#]],
    );
}

#[test]
fn positions_count_characters_after_a_byte_order_mark_and_carriage_returns() {
    check(
        "\u{feff}apiVersion: dunlin.dev/v1alpha1\r\nkind: WasmComponent\r\nmetadata: { labels: { é: x }, nam: todo }\r\nspec: {}\r\n",
        expect![[r#"
            t.yaml:3:11: metadata: the field "name" is missing: it takes a DNS label: 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends
            t.yaml:3:23: metadata.labels["é"]: the name "é" (allowed: a label key as in Kubernetes: disk or example.com/disk)
            t.yaml:3:31: metadata.nam: unknown field "nam": did you mean "name"? (allowed: annotations, labels, name)
            t.yaml:4:7: spec: the field "image" is missing: it takes an OCI reference such as registry.example.com/todo:1.4.0@sha256:…
            t.yaml:4:7: spec: the field "sites" is missing: it takes a mapping
        "#]],
    );
}

/// Each took minutes when something looked at all entries for each entry.
#[test]
fn large_texts_take_time_in_proportion() {
    let lines = |line: &dyn Fn(usize) -> String| (0..20_000).map(line).collect::<String>();
    let spec = LATTICE.replace("spec: { sites: { gcp: {}, aws: {} } }\n", "spec:\n");
    let routes = lines(&|n| {
        component("sites: {}\nhttp: { path: /a }").replace("name: todo", &format!("name: c{n}")) + "---\n"
    });
    for (text, expected) in [
        (format!("{spec}  sites:\n{}", lines(&|n| format!("    k{n}: {{}}\n"))), 1),
        (format!("{spec}{}", lines(&|n| format!("  k{n}: 1\n"))), 1001),
        (format!("{LATTICE}---\n{routes}"), 1001),
        (lines(&|n| format!("k{n}: 1\n")), 0),
    ] {
        assert_eq!(read(&[File { path: "t".into(), text }]).mistakes.len(), expected);
    }
}
