//! Snapshots at random, valid ones only: what the property tests print, edit and read back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dunlin_manifest::{
    Abort, Canary, ConfigValue, Egress, Http, KeyValueBackend, Lattice, Limits, Link, LinkTarget, Object,
    Origin, ProviderSite, Ratio, Readiness, Redis, Remote, Replicas, Resources, SecretKeyReference,
    SecretReference, Site, SitePlacement, Snapshot, Timeouts, Update, WasmComponent, WasmProvider,
};
use proptest::prelude::*;

/// A snapshot with one to three sites.
pub fn snapshots() -> impl Strategy<Value = Snapshot> {
    proptest::collection::btree_set(name(), 1..4).prop_flat_map(|sites| {
        let lattice = lattice(sites.clone());
        let providers = proptest::collection::btree_map(name(), provider(sites.clone()), 0..3);
        (lattice, providers).prop_flat_map(move |(lattice, providers)| {
            let component = component(sites.clone(), providers.keys().cloned().collect());
            proptest::collection::btree_map(name(), component, 0..4).prop_map(move |components| Snapshot {
                lattice: Some(lattice.clone()),
                components: named(components)
                    .into_iter()
                    .enumerate()
                    .map(|(index, (name, mut object))| {
                        // No two components have the same route.
                        if let Some(http) = &mut object.spec.http {
                            http.path = format!("{}{index}", http.path);
                        }
                        (name, object)
                    })
                    .collect(),
                providers: named(providers.clone()),
            })
        })
    })
}

fn named<S>(specs: BTreeMap<String, Object<S>>) -> BTreeMap<String, Object<S>> {
    specs.into_iter().map(|(name, object)| (name.clone(), Object { name, ..object })).collect()
}

fn name() -> impl Strategy<Value = String> {
    "[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?|yes|no|null|true|on|0x1f|1e3"
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,12}",
        "(true|null|yes|~|1_000|0o7|.inf|- a|# b|: |a: b|&a|\\*a|!t|%|@|`|\\||>|'|\"|\\\\|\n|\r\n|\t| )[a: #]{0,3}",
    ]
}

fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    proptest::collection::btree_map(
        "([a-z]{1,4}\\.io/)?[a-zA-Z0-9]([-_.a-zA-Z0-9]{0,5}[a-zA-Z0-9])?",
        "([a-zA-Z0-9]([-_.a-zA-Z0-9]{0,5}[a-zA-Z0-9])?)?",
        0..3,
    )
}

fn object<S: std::fmt::Debug>(spec: impl Strategy<Value = S>) -> impl Strategy<Value = Object<S>> {
    let annotations = proptest::collection::btree_map("[a-z]{1,6}", text(), 0..2);
    (labels(), annotations, spec).prop_map(|(labels, annotations, spec)| Object {
        name: "todo".into(),
        labels,
        annotations,
        spec,
        origin: Origin::default(),
    })
}

fn lattice(sites: BTreeSet<String>) -> impl Strategy<Value = Object<Lattice>> {
    object(any::<bool>().prop_map(move |allow_empty| Lattice {
        sites: sites.iter().map(|site| (site.clone(), Site {})).collect(),
        replaces: None,
        allow_empty,
    }))
}

fn provider(sites: BTreeSet<String>) -> impl Strategy<Value = Object<WasmProvider>> {
    let first = sites.iter().next().cloned().unwrap_or_default();
    let secret = proptest::option::of("[a-z]{1,5}(\\.[a-z]{1,5})?".prop_map(|name| SecretReference { name }));
    let redis = (secret, proptest::bool::ANY).prop_map(move |(secret_ref, shared)| {
        let count = if shared { sites.len() } else { 1 };
        let site =
            |index: usize| ProviderSite { url: Some(format!("redis://redis-{index}:6379/0")), host: None };
        WasmProvider {
            keyvalue: KeyValueBackend::Redis(Redis { secret_ref }),
            shared,
            sites: sites
                .iter()
                .take(count)
                .enumerate()
                .map(|(index, name)| (name.clone(), site(index)))
                .collect(),
        }
    });
    let local =
        (proptest::bool::ANY, proptest::option::of(name())).prop_map(move |(embedded, host)| WasmProvider {
            keyvalue: if embedded { KeyValueBackend::Embedded } else { KeyValueBackend::Memory },
            shared: false,
            sites: BTreeMap::from([(first.clone(), ProviderSite { url: None, host })]),
        });
    object(prop_oneof![redis, local])
}

fn component(
    sites: BTreeSet<String>,
    providers: Vec<String>,
) -> impl Strategy<Value = Object<WasmComponent>> {
    let replicas = prop_oneof![Just(Replicas::All), (0..=1000_u32).prop_map(Replicas::Count)];
    let placement =
        (replicas, labels()).prop_map(|(replicas, host_labels)| SitePlacement { replicas, host_labels });
    let sites: Vec<String> = sites.into_iter().collect();
    let sites = proptest::collection::btree_map(proptest::sample::select(sites), placement, 0..4);
    let hostnames = proptest::collection::btree_set("[a-z]{1,5}(\\.[a-z]{1,5})?", 0..3);
    let http = (hostnames, "/[a-z]{0,5}", any::<bool>()).prop_map(|(hostnames, path, allow)| Http {
        hostnames: hostnames.into_iter().collect(),
        path,
        remote: if allow { Remote::Allow } else { Remote::Deny },
    });
    let secret = || ("[a-z]{1,5}", "[A-Za-z_]{1,5}").prop_map(|(name, key)| SecretKeyReference { name, key });
    let value = prop_oneof![text().prop_map(ConfigValue::Value), secret().prop_map(ConfigValue::Secret)];
    let config = proptest::collection::btree_map("[A-Za-z_0-9]{1,8}", value, 0..4);
    let times = || (1..=3_600_000_u64).prop_map(Duration::from_millis);
    let readiness = proptest::option::of("/[a-z]{0,5}".prop_map(|path| Readiness { path }));
    let image = "[a-z]{1,8}(:[a-z0-9]{1,5})?(@sha256:[0-9a-f]{64})?";
    let spec = (
        image,
        sites,
        proptest::option::of(http),
        links(providers),
        config,
        readiness,
        ((1_u64 << 20)..=(4 << 30), (1_u64 << 10)..=(1 << 40)),
        times(),
        1..=10_000_u32,
        (any::<bool>(), proptest::option::of(update())),
    )
        .prop_map(
            |(image, sites, http, links, config, readiness, limits, request, max_concurrency, others)| {
                let ((memory, request_body), (suspend, update)) = (limits, others);
                WasmComponent {
                    image,
                    sites,
                    failover: None,
                    http,
                    links,
                    config,
                    readiness,
                    resources: Resources { limits: Limits { memory, request_body } },
                    timeouts: Timeouts { request },
                    max_concurrency,
                    update,
                    suspend,
                }
            },
        );
    object(spec)
}

fn update() -> impl Strategy<Value = Update> {
    let abort = ("0\\.[0-9]{1,6}", 1..=1000_u32)
        .prop_map(|(ratio, min_requests)| Abort { error_ratio: Ratio::parse(&ratio).unwrap(), min_requests });
    let hold = (1000..=86_400_000_u64).prop_map(Duration::from_millis);
    (1..=99_u8, hold, proptest::option::of(abort))
        .prop_map(|(weight, hold, abort)| Update { canary: Canary { weight, hold, abort } })
}

fn links(providers: Vec<String>) -> impl Strategy<Value = BTreeMap<String, Link>> {
    let timeout = || (1..=3_600_000_u64).prop_map(Duration::from_millis);
    let egress =
        ("[a-z]{1,6}(\\.[a-z]{1,6})?(:[1-9][0-9]{0,3})?", timeout()).prop_map(|(host, timeout)| Link {
            import: "wasi:http/outgoing-handler".into(),
            target: LinkTarget::Egress(Egress { hosts: vec![host] }),
            bucket: None,
            timeout,
        });
    let bucket = proptest::option::of("[a-zA-Z0-9_]{1,8}");
    let store = (bucket, timeout()).prop_map(move |(bucket, timeout)| {
        let provider = providers.first().cloned()?;
        let (import, target) = ("wasi:keyvalue".into(), LinkTarget::Provider(provider));
        Some(Link { import, target, bucket, timeout })
    });
    (proptest::option::of(egress), store).prop_map(|(egress, store)| {
        let egress = egress.map(|link| ("out".to_owned(), link));
        egress.into_iter().chain(store.map(|link| ("store".to_owned(), link))).collect()
    })
}
