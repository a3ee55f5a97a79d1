//! Every kind of mistake, as a reader sees it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use dunlin_manifest::{File, read};
use expect_test::{Expect, expect};

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

#[test]
fn the_example_of_the_design_has_only_what_comes_later() {
    let example = "\
apiVersion: dunlin.dev/v1alpha1
kind: WasmComponent
metadata: { name: todo }
spec:
  image: registry.example.com/todo:1.4.0@sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
  sites: { gcp: { replicas: 2 }, aws: { replicas: 1 } }       # a number, or all (the default)
  failover: { after: 30s, to: [aws], back: 30s }
  http: { path: /, remote: Allow }    # hostnames: [...] optional; Deny: never forwarded to another site
  links:
    store: { import: \"wasi:keyvalue\", provider: { name: redis }, bucket: todo, timeout: 2s }
    stripe: { import: \"wasi:http/outgoing-handler\", egress: { hosts: [api.stripe.com] }, timeout: 3s }
  config:
    LOG_LEVEL: { value: info }
    API_KEY: { valueFrom: { secretKeyRef: { name: api, key: key } } }
  readiness: { path: /api }
  resources: { limits: { memory: 64Mi } }
  timeouts: { request: 5s }
  maxConcurrency: 200
---
apiVersion: dunlin.dev/v1alpha1
kind: WasmProvider
metadata: { name: redis }
spec:
  keyvalue: { redis: { secretRef: { name: redis-auth } } }
  sites: { gcp: { url: \"redis://redis:6379\" } }
";
    check(
        example,
        expect![[r#"
        t.yaml:7:3: spec.failover: "failover" is not in this version yet: leave it out
    "#]],
    );
}

#[test]
fn sites() {
    check(
        &component("sites:\n  gpc: { replicas: 2 }"),
        expect![[r#"
        t.yaml:7:5: spec.sites.gpc: unknown site "gpc": did you mean "gcp"? (allowed: aws, gcp)
    "#]],
    );
    check(
        &component("sites: { azure: {} }"),
        expect![[r#"
        t.yaml:6:12: spec.sites.azure: unknown site "azure" (allowed: aws, gcp)
    "#]],
    );
    check(
        &component("sites:\n  gcp:\n  aws: { replicas: -1 }"),
        expect![[r#"
        t.yaml:7:8: spec.sites.gcp: nothing: write {} or leave the field out (allowed: a mapping with hostLabels, replicas)
        t.yaml:8:22: spec.sites.aws.replicas: -1 (allowed: a whole number from 0 to 1000, or all)
    "#]],
    );
    check(
        &component("sites: { gcp: { replicas: two, hostLabels: { disk: 1, \"a b\": c } } }"),
        expect![[r#"
            t.yaml:6:29: spec.sites.gcp.replicas: "two" (allowed: a whole number from 0 to 1000, or all)
            t.yaml:6:54: spec.sites.gcp.hostLabels.disk: the number 1: put it in quotes (allowed: a label value as in Kubernetes: at most 63 letters, digits, -, _ and .)
            t.yaml:6:57: spec.sites.gcp.hostLabels["a b"]: the name "a b": did you mean "a-b"? (allowed: a label key as in Kubernetes: disk or example.com/disk)
        "#]],
    );
    check(&component("sites: { gcp: { replicas: 0 }, aws: { replicas: all } }"), expect![[r#""#]]);
    check(
        &component("suspend: true"),
        expect![[r#"
        t.yaml:5:3: spec: the field "sites" is missing: it takes a mapping
    "#]],
    );
}

#[test]
fn fields() {
    check(
        &component("sites: {}\nmaxConcurency: 5\nreplicas: 3"),
        expect![[r#"
        t.yaml:7:3: spec.maxConcurency: unknown field "maxConcurency": did you mean "maxConcurrency"? (allowed: config, failover, http, image, links, maxConcurrency, readiness, resources, sites, suspend, timeouts, update)
        t.yaml:8:3: spec.replicas: unknown field "replicas" (allowed: config, failover, http, image, links, maxConcurrency, readiness, resources, sites, suspend, timeouts, update)
    "#]],
    );
    check(
        &component("sites: {}\nsuspend: 1\nmaxConcurrency: many"),
        expect![[r#"
        t.yaml:7:12: spec.suspend: the number 1 (allowed: true or false)
        t.yaml:8:19: spec.maxConcurrency: "many" (allowed: a whole number from 1 to 10000)
    "#]],
    );
    check(
        &component("sites: {}\nmaxConcurrency: 0\nreadiness: /api"),
        expect![[r#"
        t.yaml:7:19: spec.maxConcurrency: 0 (allowed: a whole number from 1 to 10000)
        t.yaml:8:14: spec.readiness: "/api" (allowed: a mapping with path)
    "#]],
    );
    check(
        &component("sites: {}\nsites: {}"),
        expect![[r#"
        t.yaml:7:3: spec.sites: "sites" a second time: the first is on line 6
    "#]],
    );
    check(
        &component("sites: {}\nhttp:\nreadiness: {}"),
        expect![[r#"
        t.yaml:7:7: spec.http: nothing: write {} or leave the field out (allowed: a mapping with hostnames, path, remote)
        t.yaml:8:14: spec.readiness: the field "path" is missing: it takes a path that begins with / and has no .., ?, #, % or blank
    "#]],
    );
    check(
        &component(
            "sites: {}\nhttp: { path: api, remote: deny, hostnames: [Todo.example.com, \"*.b\", a, a] }",
        ),
        expect![[r#"
            t.yaml:7:17: spec.http.path: "api": did you mean "/api"? (allowed: a path that begins with / and has no .., ?, #, % or blank)
            t.yaml:7:30: spec.http.remote: "deny": did you mean "Deny"? (allowed: Allow or Deny)
            t.yaml:7:48: spec.http.hostnames[0]: "Todo.example.com": did you mean "todo.example.com"? (allowed: a hostname such as todo.example.com, without port or wildcard)
            t.yaml:7:66: spec.http.hostnames[1]: "*.b" (allowed: a hostname such as todo.example.com, without port or wildcard)
            t.yaml:7:76: spec.http.hostnames[3]: "a" a second time: leave it out
        "#]],
    );
    check(
        &component(
            "sites: {}\nfailover: { after: 5s, to: [gpc] }\nupdate: { canary: { percent: 5, for: 1m } }",
        ),
        expect![[r#"
            t.yaml:7:3: spec.failover: "failover" is not in this version yet: leave it out
            t.yaml:7:22: spec.failover.after: "5s" (allowed: from 10s to 24h)
            t.yaml:7:31: spec.failover.to[0]: unknown site "gpc": did you mean "gcp"? (allowed: aws, gcp)
            t.yaml:8:3: spec.update: "update" is not in this version yet: leave it out
        "#]],
    );
}

#[test]
fn limits() {
    check(
        &component("sites: {}\nresources: { limits: { memory: 64MB } }\ntimeouts: { request: 5 }"),
        expect![[r#"
            t.yaml:7:34: spec.resources.limits.memory: "64MB": did you mean "64M"? (allowed: an amount of memory such as 64Mi)
            t.yaml:8:24: spec.timeouts.request: the number 5: put it in quotes (allowed: a time such as 5s, 500ms or 1m30s)
        "#]],
    );
    check(
        &component("sites: {}\nresources: { limits: { memory: 8Gi, cpu: 1 } }\ntimeouts: { request: 2h }"),
        expect![[r#"
            t.yaml:7:34: spec.resources.limits.memory: "8Gi" (allowed: from 1Mi to 4Gi)
            t.yaml:7:39: spec.resources.limits.cpu: unknown field "cpu" (allowed: memory)
            t.yaml:8:24: spec.timeouts.request: "2h" (allowed: from 1ms to 1h)
        "#]],
    );
    check(
        &component("sites: {}\nresources: { limits: { memory: 1024 } }\ntimeouts: { request: 0s }"),
        expect![[r#"
            t.yaml:7:34: spec.resources.limits.memory: "1024" (allowed: from 1Mi to 4Gi)
            t.yaml:8:24: spec.timeouts.request: "0s" (allowed: from 1ms to 1h)
        "#]],
    );
    check(
        &component("sites: {}\nresources: { limits: { memory: 67108864 } }\ntimeouts: { request: \"10\" }"),
        expect![[r#"
            t.yaml:8:24: spec.timeouts.request: "10": did you mean "10s"? (allowed: a time such as 5s, 500ms or 1m30s)
        "#]],
    );
}

#[test]
fn images() {
    check(
        &component("sites: {}").replace("image: todo", "image: https://registry.example.com/todo"),
        expect![[r#"
            t.yaml:5:10: spec.image: "https://registry.example.com/todo": did you mean "registry.example.com/todo"? (allowed: an OCI reference such as registry.example.com/todo:1.4.0@sha256:…)
        "#]],
    );
    check(
        &component("sites: {}").replace("image: todo", "image: todo@sha256:123"),
        expect![[r#"
        t.yaml:5:10: spec.image: "todo@sha256:123" (allowed: an OCI reference such as registry.example.com/todo:1.4.0@sha256:…)
    "#]],
    );
    check(
        &component("sites: {}").replace("  image: todo\n", ""),
        expect![[r#"
        t.yaml:5:3: spec: the field "image" is missing: it takes an OCI reference such as registry.example.com/todo:1.4.0@sha256:…
    "#]],
    );
}

#[test]
fn links() {
    let links = |links: &str| {
        format!(
            "{}---\n{}",
            component(&format!("sites: {{}}\nlinks:\n{links}")),
            provider("keyvalue: { redis: {} }\nsites: { gcp: { url: redis://redis } }")
        )
    };
    check(
        &links("  store: { import: wasi:keyvalue, provider: { name: reddis } }"),
        expect![[r#"
        t.yaml:8:55: spec.links.store.provider.name: unknown provider "reddis": did you mean "redis"? (allowed: redis)
    "#]],
    );
    check(
        &links("  store: { import: wasi:keyvalue, component: { name: redis } }"),
        expect![[r#"
        t.yaml:8:56: spec.links.store.component.name: unknown component "redis": "redis" is a provider: write provider: { name: redis } (allowed: there is no other WasmComponent)
    "#]],
    );
    check(
        &links("  store: { import: wasi:keyvalue, provider: { name: todo } }"),
        expect![[r#"
        t.yaml:8:55: spec.links.store.provider.name: unknown provider "todo": "todo" is a component: write component: { name: todo } (allowed: redis)
    "#]],
    );
    check(
        &links("  self: { import: a:b/c, component: { name: todo } }"),
        expect![[r#"
        t.yaml:8:47: spec.links.self.component.name: a link from a component to itself
    "#]],
    );
    check(
        &links("  store: { import: wasi:keyvalue }"),
        expect![[r#"
        t.yaml:8:12: spec.links.store: none of provider, component, egress (allowed: exactly one of provider, component, egress)
    "#]],
    );
    check(
        &links("  store: { import: wasi:keyvalue, providr: { name: redis } }"),
        expect![[r#"
        t.yaml:8:37: spec.links.store.providr: unknown field "providr": did you mean "provider"? (allowed: bucket, component, egress, import, provider, timeout)
    "#]],
    );
    check(
        &links("  store: { import: wasi:keyvalue, provider: { name: redis }, egress: { hosts: [a] } }"),
        expect![[r#"
            t.yaml:8:22: spec.links.store.import: wasi:keyvalue for an egress link (allowed: wasi:http/outgoing-handler)
            t.yaml:8:64: spec.links.store: provider and egress together (allowed: exactly one of provider, component, egress)
        "#]],
    );
    check(
        &links(
            "  store: { import: wasi:keyvalue, provider: { name: redis } }\n  again: { import: wasi:keyvalue/store, provider: { name: redis } }",
        ),
        expect![[r#"
            t.yaml:9:22: spec.links.again.import: "wasi:keyvalue/store" is linked twice: the link "store" binds it already
        "#]],
    );
    check(
        &links(
            "  a: { import: wasi:http/outgoing-handler, egress: { hosts: [a.example.com] } }\n  b: { import: wasi:http/outgoing-handler, egress: { hosts: [b.example.com] } }",
        ),
        expect![[r#""#]],
    );
    check(
        &links(
            "  a: { import: wasi:http/outgoing-handler, egress: { hosts: [\"https://a\"] }, bucket: x }\n  b: { import: wasi:keyvalue, egress: { hosts: [] } }",
        ),
        expect![[r#"
            t.yaml:8:64: spec.links.a.egress.hosts[0]: "https://a" (allowed: a hostname or address, optionally with a port: api.example.com or api.example.com:8443)
            t.yaml:8:80: spec.links.a.bucket: a bucket for a link that leads to no provider: leave it out
            t.yaml:9:18: spec.links.b.import: wasi:keyvalue for an egress link (allowed: wasi:http/outgoing-handler)
            t.yaml:9:50: spec.links.b.egress.hosts: an empty list (allowed: at least one item)
        "#]],
    );
    check(
        &links(
            "  log: { import: wasi:logging/logging, provider: { name: redis } }\n  sql: { import: wasi:sql, provider: { name: redis } }\n  Bad_Name: { import: keyvalue, provider: { name: redis }, timeout: 1d }",
        ),
        expect![[r#"
            t.yaml:8:20: spec.links.log.import: wasi:logging, which needs no link: leave the link out
            t.yaml:9:20: spec.links.sql.import: wasi:sql, which no provider answers (allowed: wasi:keyvalue)
            t.yaml:10:5: spec.links.Bad_Name: the name "Bad_Name": did you mean "bad-name"? (allowed: a DNS label: 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends)
            t.yaml:10:25: spec.links.Bad_Name.import: "keyvalue" (allowed: an import such as wasi:keyvalue, wasi:keyvalue/store or wasi:http/outgoing-handler@0.2.0)
            t.yaml:10:71: spec.links.Bad_Name.timeout: "1d" (allowed: a time such as 5s, 500ms or 1m30s)
        "#]],
    );
}

#[test]
fn config() {
    check(
        &component("sites: {}\nconfig:\n  PORT: { value: 8080 }\n  ON: { value: yes }\n  LEVEL: info"),
        expect![[r#"
            t.yaml:8:20: spec.config.PORT.value: the number 8080: put it in quotes (allowed: a text)
            t.yaml:9:5: spec.config: the key ON, which is no text: put it in quotes
            t.yaml:10:12: spec.config.LEVEL: "info" (allowed: a mapping with value, valueFrom)
        "#]],
    );
    check(
        &component(
            "sites: {}\nconfig:\n  A: { value: a, valueFrom: { secretKeyRef: { name: s, key: k } } }\n  B: {}\n  C: { valueFrom: { configMapKeyRef: { name: s, key: k } } }\n  D E: { value: x }",
        ),
        expect![[r#"
            t.yaml:8:20: spec.config.A: value and valueFrom together (allowed: exactly one of value, valueFrom)
            t.yaml:9:8: spec.config.B: none of value, valueFrom (allowed: exactly one of value, valueFrom)
            t.yaml:10:21: spec.config.C.valueFrom: the field "secretKeyRef" is missing: it takes a mapping with key, name
            t.yaml:10:23: spec.config.C.valueFrom.configMapKeyRef: unknown field "configMapKeyRef" (allowed: secretKeyRef)
            t.yaml:11:5: spec.config["D E"]: the name "D E": did you mean "D-E"? (allowed: 1 to 253 letters, digits, -, _ and .)
        "#]],
    );
    check(
        &component(
            "sites: {}\nconfig:\n  yes: { value: a }\n  ? [a]\n  : { value: b }\n  T: { value: !include a }",
        ),
        expect![[r#"
            t.yaml:8:5: spec.config: the key yes, which is no text: put it in quotes
            t.yaml:9:7: spec.config: the key a collection, which is no text: put it in quotes
            t.yaml:11:17: spec.config.T.value: the tag !include (allowed: a text)
        "#]],
    );
}

#[test]
fn providers() {
    check(
        &provider("keyvalue: { redis: {} }\nsites: { gcp: {}, aws: { url: redis://a } }"),
        expect![[r#"
            t.yaml:6:17: spec.sites.gcp: no url, which redis needs: write { url: "redis://HOST:6379" }
            t.yaml:6:21: spec.sites.aws: a second site without shared: true: write shared: true if all URLs reach the same data, or declare a second provider
        "#]],
    );
    check(
        &provider(
            "keyvalue: { redis: {} }\nshared: true\nsites: { gcp: { url: redis://b }, aws: { url: redis://a } }",
        ),
        expect![[r#""#]],
    );
    check(
        &provider("keyvalue: { redis: {} }\nsites: { gcp: { url: \"redis://me:hunter2@b\", host: gcp-1 } }"),
        expect![[r#"
            t.yaml:6:24: spec.sites.gcp.url: a user or password in a URL: put them into a secret and name it in keyvalue.redis.secretRef (allowed: redis://HOST:PORT or rediss://HOST:PORT, without user or password)
            t.yaml:6:48: spec.sites.gcp.host: "host", which redis has no use for: leave it out
        "#]],
    );
    check(
        &provider("keyvalue: { embedded: {} }\nsites: { gcp: { host: gcp-1 }, aws: {} }"),
        expect![[r#"
            t.yaml:6:34: spec.sites.aws: a second site for embedded, which belongs to the host that holds the data (allowed: exactly one site)
        "#]],
    );
    check(
        &provider("keyvalue: { memory: {} }\nsites: { gcp: { url: redis://b } }"),
        expect![[r#"
        t.yaml:6:19: spec.sites.gcp.url: "url", which memory has no use for: leave it out
    "#]],
    );
    check(
        &provider("keyvalue: { etcd: {} }\nsites: {}"),
        expect![[r#"
        t.yaml:5:15: spec.keyvalue.etcd: unknown field "etcd" (allowed: embedded, memory, redis)
        t.yaml:6:10: spec.sites: nothing in it (allowed: at least one entry)
    "#]],
    );
    check(
        &provider("keyvalue: {}\nsites: { gcp: {} }"),
        expect![[r#"
        t.yaml:5:13: spec.keyvalue: none of redis, embedded, memory (allowed: exactly one of redis, embedded, memory)
    "#]],
    );
}

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
    check_files(
        &[("l.yaml", &LATTICE.replace("aws: {} }", "aws: {} }, replaces: abc"))],
        expect![[r#"
        l.yaml:4:38: spec.replaces: "replaces" is not in this version yet: leave it out
    "#]],
    );
}

#[test]
fn routes() {
    let route = |name: &str, http: &str| {
        component(&format!("sites: {{}}\nhttp: {http}")).replace("name: todo", &format!("name: {name}"))
    };
    check(
        &format!("{}---\n{}", route("a", "{ path: /api }"), route("b", "{ path: /api/ }")),
        expect![[r#"
            t.yaml:15:17: spec.http.path: the route "/api/" a second time: WasmComponent/a has it already (t.yaml:1)
        "#]],
    );
    check(
        &format!("{}---\n{}", route("a", "{ hostnames: [a, b] }"), route("b", "{ hostnames: [b] }")),
        expect![[r#"
            t.yaml:15:9: spec.http.path: the route "/" a second time: WasmComponent/a has it already (t.yaml:1)
        "#]],
    );
    check(
        &format!("{}---\n{}", route("a", "{ hostnames: [a] }"), route("b", "{ hostnames: [b] }")),
        expect![[r#""#]],
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
