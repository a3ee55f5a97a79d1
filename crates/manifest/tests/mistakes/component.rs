//! Mistakes in what a component says of itself.

use expect_test::expect;

use super::{check, component};

#[test]
fn the_example_of_the_design_has_no_mistakes() {
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
    check(example, expect![""]);
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
            "sites: {}\nfailover: { after: 5s, to: [gpc] }\nupdate: { canary: { weight: 5, hold: 1m } }",
        ),
        expect![[r#"
            t.yaml:7:22: spec.failover.after: "5s" (allowed: from 10s to 24h)
            t.yaml:7:31: spec.failover.to[0]: unknown site "gpc": did you mean "gcp"? (allowed: aws, gcp)
        "#]],
    );
}

#[test]
fn canaries() {
    let canary = |fields: &str| component(&format!("sites: {{}}\nupdate: {{ canary: {fields} }}"));
    check(
        &canary("{ weight: 10, hold: 30s, abort: { errorRatio: \"0.02\", minRequests: 100 } }"),
        expect![[r#""#]],
    );
    check(
        &canary("{ weight: 100, hold: 500ms, abort: { errorRatio: 0.02, minRequests: 0 } }"),
        expect![[r#"
            t.yaml:7:31: spec.update.canary.weight: 100 (allowed: a whole number from 1 to 99)
            t.yaml:7:42: spec.update.canary.hold: "500ms" (allowed: from 1s to 24h)
            t.yaml:7:70: spec.update.canary.abort.errorRatio: the number 0.02: put it in quotes (allowed: a decimal from 0 to 1 in quotes, such as "0.02")
            t.yaml:7:89: spec.update.canary.abort.minRequests: 0 (allowed: a whole number from 1 to 1000000000)
        "#]],
    );
    check(
        &canary("{ weight: 0, hold: 25h, abort: { errorRatio: 2%, minRequests: 1 } }"),
        expect![[r#"
        t.yaml:7:31: spec.update.canary.weight: 0 (allowed: a whole number from 1 to 99)
        t.yaml:7:40: spec.update.canary.hold: "25h" (allowed: from 1s to 24h)
        t.yaml:7:66: spec.update.canary.abort.errorRatio: "2%": did you mean "0.02"? (allowed: a decimal from 0 to 1 in quotes, such as "0.02")
    "#]],
    );
    check(
        &canary("{ abort: { errorRatio: \"1.5\" } }"),
        expect![[r#"
        t.yaml:7:21: spec.update.canary: the field "weight" is missing: it takes a whole number from 1 to 99
        t.yaml:7:21: spec.update.canary: the field "hold" is missing: it takes a time such as 5s, 500ms or 1m30s
        t.yaml:7:30: spec.update.canary.abort: the field "minRequests" is missing: it takes a whole number from 1 to 1000000000
        t.yaml:7:44: spec.update.canary.abort.errorRatio: "1.5" (allowed: a decimal from 0 to 1 in quotes, such as "0.02")
    "#]],
    );
    check(
        &canary("{ weight: 5, hold: 1m, abort: { errorRatio: \".5\", minRequests: 1 } }"),
        expect![[r#"
            t.yaml:7:65: spec.update.canary.abort.errorRatio: ".5": did you mean "0.5"? (allowed: a decimal from 0 to 1 in quotes, such as "0.02")
        "#]],
    );
}

#[test]
fn who_takes_over() {
    check(
        &component("sites: { gcp: {} }\nfailover: { after: 30s, to: [gcp] }"),
        expect![[r#"
        t.yaml:7:32: spec.failover.to[0]: gcp, the only site that it runs in: name a site that takes over when all hosts of this one are silent
    "#]],
    );
    check(&component("sites: { gcp: {}, aws: {} }\nfailover: { after: 30s, to: [aws, gcp] }"), expect![[""]]);
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
            t.yaml:7:39: spec.resources.limits.cpu: unknown field "cpu" (allowed: memory, requestBody)
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
