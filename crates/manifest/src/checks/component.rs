//! What a component names: sites, providers, other components, imports, routes.

use std::collections::HashMap;

use super::{Checker, Contest};
use crate::mistake::did_you_mean;
use crate::overlaps::{Import, same_route};
use crate::tree::{Entry, Node, Value};
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

/// As many links as the schema allows.
const MAXIMUM_LINKS: usize = 100;

impl Checker<'_> {
    pub(super) fn component(&mut self, index: usize, node: &Node) {
        self.sites(index, node);
        self.failover(index, node);
        let links = node.at(&["spec", "links"]).map(Node::entries).unwrap_or_default();
        // More are a mistake already, and each is held against all before it.
        let links = &links[..links.len().min(MAXIMUM_LINKS)];
        for (number, link) in links.iter().enumerate() {
            self.link(index, link);
            self.linked_twice(index, &links[..number], link);
        }
    }

    /// A site that the component runs in may be one that takes over for others, but not for itself.
    fn failover(&mut self, index: usize, node: &Node) {
        let to = node.at(&["spec", "failover", "to"]).map(Node::items).unwrap_or_default();
        for (number, site) in to.iter().enumerate() {
            if let Some(name) = site.text() {
                self.site(index, site.start, format!("spec.failover.to[{number}]"), name);
            }
        }
        let sites = node.at(&["spec", "sites"]).map(Node::entries).unwrap_or_default();
        if let ([home], [only]) = (sites, to)
            && only.text() == Some(&home.key)
        {
            let found = format!("{}, the only site that it runs in", home.key);
            let hint = "name a site that takes over when all hosts of this one are silent";
            self.report(index, only.start, "spec.failover.to[0]".into(), found, None, Some(hint.into()));
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
        let components =
            documents.iter().enumerate().filter(|(_, document)| document.kind == Kind::WasmComponent);
        let routes: Vec<(usize, Route<'_>)> =
            components.filter_map(|(index, document)| Some((index, Route::of(&document.node)?))).collect();
        // Only routes with the same path can be the same.
        let mut earlier: HashMap<&str, Vec<&(usize, Route<'_>)>> = HashMap::new();
        for this in &routes {
            let (second, route) = this;
            let others = earlier.entry(route.path.trim_end_matches('/')).or_default();
            let clash = others.iter().find(|(first, other)| {
                same_route((&route.hostnames, route.path), (&other.hostnames, other.path))
                    && documents[*first].name != documents[*second].name
            });
            if let Some((first, _)) = clash {
                let name = documents[*first].name.as_deref().unwrap_or("without a name");
                let hint = format!("WasmComponent/{name} has it already ({})", self.place(*first));
                let at = route.node.get("path").unwrap_or(route.node).start;
                let found = format!("the route {:?} a second time", route.path);
                self.report(*second, at, "spec.http.path".into(), found, None, Some(hint));
                self.verdict.contests.push(Contest { first: *first, second: *second });
            }
            others.push(this);
        }
    }
}

/// What a component says about its route, as far as it has the right shape.
struct Route<'a> {
    node: &'a Node,
    hostnames: Vec<&'a str>,
    path: &'a str,
}

impl<'a> Route<'a> {
    fn of(document: &'a Node) -> Option<Self> {
        let node = document.at(&["spec", "http"]).filter(|http| matches!(http.value, Value::Map(_)))?;
        let hostnames = node.get("hostnames").map(Node::items).unwrap_or_default();
        let path = node.get("path").and_then(Node::text).unwrap_or("/");
        Some(Self { node, hostnames: hostnames.iter().filter_map(Node::text).collect(), path })
    }
}
