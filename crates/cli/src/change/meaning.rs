//! What a change of a field means for what runs. Pure.

use dunlin_manifest::{Difference, Kind};

/// What follows when a field has changed, in words.
pub(crate) fn of(difference: &Difference) -> &'static str {
    let path: Vec<&str> = difference.path.iter().map(String::as_str).collect();
    let gone = difference.after.is_none();
    match (difference.object.kind, path.as_slice()) {
        (Kind::WasmComponent, []) if gone => "leaves once nobody calls it",
        (Kind::WasmComponent, []) => "starts",
        (Kind::WasmProvider, []) if gone => "is closed",
        (Kind::WasmProvider, []) => "is opened",
        (Kind::WasmComponent, ["spec", "sites", ..]) => "moves: starts there first, then leaves",
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

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_manifest::ObjectReference;

    #[test]
    fn every_field_means_something() {
        let told = |kind, path: &str, gone: bool| {
            let path = path.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect();
            let object = ObjectReference { kind, name: "x".into() };
            of(&Difference { object, path, before: None, after: (!gone).then(|| 1.into()) })
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
}
