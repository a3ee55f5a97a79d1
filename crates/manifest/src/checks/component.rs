//! What a component names: sites, providers, other components, imports, routes.

use super::{Checker, Contest};
use crate::mistake::did_you_mean;
use crate::overlaps::{Import, same_route};
use crate::tree::{Entry, Node};
use crate::types::Kind;
use crate::walk::join;

/// Packages that every component may import without a link.
const UNLINKED: [&str; 8] = [
    "wasi:logging",
    "wasi:config",
    "wasi:clocks",
    "wasi:random",
    "wasi:io",
    "wasi:cli",
    "wasi:filesystem",
    "wasi:sockets",
];

impl Checker<'_> {
    pub(super) fn component(&mut self, index: usize, node: &Node) {
        self.sites(index, node);
        let failover = node.at(&["spec", "failover", "to"]).map(Node::items).unwrap_or_default();
        for (number, site) in failover.iter().enumerate() {
            if let Some(name) = site.text() {
                self.site(index, site.start, format!("spec.failover.to[{number}]"), name);
            }
        }
        let links = node.at(&["spec", "links"]).map(Node::entries).unwrap_or_default();
        for (number, link) in links.iter().enumerate() {
            self.link(index, link);
            self.linked_twice(index, &links[..number], link);
        }
    }

    fn link(&mut self, index: usize, link: &Entry) {
        let path = join("spec.links", &link.key);
        let import = link.node.get("import").and_then(|node| Some((node, Import::parse(node.text()?)?)));
        let package = import.as_ref().map(|(_, import)| import.package);
        let import_path = join(&path, "import");
        if let Some((node, import)) = import.as_ref().filter(|(_, import)| UNLINKED.contains(&import.package))
        {
            let (found, hint) = match import.package {
                "wasi:filesystem" | "wasi:sockets" => (
                    format!("{}, which no component is given", import.package),
                    "keep data in a key-value provider, call servers through an egress link",
                ),
                package => (format!("{package}, which needs no link"), "leave the link out"),
            };
            self.report(index, node.start, import_path.clone(), found, None, Some(hint.into()));
            return;
        }
        if let Some(name) = link.node.at(&["provider", "name"]) {
            self.provider_of_link(index, name, &path);
            if let Some((node, import)) =
                import.as_ref().filter(|(_, import)| import.package != "wasi:keyvalue")
            {
                let found = format!("{}, which no provider answers", import.package);
                let hint = (import.package == "wasi:http")
                    .then(|| "link it to a component or to egress hosts".to_owned());
                self.report(
                    index,
                    node.start,
                    import_path.clone(),
                    found,
                    Some("wasi:keyvalue".into()),
                    hint,
                );
            }
        }
        if let Some(name) = link.node.at(&["component", "name"]) {
            self.component_of_link(index, name, &path);
        }
        if link.node.get("egress").is_some() && package.is_some_and(|package| package != "wasi:http") {
            let at = import.as_ref().map_or(link.at, |(node, _)| node.start);
            let found = format!("{} for an egress link", package.unwrap_or_default());
            self.report(index, at, import_path, found, Some("wasi:http/outgoing-handler".into()), None);
        }
        if let Some(bucket) = link.node.entry("bucket").filter(|_| link.node.get("provider").is_none()) {
            let hint = Some("leave it out".into());
            self.report(
                index,
                bucket.at,
                join(&path, "bucket"),
                "a bucket for a link that leads to no provider",
                None,
                hint,
            );
        }
    }

    fn provider_of_link(&mut self, index: usize, node: &Node, path: &str) {
        let Some(name) = node.text().filter(|name| !self.world.providers.contains(*name)) else { return };
        let hint = if self.world.components.contains(name) {
            Some(format!("{name:?} is a component: write component: {{ name: {name} }}"))
        } else {
            did_you_mean(name, self.world.providers.iter().map(String::as_str))
        };
        let allowed = self.world.providers.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let allowed = if allowed.is_empty() { "there is no WasmProvider".into() } else { allowed };
        self.report(
            index,
            node.start,
            format!("{path}.provider.name"),
            format!("unknown provider {name:?}"),
            Some(allowed),
            hint,
        );
    }

    fn component_of_link(&mut self, index: usize, node: &Node, path: &str) {
        let path = format!("{path}.component.name");
        let Some(name) = node.text() else { return };
        if self.documents[index].name.as_deref() == Some(name) {
            return self.report(index, node.start, path, "a link from a component to itself", None, None);
        }
        if self.world.components.contains(name) {
            return;
        }
        let hint = if self.world.providers.contains(name) {
            Some(format!("{name:?} is a provider: write provider: {{ name: {name} }}"))
        } else {
            did_you_mean(name, self.world.components.iter().map(String::as_str))
        };
        let others = self.world.components.iter().map(String::as_str);
        let others = others.filter(|other| Some(*other) != self.documents[index].name.as_deref());
        let allowed = others.collect::<Vec<_>>().join(", ");
        let allowed = if allowed.is_empty() { "there is no other WasmComponent".into() } else { allowed };
        self.report(index, node.start, path, format!("unknown component {name:?}"), Some(allowed), hint);
    }

    /// One import bound by two links. Egress links may share an import if their hosts differ.
    fn linked_twice(&mut self, index: usize, earlier: &[Entry], link: &Entry) {
        let import = |entry: &Entry| entry.node.get("import").and_then(Node::text).map(str::to_owned);
        let Some(text) = import(link) else { return };
        let Some(mine) = Import::parse(&text) else { return };
        let hosts = |entry: &Entry| entry.node.at(&["egress", "hosts"]).map(|hosts| hosts.items().to_vec());
        for other in earlier {
            let overlaps = import(other)
                .is_some_and(|other| Import::parse(&other).is_some_and(|other| mine.overlaps(&other)));
            let apart = matches!((hosts(link), hosts(other)), (Some(mine), Some(others))
                if !mine.iter().any(|host| others.iter().any(|other| other.text() == host.text())));
            if overlaps && !apart {
                let at = link.node.get("import").map_or(link.at, |node| node.start);
                let path = join(&join("spec.links", &link.key), "import");
                let hint = format!("the link {:?} binds it already", other.key);
                self.report(index, at, path, format!("{text:?} is linked twice"), None, Some(hint));
                return;
            }
        }
    }

    /// Two components with the same route.
    pub(super) fn routes(&mut self) {
        let documents = self.documents;
        for (second, document) in documents.iter().enumerate() {
            let Some((node, hostnames, path)) = route(&document.node) else { continue };
            let clash = documents[..second].iter().enumerate().find(|(_, other)| {
                other.kind == Kind::WasmComponent
                    && document.kind == Kind::WasmComponent
                    && other.name != document.name
                    && route(&other.node)
                        .is_some_and(|(_, names, other)| same_route((&hostnames, path), (&names, other)))
            });
            if let Some((first, other)) = clash {
                let name = other.name.as_deref().unwrap_or("without a name");
                let hint = format!("WasmComponent/{name} has it already ({})", self.place(first));
                let at = node.get("path").unwrap_or(node).start;
                self.report(
                    second,
                    at,
                    "spec.http.path".into(),
                    format!("the route {path:?} a second time"),
                    None,
                    Some(hint),
                );
                self.verdict.contests.push(Contest { first, second });
            }
        }
    }
}

fn route(node: &Node) -> Option<(&Node, Vec<&str>, &str)> {
    let http = node.at(&["spec", "http"]).filter(|http| matches!(http.value, crate::tree::Value::Map(_)))?;
    let hostnames = http.get("hostnames").map(Node::items).unwrap_or_default();
    let path = http.get("path").and_then(Node::text).unwrap_or("/");
    Some((http, hostnames.iter().filter_map(Node::text).collect(), path))
}
