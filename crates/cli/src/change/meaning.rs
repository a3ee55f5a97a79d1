//! What a change of a field means for what runs. Pure.

use dunlin_manifest::{Difference, Kind, Replicas, Snapshot};

/// What follows when a field has changed between two states, in words.
pub(crate) fn of(difference: &Difference, before: &Snapshot, after: &Snapshot) -> &'static str {
    let path: Vec<&str> = difference.path.iter().map(String::as_str).collect();
    let gone = difference.after.is_none();
    match (difference.object.kind, path.as_slice()) {
        (Kind::WasmComponent, []) if gone => "leaves once nobody calls it",
        (Kind::WasmComponent, []) => "starts",
        (Kind::WasmProvider, []) if gone => "is closed",
        (Kind::WasmProvider, []) => "is opened",
        (Kind::WasmComponent, ["spec", "sites", ..]) => placed(&difference.object.name, before, after),
        (Kind::WasmComponent, ["spec", "image" | "links" | "config" | "readiness" | "resources", ..])
        | (Kind::WasmComponent, ["spec", "timeouts" | "maxConcurrency", ..]) => {
            "new identity: replaced inside its slots"
        }
        (Kind::WasmComponent, ["spec", "http", ..]) => "route: requests come in otherwise",
        (Kind::WasmComponent, ["spec", "failover", ..]) => "stand-ins when a site is silent",
        (Kind::WasmComponent, ["spec", "update", ..]) => "how the next identity comes in",
        (Kind::WasmComponent, ["spec", "suspend"]) if gone => "goes on",
        (Kind::WasmComponent, ["spec", "suspend"]) => "starts nothing, stops nothing",
        (Kind::WasmProvider, ["spec", ..]) => "opened anew; links to it reconnect",
        (Kind::Lattice, ["spec", "sites", ..]) => "which sites there are",
        (Kind::Lattice, ["spec", ..]) => "which revisions are followed",
        _ => "nothing that runs",
    }
}

/// What other sites and numbers mean, all those of a component together: it moves where it gets fewer in one site and
/// more in another.
fn placed(name: &str, before: &Snapshot, after: &Snapshot) -> &'static str {
    let replicas = |side: &Snapshot, site: &str| {
        let placement = side.components.get(name).and_then(|object| object.spec.sites.get(site));
        match placement.map_or(Replicas::Count(0), |placement| placement.replicas) {
            Replicas::Count(count) => count,
            Replicas::All => u32::MAX,
        }
    };
    let of = |side: &Snapshot| {
        let object = side.components.get(name);
        object.map(|object| object.spec.sites.keys().cloned().collect::<Vec<_>>()).unwrap_or_default()
    };
    let (mut fewer, mut more) = (false, false);
    for site in of(before).iter().chain(&of(after)) {
        let (old, new) = (replicas(before, site), replicas(after, site));
        fewer |= new < old;
        more |= new > old;
    }
    match (fewer, more) {
        (false, true) => "more replicas: they start",
        (true, false) => "fewer replicas: some leave, once the others promise to stay",
        // Other labels are other hosts.
        (true, true) | (false, false) => "moves: starts there first, then leaves",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_manifest::ObjectReference;

    #[test]
    fn every_field_means_something() {
        let told = |kind, path: &str, gone: bool| {
            let path = path.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect();
            let object = ObjectReference { kind, name: "x".into() };
            let difference = Difference { object, path, before: None, after: (!gone).then(|| 1.into()) };
            of(&difference, &Snapshot::default(), &Snapshot::default())
        };
        use Kind::{Lattice, WasmComponent, WasmProvider};
        for (kind, path, gone, expected) in [
            (WasmComponent, "", false, "starts"),
            (WasmComponent, "", true, "leaves once nobody calls it"),
            (WasmComponent, "spec.sites.a.replicas", false, "moves: starts there first, then leaves"),
            (WasmComponent, "spec.links.store.timeout", false, "new identity: replaced inside its slots"),
            (WasmComponent, "spec.maxConcurrency", false, "new identity: replaced inside its slots"),
            (WasmComponent, "spec.http.path", false, "route: requests come in otherwise"),
            (WasmComponent, "spec.suspend", true, "goes on"),
            (WasmComponent, "metadata.labels.a", false, "nothing that runs"),
            (WasmProvider, "spec.sites.a.url", false, "opened anew; links to it reconnect"),
            (Lattice, "spec.allowEmpty", false, "which revisions are followed"),
        ] {
            assert_eq!(told(kind, path, gone), expected, "{kind} {path}");
        }
    }

    #[test]
    fn only_from_one_site_to_another_is_a_move() {
        let state = |sites: &str| {
            let text = format!(
                "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: {{ name: l }}\nspec: {{ sites: {{ a: {{}}, b: {{}} }} }}\n\
                 ---\napiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: {{ name: x }}\n\
                 spec: {{ image: \"example.com/x:1\", sites: {{ {sites} }} }}\n"
            );
            dunlin_manifest::read(&[dunlin_manifest::File { path: "a.yaml".into(), text }]).snapshot
        };
        for (before, after, expected) in [
            ("a: { replicas: 1 }", "a: { replicas: 2 }", "more"),
            ("a: { replicas: 3 }", "a: { replicas: 5 }, b: { replicas: 0 }", "more"),
            ("a: { replicas: 3 }", "a: { replicas: all }", "more"),
            ("a: { replicas: 1 }", "a: { replicas: 1 }, b: { replicas: 1 }", "more"),
            ("a: { replicas: 2 }, b: { replicas: 1 }", "a: { replicas: 2 }", "fewer"),
            ("a: { replicas: 2 }", "a: { replicas: 1 }, b: { replicas: 1 }", "moves"),
            ("a: { replicas: 1 }", "a: { replicas: 1, hostLabels: { disk: ssd } }", "moves"),
        ] {
            let (old, new) = (state(before), state(after));
            let differences = dunlin_manifest::differences(&old, &new);
            assert!(!differences.is_empty(), "{before} -> {after}");
            for difference in differences {
                let told = of(&difference, &old, &new);
                assert!(told.starts_with(expected), "{before} -> {after}: {told}");
            }
        }
    }
}
