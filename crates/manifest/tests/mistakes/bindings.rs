//! Mistakes in what things are bound to: links, config, providers.

use expect_test::expect;

use super::{check, component, provider};

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
